import ArgumentParser
import Commands
import Foundation
import MigrationCore
import MigrationLog

struct Acts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Act 1: a migration to its end. Act 2: one that fails, and is rolled back. Then both are replayed."
    )
    @OptionGroup var options: StageOptions
    @Option(help: "The plan.") var plan = "examples/recommendations.yaml"
    @Option(help: "How many times faster than the plan.") var speed: Int64 = 8_640
    @Option(help: "Kills each of worker, gateway and database so often with SIGKILL, at random moments.") var kills = 0

    /// What is left on the stage when an act is over, with the load still on.
    private struct Ending: Sendable {
        var migration: Migration
        var doors: [DoorState]
        /// Requests that arrived at the candidate after the end, in two seconds or more.
        var arrivedAfterwards: Int
    }

    func run() async throws {
        try await Interruption.play(in: options.folder) { stage in try await play(on: stage) }
    }

    private func play(on stage: Stage) async throws {
        Output.line(
            "Starting two PostgreSQL clusters, the legacy and the candidate service, a stub of a language model, and two workers …"
        )
        try await stage.startDatabases()
        let cast = try await Cast.start(stage, users: options.users, hasModel: true)
        for name in ["worker-1", "worker-2"] {
            try stage.start(name, "migrate", ["worker", "--name", name, "--lease", "2s", "--database", stage.conninfo])
        }
        let record = LoadRecord()
        let load = LoadGenerator(rate: options.rate, users: options.users, record: record, issuer: cast.issuer)
        Output.line("Warming the candidate's cache for \(options.users) users …")
        try await load.warm(cast.candidate)

        var summary = Summary()
        let first = try await act(1, "recommendations", stage, cast, load) { _ in false }
        summary.head("Act 1: \(first.migration.plan.name) is \(first.migration.phase.name)")
        summary.steps(first.migration, record, users: options.users)
        summary.claim("the migration is completed", first.migration.phase == .completed)
        summary.claim("users that moved back while the weight rose: \(record.movedBack)", record.movedBack == 0)
        stage.endAll(prefix: "gateway-")

        record.begins()
        let second = try await act(2, "recommendations-2", stage, cast, load) { position in
            guard position == Position(stage: 2, step: 1) else { return false }
            Output.line("          the candidate now fails 8 % of its requests")
            record.falls()
            try await cast.setFaults(permille: 80)
            return true
        }
        summary.head("Act 2: \(second.migration.plan.name) is \(second.migration.phase.name)")
        summary.steps(second.migration, record, users: options.users)
        try conclude(second, record, stage, &summary)
        try summary.finish()
    }

    private func act(
        _ number: Int,
        _ name: String,
        _ stage: Stage,
        _ cast: Cast,
        _ load: LoadGenerator,
        onStep: @escaping @Sendable (Position) async throws -> Bool
    ) async throws -> Ending {
        let (plan, file) = try cast.plan(self.plan, name: name, speed: speed, in: stage.folder)
        Output.line("\nAct \(number): \(name), \(self.plan) at \(speed) times its speed")
        try stage.migrate(["create", file, "--actor", "ops-1"])
        let doors = try await Cast.open(plan, stage)
        let act = Act(stage: stage, plan: plan, doors: doors, record: load.record)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run(doors, environments: plan.environments) }
            try await act.call(["start", name, "--actor", "ops-1"])
            // Kills from the beginning; in an act whose candidate fails, the other half from that moment on.
            let cue = AsyncStream.makeStream(of: Void.self)
            let early = number == 1 ? kills / 2 : kills / 4
            let late = kills - kills / 2 - kills / 4
            async let earlyKills: Void = Chaos(stage: stage, doors: doors, each: early).run()
            async let lateKills: Void = Chaos(stage: stage, doors: doors, each: late).run(after: cue.stream)
            let migration = try await act.follow(seconds: 400 + kills * 60) { position in
                if try await onStep(position) { cue.continuation.yield() }
            }
            cue.continuation.finish()
            let before = try await cast.candidateRequests()
            try await earlyKills
            try await lateKills
            try await Task.sleep(for: .seconds(2))
            let after = try await cast.candidateRequests()
            var states: [DoorState] = []
            for door in doors {
                try await wait("\(door.name) to serve", seconds: 30) { await Cast.isUp(door.admin + "/health") }
                states.append(try await DoorState.of(door))
            }
            group.cancelAll()
            return Ending(migration: migration, doors: states, arrivedAfterwards: after - before)
        }
    }

    private func conclude(_ ending: Ending, _ record: LoadRecord, _ stage: Stage, _ summary: inout Summary) throws {
        let migration = ending.migration
        for rollback in migration.rollbacks { summary.ledger(rollback, migration) }
        if case .rolledBack(let rollback) = migration.phase {
            summary.claim(
                "the trigger on the error rate rolled it back",
                rollback.cause == .trigger(stage: 2, index: 0, service: nil)
            )
        } else {
            summary.claim("the migration is rolled back", false)
        }
        let sent = ending.doors.map(\.candidateRequestsSinceAcknowledgement).reduce(0, +)
        summary.claim("candidate requests sent after the acknowledgement of 0: \(sent)", sent == 0)
        summary.claim(
            "requests that arrived at the candidate in the 2 s after the end: \(ending.arrivedAfterwards)",
            ending.arrivedAfterwards == 0
        )
        summary.head("Both acts")
        let failures = record.failures
        if kills == 0 {
            summary.claim(
                "requests failed by switching: \(failures.count), of \(record.total) answers checked",
                failures.count == 0
            )
            for example in failures.examples { summary.note(example) }
        } else {
            summary.note("\(failures.count) of \(record.total) requests met a killed gateway")
        }
        summary.note(
            "\(record.serviceFailures) answers were failures of the services themselves (legacy's time limits, the candidate's 8 %)"
        )
        summary.claim(
            "the model's inventions that reached a user: \(record.invented); the guard's verdict “dropped” was in answers \(record.dropped) times",
            record.invented == 0 && record.dropped > 0
        )
        for name in ["recommendations", "recommendations-2"] {
            let output = try? stage.migrate(["replay", name])
            let verdict = output?.split(separator: "\n").last.map(String.init)
            summary.claim(verdict ?? "migrate replay \(name) diverges", verdict != nil)
        }
    }
}
