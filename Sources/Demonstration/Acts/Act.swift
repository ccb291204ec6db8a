import Commands
import Foundation
import MigrationCore
import MigrationLog
import Routing

/// One migration on the stage, from its plan to its end, told live.
struct Act: Sendable {
    let stage: Stage
    let plan: Plan
    let doors: [Cast.Door]
    let record: LoadRecord

    /// Gives a command, again if the database is just being killed.
    func call(_ arguments: [String]) async throws {
        try await wait("migrate \(arguments.joined(separator: " "))", seconds: 30) {
            (try? stage.migrate(arguments)) != nil
        }
    }

    /// Follows the migration until it is over.
    ///
    /// - Parameters:
    ///   - seconds: the bound.
    ///   - onStep: called once when a step is acknowledged.
    func follow(seconds: Int, onStep: (Position) async throws -> Void) async throws -> Migration {
        let end = ContinuousClock.now + .seconds(seconds)
        var stream: MigrationLog.Stream?
        var told: Int64 = 0
        var reached: Position?
        var lastTotal = record.total
        while ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
            // The database may be on its way back: then the next look sees more.
            guard let next = try? await stage.log.load(plan.name, from: stream), let migration = next.state.migration
            else { continue }
            stream = next
            if let k = migration.judgement?.k, k > told {
                told = k
                tell(migration, rate: Double(record.total - lastTotal) / Double(plan.window.rawValue) * 1_000_000)
                lastTotal = record.total
            }
            if migration.phase.isOver { return migration }
            guard case .running(let step) = migration.phase else { continue }
            if step.bake != nil, step.position != reached {
                reached = step.position
                try await onStep(step.position)
            }
            try approve(step, migration)
        }
        throw StageError(
            "\(plan.name) was not over after \(seconds) s: \(stream?.state.migration.map { "\($0.phase)" } ?? "no state")"
        )
    }

    private func approve(_ step: Step, _ migration: Migration) throws {
        guard case .awaitingApproval = step.progress, let next = plan.next(after: step.position) else { return }
        let given = migration.approvals(of: next)
        guard let person = ["ops-1", "ops-2", "ops-3"].first(where: { !given.contains($0) }) else { return }
        let weight = Decimals.text(plan.weight(at: next).rawValue, scale: 100) + "%"
        let output = try? stage.migrate([
            "approve", plan.name, "--stage", plan.stage(at: next).name, "--step", weight, "--actor", person,
        ])
        if output != nil { Output.line("          \(person) approves \(plan.stage(at: next).name) \(weight)") }
    }

    /// One line a window: where it stands, what was asked, acknowledged and observed, what was judged.
    private func tell(_ migration: Migration, rate: Double) {
        let position = migration.phase.step?.position ?? migration.steps.last?.position ?? Position(stage: 0, step: 0)
        let environment = plan.stage(at: position).environment
        let traffic = migration.traffic(in: environment)
        let routers = migration.routers(in: environment)
        let acknowledged = routers.count { ($0.revision ?? 0) >= (traffic?.revision ?? 0) }
        let shares = migration.judgement?.observed.first { $0.environment == environment }?.shares ?? []
        let observed = Measurement(value: shares.map(\.value).reduce(0, +), of: shares.map(\.of).reduce(0, +))
        let verdicts = zip(plan.criteria(at: position.stage), migration.judgement?.criteria ?? []).map {
            criterion,
            judged in
            let metric = criterion.condition.metric
            return "\(metric.name) \(Narrator.value(judged.candidate, metric)) \(Self.mark(judged.verdict))"
        }
        let phase = pad(migration.phase.name, 11)
        let asked = pad("asked \(traffic?.effective.first ?? .zero)", 12)
        let seen = pad("observed \(observed.of > 0 ? Narrator.value(observed, .errorRate) : "nothing")", 18)
        Output.line(
            "  \(LocalTime.clock(Timestamp(rawValue: plan.clock.end(of: migration.judgement?.k ?? 0).rawValue)))  \(phase) "
                + "\(pad("\(plan.stage(at: position).name)", 12)) \(asked) acknowledged \(acknowledged)/\(routers.count)  \(seen) "
                + "\(Int(rate)) req/s  \(verdicts.joined(separator: "  "))"
        )
    }

    private static func mark(_ verdict: Verdict) -> String {
        switch verdict {
        case .pass: "✓"
        case .missing, .error: "?"
        case .breach, .gray: "✗"
        }
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
