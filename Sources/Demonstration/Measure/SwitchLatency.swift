import ArgumentParser
import Commands
import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Signals

struct SwitchLatency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch",
        abstract:
            "Rolls back under load again and again: from the append to the last request sent to the candidate, beside a bare commit."
    )
    @OptionGroup var options: StageOptions
    @Option(help: "How many rollbacks.") var count = 100

    func run() async throws {
        try await Interruption.play(in: options.folder) { stage in try await measure(on: stage) }
    }

    private func measure(on stage: Stage) async throws {
        try await stage.startDatabases()
        let cast = try await Cast.start(stage, users: options.users)
        try stage.start(
            "worker-1",
            "migrate",
            ["worker", "--name", "worker-1", "--lease", "10s", "--database", stage.conninfo]
        )
        let name = "switch"
        let plan = """
            migration: \(name)
            services:
              getRecommendations: { legacy: "\(cast.legacy)", candidate: "\(cast.candidate)" }
            sticky_by: [header:x-user-id]
            window: 100ms
            stages: [{ name: production, environment: production, steps: [50%], bake: 1h }]
            criteria: [error_rate < 2%]
            rollback: [error_rate > 99% for 1h]
            watch: 1h
            expires: 10d
            """
        let file = stage.folder.appendingPathComponent("switch.yaml").path
        try Data(plan.utf8).write(to: URL(fileURLWithPath: file))
        try stage.migrate(["create", file])
        let ports = try FreePort.take(2)
        try stage.start(
            "gateway-1",
            "migrate",
            [
                "gateway", "--migration", name, "--environment", "production", "--listen", "127.0.0.1:\(ports[0])",
                "--admin",
                "127.0.0.1:\(ports[1])", "--state", stage.folder.appendingPathComponent("gateway-1.json").path,
                "--database", stage.conninfo,
            ]
        )
        let door = Cast.Door(
            name: "gateway-1",
            environment: "production",
            url: "http://127.0.0.1:\(ports[0])",
            admin: "http://127.0.0.1:\(ports[1])"
        )
        try await wait("the gateway", seconds: 30) { await Cast.isUp(door.admin + "/health") }
        let load = LoadGenerator(rate: options.rate, users: options.users, record: LoadRecord(), issuer: cast.issuer)
        try stage.migrate(["start", name])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run([door], environments: ["production"]) }
            try await report(stage, door, name)
            group.cancelAll()
        }
    }

    private func report(_ stage: Stage, _ door: Cast.Door, _ name: String) async throws {
        var switches: [Int64] = [], bare: [Int64] = []
        let floor = try await BareCommit(stage)
        for index in 0..<count {
            try await wait("the candidate's traffic", seconds: 30) {
                let state = try await stage.log.load(name).state.migration
                return state?.phase.step?.bake != nil
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...150)))
            guard
                let performed = try await stage.log.perform(
                    .rollBack(reason: "measured"),
                    on: name,
                    by: "bench"
                )
            else {
                continue
            }
            let revision = performed.commit.version
            try await wait("the acknowledgement", seconds: 30) {
                (try await stage.log.reports(of: name).first?.revision ?? 0) >= revision
            }
            // The append's own clock, read before its commit: the same machine's as the gateway's.
            guard let row = try await stage.log.rows(name, after: revision - 1).first else { continue }
            switches.append(max(0, try await DoorState.of(door).lastCandidateAt - row.at.rawValue))
            bare.append(try await floor.time())
            try await wait("the rollback to be confirmed", seconds: 30) {
                if case .rolledBack? = try await stage.log.load(name).state.migration?.phase { return true }
                return false
            }
            if index + 1 < count {
                _ = try await stage.log.perform(.restart(reason: "measured"), on: name, by: "bench")
            }
        }
        await floor.close()
        tell("rollback: append to the last candidate request sent", switches)
        tell("bare: insert, commit and NOTIFY to the listener", bare)
        let ratio = Double(Quantile.of(switches, 99)) / Double(max(1, Quantile.of(bare, 99)))
        Output.line("p99 ratio \(Decimals.text(Int(ratio * 100), scale: 100)) (goal ≤ 3)")
    }

    private func tell(_ what: String, _ micros: [Int64]) {
        Output.line("\(what): p50 \(Self.text(micros, 50)), p99 \(Self.text(micros, 99)), n \(micros.count)")
    }

    private static func text(_ micros: [Int64], _ percent: Int) -> String {
        Decimals.text(Int(Quantile.of(micros, percent) / 10), scale: 100) + " ms"
    }
}
