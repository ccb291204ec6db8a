import Commands
import Foundation
import MigrationLog
import Postgres
import Synchronization

/// Everything that a demonstration starts: databases, services, gateways and workers, all real, in a folder of its own, on free ports of
/// the loopback interface, and all of it ended again.
final class Stage: Sendable {
    /// A program on the stage, and how it is started again.
    private struct Actor {
        var process: ChildProcess
        var path: String
        var arguments: [String]
    }

    let folder: URL
    let log: MigrationLog
    let conninfo: String
    private let cluster: PrivateCluster
    private let shop: PrivateCluster
    private let binaries: URL
    private let actors = Mutex<[String: Actor]>([:])

    /// - Parameter folder: must exist and be reachable for the database's user; everything goes below it.
    init(folder: URL) {
        self.folder = folder
        binaries = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        cluster = PrivateCluster(folder: folder.appendingPathComponent("log"))
        shop = PrivateCluster(folder: folder.appendingPathComponent("shop"))
        conninfo = cluster.conninfo
        log = MigrationLog(pool: PostgresPool(cluster.conninfo, name: "demonstration", limit: 4))
    }

    /// The recommendation services' own database, which is not the log's.
    var shopConninfo: String { shop.conninfo }

    /// The folder of the log's database's socket.
    var socket: String { cluster.socket }

    func startDatabases() async throws {
        try shop.start()
        try await startLog()
    }

    /// The log's cluster alone.
    func startLog() async throws {
        try cluster.start()
        _ = try await SchemaInstaller(pool: log.pool).install()
    }

    /// Starts a program of this project under a name.
    func start(_ name: String, _ program: String, _ arguments: [String]) throws {
        try start(peer: name, binaries.appendingPathComponent(program).path, arguments)
    }

    /// Starts a program that somebody else wrote under a name.
    func start(peer name: String, _ path: String, _ arguments: [String]) throws {
        let process = try ChildProcess(path, arguments, output: output(name))
        actors.withLock { $0[name] = Actor(process: process, path: path, arguments: arguments) }
        writePIDs()
    }

    /// Says how a program ended that should still run.
    ///
    /// - Throws: its exit code and the last that it printed.
    func requireRunning(_ name: String) throws {
        guard let actor = actors.withLock({ $0[name] }), let code = actor.process.poll() else { return }
        throw StageError("\(name) ended with \(code): \(printed(name).suffix(500))")
    }

    /// The process of a program on the stage; nil when it was not started.
    func pid(of name: String) -> Int32? { actors.withLock { $0[name]?.process.pid } }

    /// Runs `migrate` to its end.
    ///
    /// - Returns: the most memory that it had at once, in bytes.
    func memory(of arguments: [String]) async throws -> Int {
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = conninfo
        let path = binaries.appendingPathComponent("migrate").path
        let process = try ChildProcess(path, arguments, environment: environment, output: "/dev/null")
        var most = 0
        var code = process.poll()
        do {
            while code == nil {
                let held = ResidentMemory.most(of: process.pid)
                if held > 0 { most = held }
                try await Task.sleep(for: .milliseconds(10))
                code = process.poll()
            }
        } catch {
            process.signal(SIGTERM)
            _ = process.wait()
            throw error
        }
        guard code == 0 else {
            throw StageError("migrate \(arguments.joined(separator: " ")) ended with \(code ?? -1)")
        }
        return most
    }

    /// Runs the command line to its end.
    ///
    /// - Throws: what it printed, when its exit code is another.
    @discardableResult
    func migrate(_ arguments: [String], expecting code: Int32 = 0) throws -> String {
        let file = folder.appendingPathComponent("command-\(UUID().uuidString).log").path
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = conninfo
        let process = try ChildProcess(
            binaries.appendingPathComponent("migrate").path,
            arguments,
            environment: environment,
            output: file
        )
        let ended = process.wait()
        let text = String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
        try? FileManager.default.removeItem(atPath: file)
        guard ended == code else {
            throw StageError("migrate \(arguments.joined(separator: " ")) ended with \(ended): \(text)")
        }
        return text
    }

    /// Runs one of PostgreSQL's own programs against the log.
    ///
    /// - Returns: what it printed.
    @discardableResult
    func tool(_ program: String, _ arguments: [String]) throws -> String { try cluster.tool(program, arguments) }

    /// Runs a statement as the log's owner.
    func sql(_ statement: String) throws { try tool("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-c", statement]) }

    /// Ends a program, hard or softly, and waits for its end.
    func end(_ name: String, signal: Int32 = SIGTERM) {
        guard let actor = actors.withLock({ $0[name] }) else { return }
        actor.process.signal(signal)
        actor.process.wait()
    }

    /// Ends a program with SIGKILL and starts it again as it was.
    func killAndRestart(_ name: String) throws {
        guard let actor = actors.withLock({ $0[name] }) else { return }
        end(name, signal: SIGKILL)
        let process = try ChildProcess(actor.path, actor.arguments, output: output(name))
        actors.withLock { $0[name]?.process = process }
        writePIDs()
    }

    /// Ends the log's first process with SIGKILL and starts the cluster again; what was committed is recovered from its disk.
    func killDatabaseAndRestart() async throws {
        guard let postmaster = cluster.postmaster else { throw StageError("the log's cluster does not run") }
        kill(postmaster, SIGKILL)
        try await wait("the log's cluster to be gone", seconds: 30) { kill(postmaster, 0) != 0 }
        let cluster = cluster
        // Its children see that it is gone and leave shortly after.
        try await wait("the log's cluster to start again", seconds: 60) { (try? cluster.start()) != nil }
    }

    func has(_ name: String) -> Bool { actors.withLock { $0[name] != nil } }

    /// Ends the programs whose names begin so.
    func endAll(prefix: String = "") {
        let names = actors.withLock { $0.keys.filter { $0.hasPrefix(prefix) } }
        for name in names { actors.withLock { $0[name] }?.process.signal(SIGTERM) }
        for name in names {
            guard let actor = actors.withLock({ $0[name] }) else { continue }
            let end = ContinuousClock.now + .seconds(5)
            while actor.process.poll() == nil, ContinuousClock.now < end { usleep(10_000) }
            if actor.process.poll() == nil {
                actor.process.signal(SIGKILL)
                actor.process.wait()
            }
            actors.withLock { $0[name] = nil }
        }
        writePIDs()
    }

    /// Ends everything; errors on the way are nobody's concern any more.
    func close() {
        endAll()
        try? cluster.stop()
        try? shop.stop()
    }

    /// What a program has printed.
    func printed(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: output(name)) ?? Data(), as: UTF8.self)
    }

    private func output(_ name: String) -> String { folder.appendingPathComponent("\(name).log").path }

    /// For `tools/demo`, which ends whatever is left when this program itself is killed.
    private func writePIDs() {
        let pids = actors.withLock { $0.values.map { "\($0.process.pid)" } }.sorted().joined(separator: "\n")
        try? Data((pids + "\n").utf8).write(to: folder.appendingPathComponent("pids"))
    }
}

/// What went wrong on the stage.
struct StageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Waits for a condition, with a bound.
func wait(_ what: String, seconds: Int, _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw StageError("waited \(seconds) s in vain for \(what)") }
        try await Task.sleep(for: .milliseconds(50))
    }
}
