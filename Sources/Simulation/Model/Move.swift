import MigrationCore

/// One thing that happens.
///
/// One worker does its work at once; the other may be held up at any point, so that every order of the two is tried. A worker that dies
/// is one that forgets what it was about: since it keeps nothing that the log does not have, it is the same as one that is held up for ever.
enum Move: Hashable, Sendable {
    case timePasses
    /// The quick worker reads, decides and appends; a window that it seals was of this quality.
    case work(quality: Quality)
    /// The slow worker reads the log and decides.
    case look(quality: Quality)
    /// A person whose line is slow, in its place, gives a command.
    case draft(Person)
    /// What becomes of its decision.
    case append(Outcome)
    /// The slow worker does not know what became of its commit, and finds out.
    case resolve
    /// The lease runs out, and the other worker takes it.
    case leaseMoves
    /// A route reaches a router.
    case deliver(table: Int, router: Int)
    case restart(router: Int)
    case report(router: Int)
    case person(Person)
    case loseTail

    enum Outcome: Int, Hashable, Sendable, CaseIterable {
        case heard
        /// It is in the log, and the worker does not hear so.
        case unheard
        /// It is not in the log, and the worker does not hear so.
        case lost
    }
}

/// A person's command.
struct Person: Hashable, Sendable {
    var command: Command
    var name: String
}

extension Person {
    /// A command that does the same thing twice when it is carried out twice.
    static let repeatable = Person(
        command: .setWeight(weight: SmallWorld.half, service: nil, environment: nil, reason: "w"),
        name: "ben"
    )

    /// Whatever anybody might try, whether it is allowed or not.
    static func all(_ migration: Migration) -> [Person] {
        let plan = migration.plan
        var commands: [Command] = [
            .start(reason: nil), .halt(reason: "h"), .resume(reason: "r"), .rollBack(reason: "b"),
            .setWeight(weight: SmallWorld.half, service: nil, environment: nil, reason: "w"),
            .setFlag(service: "a", enabled: false, reason: "f"), .setFlag(service: "a", enabled: true, reason: "f"),
            .abandon(reason: "a"), .restart(reason: "r"), .declareRewound(reason: "n"),
        ]
        if plan.services.count > 1 { commands.append(.rollBack(reason: "b", services: ["b"])) }
        if let step = migration.phase.step?.position {
            commands.append(.skip(stage: plan.stage(at: step).name, step: plan.weight(at: step), reason: "s"))
        }
        for check in plan.checks {
            commands.append(.reportCheck(check: check.name, isPassed: true, detail: ""))
            commands.append(.reportCheck(check: check.name, isPassed: false, detail: ""))
        }
        var people = commands.map { Person(command: $0, name: "ana") }
        people.append(Person(command: .rollBack(reason: "b"), name: "worker:w"))
        for stage in plan.stages {
            for approval in stage.approvals {
                let command = Command.approve(stage: stage.name, step: approval.before, reason: nil)
                people += ["ana", "ben", "eve"].map { Person(command: command, name: $0) }
            }
        }
        return people
    }
}
