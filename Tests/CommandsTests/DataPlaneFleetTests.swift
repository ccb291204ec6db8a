import Foundation
import MigrationCore
import Postgres
import TestSupport
import Testing

/// Several routers of one environment, by the programs that people run.
@Suite("A fleet of data planes", .serialized, .database)
struct DataPlaneFleetTests {
    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    private func phase() throws -> String {
        let text = try run("status", "fleet", "--format", "json").text
        return text.firstMatch(of: /"phase" : "([a-zA-Z]+)"/).map { String($0.1) } ?? ""
    }

    private static func text(_ legacy: Int, _ candidate: Int) -> String {
        """
        migration: fleet
        services:
          a: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 2s }
        sticky_by: [header:x-user-id]
        window: 500ms
        stages:
          - { name: p, environment: p, steps: [50%, 100%], bake: 1s, approval: { before: 100%, by: 1 } }
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 1s]
        watch: 1s
        expires: 1d
        routers: { away: 6s, then: evict }

        """
    }

    @Test(
        "two gateways and a HAProxy: a step waits for all of them, one that is away is named and evicted, and one that comes back is brought up before it is counted"
    )
    func fleet() async throws {
        let legacy = try await TestUpstream(.answers("legacy")),
            candidate = try await TestUpstream(.answers("candidate"))
        let plan = try Program.file(Self.text(legacy.port, candidate.port), "fleet.yaml")
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().path
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
        let ports = try [freePort(), freePort(), freePort(), freePort()]
        func migrate(_ arguments: [String]) throws -> ChildProcess {
            try ChildProcess(Program.path("migrate"), arguments, environment: environment, output: folder + "/output")
        }
        func gateway(_ name: String, _ port: Int) throws -> ChildProcess {
            try migrate([
                "gateway", "--migration", "fleet", "--environment", "p", "--name", name, "--listen",
                "127.0.0.1:\(port)",
                "--state", "\(folder)/\(name).json",
            ])
        }
        let configured = try run(
            "route",
            "config",
            "haproxy",
            plan,
            "--environment",
            "p",
            "--listen",
            "127.0.0.1:\(ports[2])",
            "--folder",
            folder + "/h",
            "--log-port",
            "\(ports[3])"
        )
        #expect(configured.code == 0)
        var processes = [
            try gateway("g1", ports[0]), try gateway("g2", ports[1]),
            try ChildProcess(
                "/usr/sbin/haproxy",
                ["-db", "-f", folder + "/h/haproxy.cfg"],
                output: folder + "/output"
            ),
            try migrate([
                "haproxy", "--migration", "fleet", "--environment", "p", "--folder", folder + "/h", "--log-port",
                "\(ports[3])",
            ]),
            try migrate(["worker", "--name", "w"]),
        ]
        let result: Result<Void, any Error>
        do {
            result = .success(try await play(ports, candidate, &processes) { try gateway("g2", ports[1]) })
        } catch {
            let said = String(
                decoding: FileManager.default.contents(atPath: folder + "/output") ?? Data(),
                as: UTF8.self
            )
            result = .failure(TestFailure("\(error)\n\(said.suffix(3_000))"))
        }
        for process in processes.reversed() { process.signal(SIGTERM) }
        try await offThread { [processes] in for process in processes { process.wait() } }
        await legacy.close()
        await candidate.close()
        try result.get()
    }

    private func play(
        _ ports: [Int],
        _ candidate: TestUpstream,
        _ processes: inout [ChildProcess],
        _ again: () throws -> ChildProcess
    ) async throws {
        func routers() throws -> String { try run("route", "show", "fleet").text }
        try await eventually(within: 30, "three routers") {
            let text = try routers()
            return ["g1", "g2", "haproxy-p"].allSatisfy { text.contains($0) } && !text.contains("not waited for")
        }
        let loads = [SteadyLoad(), SteadyLoad(), SteadyLoad()]
        let urls = ports.prefix(3).map { "http://127.0.0.1:\($0)" }
        processes[1].signal(SIGKILL)
        let killed = processes[1]
        _ = try await offThread { killed.wait() }
        try await loads[0].keepUp(urls[0]) {
            try await loads[2].keepUp(urls[2]) {
                #expect(try run("start", "fleet").code == 0)
                try await eventually(within: 30, "the one that is away to be named") {
                    let drift = try run("route", "drift", "fleet", "--silent-for", "2s")
                    return drift.code == 1 && drift.text.contains("g2")
                }
                // It is waited for: nothing is baking as long as it has not said that it has the step.
                #expect(try !run("history", "fleet").text.contains("retire g2"))
                try await eventually("it to be evicted, and the step to go on without it") {
                    try run("history", "fleet").text.contains("the plan evicts it")
                        && run("status", "fleet").text.contains("approv")
                }
                // It comes back with what it had before: it is brought up before it counts.
                processes[1] = try again()
                try await eventually(within: 30, "it to have what is asked") {
                    let text = try routers()
                    return text.firstMatch(of: /g2 +revision [0-9]/) != nil && !text.contains("NOT what is asked")
                }
                try await loads[1].keepUp(urls[1]) {
                    let approved = try run("approve", "fleet", "--stage", "p", "--step", "100%", "--actor", "ana")
                    #expect(approved.code == 0, "\(approved.text)")
                    try await eventually("the migration to complete") { try phase() == "completed" }
                }
            }
        }
        for load in loads { #expect(load.failed == 0) }
        #expect(try run("replay", "fleet").code == 0)
    }
}
