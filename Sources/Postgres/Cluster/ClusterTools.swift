import Foundation

/// Runs PostgreSQL's own programs, as another user where this one is root, whom PostgreSQL refuses.
struct ClusterTools: Sendable {
    let directory: String

    /// Finds the newest installed server.
    ///
    /// - Throws: an error that says what to install.
    init() throws(PostgresError) {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap(Int.init).sorted(
            by: >
        )
        let folders = versions.map { "\(root)/\($0)/bin" } + Self.searchPath
        guard let directory = folders.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") })
        else {
            throw PostgresError(
                .cluster,
                "no PostgreSQL server is installed here",
                hint: "install the package postgresql, or name a database with --database"
            )
        }
        self.directory = directory
    }

    private static var searchPath: [String] {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    }

    /// The user that owns a cluster of root's; nil when this user may run it himself.
    static var owner: String? { getuid() == 0 ? "postgres" : nil }

    /// Runs a program to its end.
    ///
    /// - Returns: what it printed.
    /// - Throws: what it printed, when it failed.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws(PostgresError) -> String {
        let path = program.hasPrefix("/") ? program : "\(directory)/\(program)"
        var line = [path] + arguments
        if let owner = Self.owner { line = ["/usr/sbin/runuser", "-u", owner, "--"] + line }
        let file = NSTemporaryDirectory() + "migrate-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let code = try ChildProcess(line[0], Array(line.dropFirst()), output: file).wait()
        let output = FileManager.default.contents(atPath: file) ?? Data()
        guard code == 0 else { throw PostgresError(.cluster, "\(program) failed: \(Self.lastLines(output))") }
        return String(decoding: output, as: UTF8.self)
    }

    /// The last three lines of what a program has said, in one.
    static func lastLines(_ output: Data) -> String {
        String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(3).joined(separator: "; ")
    }
}
