import MigrationCore
import Randomness

/// People who start a migration, approve and report in their time, and otherwise let it go its way.
struct Script: Crew {
    let people: Scenario.People

    func nextGlance(_ random: inout SplitMix) -> TimeSpan { .seconds(20) }
    func next(after migration: Migration, _ random: inout SplitMix) -> Plan? { nil }

    func result(of check: Check, _ isFair: Bool, _ random: inout SplitMix) -> (isPassed: Bool, after: TimeSpan)? {
        people.checkAfter.map { (people.checksPass, $0) }
    }

    func act(
        on migration: Migration,
        absent: [String],
        at: Timestamp,
        isFair: Bool,
        _ random: inout SplitMix
    ) -> [PersonsCommand] {
        switch migration.phase {
        case .planned:
            let first = Position(stage: 0, step: 0)
            let commands =
                at - migration.plannedAt >= people.approveAfter ?? .zero ? approvals(of: first, migration) : []
            // The first window of a router that has just begun is not whole.
            let isReady = migration.plan.environments.allSatisfy { !migration.routers(in: $0).isEmpty }
            return commands + (isReady ? [PersonsCommand(command: .start(reason: nil), actor: "ana")] : [])
        case .running(let step):
            switch step.progress {
            case .awaitingApproval(_, _, let since):
                guard let after = people.approveAfter, at - since >= after,
                    let next = migration.plan.next(after: step.position)
                else { return [] }
                return approvals(of: next, migration)
            case .checking(_, _, let since):
                guard let after = people.checkAfter, at - since >= after else { return [] }
                return reports(of: step, migration)
            case .recording, .shifting, .baking: return []
            }
        case .halted, .watching, .rollingBack, .rolledBack, .completed, .abandoned: return []
        }
    }

    private func approvals(of position: Position, _ migration: Migration) -> [PersonsCommand] {
        guard people.approveAfter != nil, let approval = migration.plan.approval(before: position) else { return [] }
        let command = Command.approve(
            stage: migration.plan.stage(at: position).name,
            step: migration.plan.weight(at: position),
            reason: nil
        )
        let named = approval.of ?? (1...max(1, approval.by)).map { "person-\($0)" }
        let given = migration.approvals(of: position)
        return named.filter { !given.contains($0) }.prefix(max(0, approval.by - given.count)).map {
            PersonsCommand(command: command, actor: $0)
        }
    }

    private func reports(of step: Step, _ migration: Migration) -> [PersonsCommand] {
        migration.plan.stage(at: step.position).checks.compactMap { check in
            guard migration.plan.checks[check].how == .reported,
                !migration.checks.contains(where: { $0.check == check })
            else { return nil }
            let name = migration.plan.checks[check].name
            return PersonsCommand(
                command: .reportCheck(check: name, isPassed: people.checksPass, detail: "rehearsed"),
                actor: "ana"
            )
        }
    }
}
