import MigrationCore

extension World {
    /// A migration that has just been started, whose routers are registered and have been told nothing.
    init(_ small: SmallWorld) throws(Violation) {
        let environments = small.plan.environments
        log = .initial
        routers = environments.flatMap { environment in
            (1...max(1, small.routers)).map { ModelRouter(name: "\(environment)\($0)", environment: environment) }
        }
        left = small.limits
        var commands: [(Command, String)] = [(.plan(plan: small.plan, hash: "plan"), "ana")]
        commands += routers.map { (.registerRouter(router: $0.name, environment: $0.environment), ModelWorker.quick) }
        commands.append((.start(reason: nil), "ana"))
        for (command, actor) in commands {
            guard let events = try? log.decideRecorded(command, by: actor, at: now) else {
                throw Violation(invariant: 1, message: "the beginning is refused: \(command)")
            }
            let before = self
            try append(command, events, by: actor, at: now, nil)
            try checkCommit(after: before, quality: nil, nil)
        }
    }
}
