package import Foundation

/// A PostgreSQL cluster of one's own: created from the system's binaries, reachable by a socket in its folder and by nothing else.
package struct PrivateCluster: Sendable {
    /// The folder that holds everything: `data`, `socket`, `server.log`.
    package let folder: URL

    private static let user = "migrate"
    private static let database = "postgres"
    /// Room that a socket's name leaves for its folder (`sun_path` is 108 bytes).
    private static let longestFolder = 80

    package init(folder: URL) { self.folder = folder.standardizedFileURL }

    private var data: String { folder.appendingPathComponent("data").path }
    /// The folder of its socket.
    package var socket: String { folder.appendingPathComponent("socket").path }
    private var log: String { folder.appendingPathComponent("server.log").path }

    /// How libpq reaches it.
    package var conninfo: String {
        let host = socket.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "'", with: "\\'")
        return "host='\(host)' user=\(Self.user) dbname=\(Self.database)"
    }

    package var exists: Bool { FileManager.default.fileExists(atPath: data + "/PG_VERSION") }

    /// Creates the cluster where there is none, and starts it where it does not run; safe to call from several processes at once.
    package func start() throws(PostgresError) {
        guard socket.utf8.count <= Self.longestFolder else {
            throw PostgresError(
                .cluster,
                "the folder's name is too long for a socket: \(folder.path)",
                hint: "choose a shorter one with MIGRATE_STATE_DIR"
            )
        }
        let tools = try ClusterTools()
        try makeFolder()
        let lock = try FileLock(path: folder.path + ".lock")
        defer { lock.unlock() }
        if !exists { try create(tools) }
        guard !isRunning(tools) else { return }
        do {
            try tools.run("pg_ctl", ["start", "-D", data, "-l", log, "-w", "-t", "60", "-s"])
        } catch {
            // pg_ctl only says that it failed; the server's own log says why.
            let said = ClusterTools.lastLines(FileManager.default.contents(atPath: log) ?? Data())
            throw PostgresError(.cluster, "\(error.message); the end of \(log): \(said)")
        }
    }

    /// Runs one of PostgreSQL's client programs, such as psql or pgbench, against it.
    ///
    /// - Returns: what it printed.
    package func tool(_ program: String, _ arguments: [String]) throws(PostgresError) -> String {
        let connection = ["-h", socket, "-U", Self.user]
        return try ClusterTools().run(program, connection + arguments + [Self.database])
    }

    /// Stops it, if it runs; connections are cut, nothing committed is lost.
    package func stop() throws(PostgresError) {
        guard exists else { return }
        let tools = try ClusterTools()
        guard isRunning(tools) else { return }
        try tools.run("pg_ctl", ["stop", "-D", data, "-m", "fast", "-w", "-t", "60", "-s"])
    }

    package var isRunning: Bool {
        guard exists, let tools = try? ClusterTools() else { return false }
        return isRunning(tools)
    }

    /// The process ID of its first process, for those who want to hurt it.
    package var postmaster: Int32? {
        let text = try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8)
        return text?.split(whereSeparator: \.isNewline).first.flatMap { Int32($0) }
    }

    private func isRunning(_ tools: ClusterTools) -> Bool {
        (try? tools.run("pg_ctl", ["status", "-D", data])) != nil
    }

    private func makeFolder() throws(PostgresError) {
        let manager = FileManager.default
        do {
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            if let owner = ClusterTools.owner {
                try manager.setAttributes(
                    [.ownerAccountName: owner, .posixPermissions: 0o700],
                    ofItemAtPath: folder.path
                )
            }
        } catch {
            throw PostgresError(.cluster, "the folder \(folder.path) cannot be made: \(error.localizedDescription)")
        }
    }

    private func create(_ tools: ClusterTools) throws(PostgresError) {
        do {
            try tools.run(
                "initdb",
                ["-D", data, "-U", Self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "--data-checksums"]
            )
        } catch {
            throw PostgresError(
                .cluster,
                error.message,
                hint: ClusterTools.owner.map {
                    "the user \($0) must be able to reach \(folder.path); choose another folder with MIGRATE_STATE_DIR"
                }
            )
        }
        try tools.run("/bin/mkdir", ["-p", "-m", "700", socket])
        let settings = """
            listen_addresses = ''
            unix_socket_directories = '\(socket.replacingOccurrences(of: "'", with: "''"))'
            max_connections = 200
            log_min_messages = warning

            """
        try tools.run("/bin/sh", ["-c", "cat >> \"$1\" <<'END'\n\(settings)END", "sh", data + "/postgresql.conf"])
    }
}

/// An advisory lock on a file, held until it is unlocked or the process ends.
struct FileLock {
    private let descriptor: Int32

    init(path: String) throws(PostgresError) {
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            throw PostgresError(.cluster, "the file \(path) cannot be locked: \(String(cString: strerror(errno)))")
        }
    }

    func unlock() { close(descriptor) }
}
