import Foundation
import MigrationCore
import Postgres
import TestSupport
import Testing

/// The programs that people run, while one database server takes another's place.
@Suite("Programs through a failover")
struct FailoverProgramTests {
    private static func text(_ legacy: Int, _ candidate: Int) -> String {
        """
        migration: failover
        services:
          a: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 2s }
        sticky_by: [header:x-user-id]
        window: 500ms
        stages:
          - { name: p, environment: p, steps: [50%], bake: 10m }
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 1s]
        watch: 1s
        expires: 1d

        """
    }

    @Test(
        "a worker and a gateway go on by themselves when the standby takes over: users are served meanwhile, windows are judged again, and a rollback reaches the traffic"
    )
    func failover() async throws {
        let pair = try await offThread { try TestPair(isSynchronous: true) }
        defer { pair.stop() }
        try await eventually("the standby to stream") { try await offThread { try pair.isStreaming() } }
        let legacy = try await TestUpstream(.answers("legacy"))
        let candidate = try await TestUpstream(.answers("candidate"))
        let plan = try Program.file(Self.text(legacy.port, candidate.port), "failover.yaml")
        let output = URL(fileURLWithPath: plan).deletingLastPathComponent().appendingPathComponent("output").path
        func run(_ arguments: String...) throws -> Program.Result {
            try Program.run(arguments, database: pair.conninfo)
        }
        func start(_ arguments: String...) throws -> ChildProcess {
            var environment = ProcessInfo.processInfo.environment
            environment["MIGRATE_DATABASE_URL"] = pair.conninfo
            return try ChildProcess(Program.path("migrate"), arguments, environment: environment, output: output)
        }
        func history() throws -> [Substring] { try run("history", "failover").text.split(separator: "\n") }
        func status() throws -> String { try run("status", "failover", "--format", "json").text }
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        let port = try freePort()
        let url = "http://127.0.0.1:\(port)"
        let processes = [
            try start("worker", "--name", "w"),
            try start(
                "gateway",
                "--migration",
                "failover",
                "--environment",
                "p",
                "--listen",
                "127.0.0.1:\(port)",
                "--state",
                output + ".json"
            ),
        ]
        let result: Result<Void, any Error>
        do {
            try await eventually(within: 30, "the gateway to be registered") {
                try run("route", "show", "failover").text.contains("revision")
            }
            #expect(try run("start", "failover").code == 0)
            let load = SteadyLoad(clients: 2)
            try await load.keepUp(url) {
                try await eventually("windows to be judged") { try status().contains("\"verdict\"") }
                try await eventually("requests to the candidate") { candidate.requests > 20 }
                try await pair.loseThePrimary()
                let answered = load.answered
                try await eventually("users to be served without a database") { load.answered > answered + 20 }
                try await offThread { try pair.promote() }
                let begun = ContinuousClock.now
                // What the lost one had said is on its standby.
                let before = try history().count
                try await eventually(within: 60, "a window to be judged") { try history().count > before }
                print("after a failover a worker judged again within", ContinuousClock.now - begun)
                #expect(try run("rollback", "failover", "--actor", "ana", "--reason", "test").code == 0)
                try await eventually(within: 60, "the rollback to be confirmed") {
                    try status().contains("\"rolledBack\"")
                }
                try await candidate.catchUp()
                let sent = candidate.requests, then = load.answered
                try await eventually("more requests") { load.answered > then + 40 }
                #expect(candidate.requests == sent)
            }
            #expect(load.failed == 0)
            result = .success(())
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(3_000))"))
        }
        for process in processes { process.signal(SIGTERM) }
        try await offThread { for process in processes { process.wait() } }
        await legacy.close()
        await candidate.close()
        try result.get()
        let replayed = try run("replay", "--all")
        #expect(replayed.code == 0, "\(replayed.text)")
    }
}
