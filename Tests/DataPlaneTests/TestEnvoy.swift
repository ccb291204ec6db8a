import AsyncHTTPClient
import DataPlanes
import Foundation
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import Postgres
import TestSupport

/// A real Envoy with the configuration that is made for a plan, in a folder of its own.
final class TestEnvoy: TestPlane {
    let plan: Plan
    let folder: EnvoyFolder
    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }
    /// Who gives it its routes; nil where it sees the file.
    let discovery: EnvoyDiscovery?
    var plane: any DataPlane { EnvoyPlane(folder: folder, discovery: discovery) }
    var adapter: EnvoyAdapter { EnvoyAdapter(router: "e", plan: plan, folder: folder, discovery: discovery) }

    /// Prepares the folder; nothing runs yet.
    ///
    /// - Parameter asks: whether it asks for its routes, and has its administration at a port.
    init(_ plan: Plan, asks: Bool = false, trust: URL = PlaneTrust.system) async throws {
        self.plan = plan
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("envoy-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = EnvoyFolder(path.path, admin: asks ? Address(host: "127.0.0.1", port: try freePort()) : nil)
        port = try freePort()
        let discovery = asks ? Address(host: "127.0.0.1", port: try freePort()) : nil
        let configuration = try EnvoyConfiguration(
            plan: plan,
            host: "127.0.0.1",
            port: port,
            folder: folder,
            discovery: discovery,
            trust: trust
        )
        for file in try configuration.files() { try file.write() }
        var logger = Logger(label: "discovery")
        logger.logLevel = .critical
        self.discovery = try discovery.map { [folder] in
            try EnvoyDiscovery(folder: folder, listen: $0, logger: logger)
        }
    }

    /// Has it told its routes while the body runs.
    func discovered<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        guard let discovery else { throw TestFailure("this one does not ask") }
        return try await running(discovery, body: body)
    }

    private var output: String { folder.url.appendingPathComponent("envoy.log").path }

    private var arguments: [String] { ["-c", folder.configuration.path] + limits }
    private var limits: [String] { ["--concurrency", "2", "--log-level", "warning"] }

    private func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(TestPeers.envoy(), self.arguments + arguments, output: output)
    }

    /// Runs an Envoy that is started by the program for that while the body runs.
    func runAnew<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let command = ["ENVOY=\(try TestPeers.envoy())", folder.start.path] + limits + ["--disable-hot-restart"]
        return try await run(try ChildProcess("/usr/bin/env", command, output: output), SIGKILL, serves: true, body)
    }

    /// Whether Envoy itself takes the configuration.
    func check() throws -> Int32 { try start(["--mode", "validate"]).wait() }

    /// Runs an Envoy while the body runs.
    ///
    /// - Parameter serves: whether it has to serve somebody before that.
    func run<R: Sendable>(serves: Bool = true, _ body: () async throws -> R) async throws -> R {
        // Without hot restarts, with which it would end with the thread that started it (PR_SET_PDEATHSIG).
        try await run(try start(["--disable-hot-restart"]), SIGKILL, serves: serves, body)
    }

    /// Runs an Envoy that can be restarted hot: the next one takes its sockets, and it goes on for the clients that it has.
    func runRestartable<R: Sendable>(_ body: (_ restart: () async throws -> Void) async throws -> R) async throws -> R {
        // A shell is the parent of both, as a supervisor would be.
        let script = """
            start() { "$@" --base-id \(port) --parent-shutdown-time-s 600 & all="$all $!"; }
            trap 'start "$@" --restart-epoch 1' USR1
            trap 'kill -9 $all; wait; exit' TERM
            start "$@" --restart-epoch 0
            while kill -0 $!; do wait $!; done
            """
        let shell = try ChildProcess("/bin/sh", ["-c", script, "sh", TestPeers.envoy()] + arguments, output: output)
        return try await run(shell, SIGTERM, serves: true) {
            try await body {
                shell.signal(SIGUSR1)
                let uri = "/stats?filter=hot_restart_epoch"
                var question = HTTPClientRequest(
                    url: URL(httpURLWithSocketPath: folder.admin.path, uri: uri)?.absoluteString ?? ""
                )
                question.headers.add(name: "host", value: "admin")
                // Or the first one would go on answering.
                question.headers.add(name: "connection", value: "close")
                try await eventually("the next Envoy") {
                    guard let answer = try? await HTTPClient.shared.execute(question, timeout: .seconds(2)) else {
                        return false
                    }
                    return String(buffer: try await answer.body.collect(upTo: 10_000)).contains("epoch: 1")
                }
            }
        }
    }

    private func run<R: Sendable>(
        _ process: ChildProcess,
        _ end: Int32,
        serves: Bool,
        _ body: () async throws -> R
    ) async throws -> R {
        let result: Result<R, any Error>
        do {
            if serves {
                let adapter = adapter
                try await eventually("Envoy to answer") { (try? await adapter.read()) != nil }
            }
            result = .success(try await body())
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        process.signal(end)
        _ = try await offThread { process.wait() }
        try? FileManager.default.removeItem(at: folder.admin)
        return try result.get()
    }

    /// How often it has taken routes, and how often it has refused them.
    func updates() async throws -> (taken: Int, refused: Int) {
        let address = folder.elsewhere?.url ?? ""
        let answer = try await HTTPClient.shared.get(
            url: "\(address)/stats?filter=rds.migrate.update_(success|rejected)"
        ).get()
        let text = answer.body.map { String(buffer: $0) } ?? ""
        func count(_ name: String) -> Int {
            let line = text.split(separator: "\n").first { $0.contains(".update_\(name): ") }
            return line.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
        }
        return (count("success"), count("rejected"))
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
