import Foundation
package import Postgres

/// A primary and its streaming standby, both real, in folders of their own.
package struct TestPair: Sendable {
    package let primary: PrivateCluster
    package let standby: PrivateCluster
    private let folder: URL

    /// How libpq reaches whichever of the two can be written to.
    package var conninfo: String {
        let hosts = [primary, standby].map { $0.folder.appendingPathComponent("socket").path }
        return "host=\(hosts.joined(separator: ",")) user=migrate dbname=postgres target_session_attrs=read-write"
    }

    /// Starts both.
    ///
    /// - Parameter isSynchronous: whether a commit waits for the standby.
    package init(isSynchronous: Bool) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("ha-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        primary = PrivateCluster(folder: folder.appendingPathComponent("a"))
        standby = PrivateCluster(folder: folder.appendingPathComponent("b"))
        try primary.start()
        let target = standby.folder.appendingPathComponent("data").path
        let socket = standby.folder.appendingPathComponent("socket").path
        try FileManager.default.createDirectory(at: standby.folder, withIntermediateDirectories: true)
        if getuid() == 0 {
            try FileManager.default.setAttributes([.ownerAccountName: "postgres"], ofItemAtPath: standby.folder.path)
        }
        let source = primary.folder.appendingPathComponent("socket").path
        try Self.run([
            try Self.binary("pg_basebackup"), "-D", target, "-R", "-X", "stream", "-c", "fast", "-d",
            "host=\(source) user=migrate application_name=b",
        ])
        try Self.run(["/bin/mkdir", "-p", "-m", "700", socket])
        try Self.run([
            "/bin/sh", "-c", "echo \"unix_socket_directories = '$1'\" >> \"$2\"", "sh", socket,
            target + "/postgresql.conf",
        ])
        try standby.start()
        if isSynchronous {
            _ = try primary.tool("psql", ["-q", "-c", "alter system set synchronous_standby_names = 'b'"])
            _ = try primary.tool("psql", ["-q", "-c", "select pg_reload_conf()"])
        }
    }

    /// Whether the standby streams.
    package func isStreaming() throws -> Bool {
        try primary.tool("psql", ["-At", "-c", "select state from pg_stat_replication"]).contains("streaming")
    }

    /// Ends the primary with SIGKILL, for good.
    package func loseThePrimary() async throws {
        guard let postmaster = primary.postmaster else { throw TestFailure("the primary does not run") }
        kill(postmaster, SIGKILL)
        try await eventually("the primary to be gone") { kill(postmaster, 0) != 0 }
    }

    /// Makes the standby the one that can be written to.
    package func promote() throws { _ = try standby.tool("psql", ["-q", "-c", "select pg_promote(true, 60)"]) }

    package func stop() {
        try? standby.stop()
        try? primary.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    private static func binary(_ name: String) throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = try FileManager.default.contentsOfDirectory(atPath: root).compactMap(Int.init).sorted(by: >)
        guard let version = versions.first else { throw TestFailure("no PostgreSQL is installed") }
        return "\(root)/\(version)/bin/\(name)"
    }

    private static func run(_ line: [String]) throws {
        let line = getuid() == 0 ? ["/usr/sbin/runuser", "-u", "postgres", "--"] + line : line
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("ha-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: output) }
        let code = try ChildProcess(line[0], Array(line.dropFirst()), output: output).wait()
        guard code == 0 else {
            let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            throw TestFailure("\(line) failed: \(text)")
        }
    }
}
