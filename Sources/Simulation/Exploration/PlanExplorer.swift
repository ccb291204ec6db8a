package import MigrationCore

/// Looks at everything that a plan can come to before it runs: whether legacy is reachable from every state, whether every gate ends, how long it
/// takes at the least, and what its author may not have meant.
package struct PlanExplorer: Sendable {
    package struct Report: Sendable {
        /// From so many states the way back to legacy was tried.
        package var states = 0
        /// Whether it was there from each of them.
        package var isAlwaysBack = true
        package var findings: [Finding] = []
        /// With every window passing and people at hand; nil when freezes leave no time for it.
        package var shortest: TimeSpan?
    }

    let plan: Plan
    let start: Timestamp

    /// - Parameter start: when it would be started, for the plan's freezes.
    package init(_ plan: Plan, start: Timestamp) {
        self.plan = plan
        self.start = start
    }

    package func report() -> Report {
        var report = Report()
        for state in states() {
            report.states += 1
            if let trouble = trouble(from: state) {
                report.isAlwaysBack = false
                let stage = state.migration?.phase.step.map { plan.stage(at: $0.position).name }
                report.findings.append(
                    Finding(
                        .error,
                        stage.map { "stages/\($0)" } ?? "stages",
                        trouble,
                        "please report this plan: no plan may do that"
                    )
                )
            }
        }
        report.shortest = shortest()
        report.findings += durations(report.shortest) + shapes() + gates()
        return report
    }

    // MARK: - States

    /// Every state that the plan's steps and gates can stand in, running and halted, with a router in each environment.
    func states() -> [MigrationState] {
        var migration = Migration(plan: plan, hash: "plan", at: start, by: "ana")
        migration.routers = plan.environments.map { Router(name: "r-\($0)", environment: $0, revision: 1) }
        var all = [migration]
        for (stage, part) in plan.stages.enumerated() {
            for step in part.steps.indices {
                let position = Position(stage: stage, step: step)
                enter(position, &migration)
                for progress in progresses(at: position) {
                    let under = Step(position: position, enteredAt: start, progress: progress)
                    migration.phase = .running(step: under)
                    all.append(migration)
                    let halt = Halt(cause: .person, reason: "", since: start, held: .stepping(step: under))
                    migration.phase = .halted(halt: halt)
                    all.append(migration)
                }
            }
        }
        migration.phase = .watching(watch: Watch(since: start, until: start + plan.watch))
        all.append(migration)
        return all.map { MigrationState(version: 100, decidedAt: start, migration: $0) }
    }

    private func enter(_ position: Position, _ migration: inout Migration) {
        let stage = plan.stage(at: position)
        migration.stage = position.stage
        migration.gates = plan.criteria(at: position.stage).map { _ in Running() }
        migration.guards = plan.guards(at: position.stage).map { _ in Running() }
        migration.nextWindow = plan.clock.firstIndex(from: start)
        migration.steps.append(StepRecord(position: position, enteredAt: start))
        guard let index = migration.traffic.firstIndex(where: { $0.environment == stage.environment }) else { return }
        for service in stage.services {
            let weight = max(migration.traffic[index].weights[service], plan.weight(at: position))
            migration.traffic[index].weights[service] = weight
            migration.traffic[index].planned[service] = weight
            migration.traffic[index].effective[service] = weight
        }
    }

    private func progresses(at position: Position) -> [Step.Progress] {
        let window = plan.clock.firstIndex(from: start)
        let need = plan.stage(at: position).bake.windows(of: plan.window)
        var all: [Step.Progress] = [
            .shifting, .baking(firstWindow: window, run: 0), .baking(firstWindow: window, run: need),
        ]
        if !plan.stage(at: position).checks.isEmpty {
            all.append(.checking(firstWindow: window, run: need, since: start))
        }
        if plan.next(after: position).flatMap({ plan.approval(before: $0) }) != nil {
            all.append(.awaitingApproval(firstWindow: window, run: need, since: start))
        }
        if position == Position(stage: 0, step: 0), plan.baseline != nil {
            all.append(.recording(firstWindow: window, windows: 0))
        }
        return all
    }

    /// What stands in the way of legacy; nil when nothing does.
    private func trouble(from state: MigrationState) -> String? {
        let phase = state.migration?.phase.name ?? ""
        if let migration = state.migration, case .running(let step) = migration.phase {
            switch step.progress {
            case .checking, .awaitingApproval:
                if migration.nextDeadline == nil { return "a gate of \(plan.name(at: step.position)) never ends" }
            case .recording, .shifting, .baking: break
            }
        }
        do {
            var state = try next(state, .rollBack(reason: "explored"), by: "ana", at: start)
            guard let revision = state.migration?.phase.rollback?.revision else {
                return "no rollback begins while \(phase)"
            }
            for router in state.migration?.routers ?? [] {
                state = try next(
                    state,
                    .acknowledge(router: router.name, revision: revision),
                    by: "worker:w",
                    at: start
                )
            }
            for _ in 0..<3 {
                guard let k = state.migration?.nextWindow, state.migration?.phase.takesWindows ?? false else { break }
                state = try next(
                    state,
                    .sealWindow(window: quiet(k)),
                    by: "worker:w",
                    at: plan.clock.end(of: k) + plan.grace
                )
            }
            let isBack = state.migration?.traffic.allSatisfy { $0.effective.allSatisfy { $0 == .zero } } ?? false
            guard isBack, case .rolledBack? = state.migration?.phase else {
                return "legacy is not reached from \(phase)"
            }
            return nil
        } catch let refusal as Refusal {
            return "a rollback is refused while \(phase): \(refusal.message)"
        } catch {
            return "a rollback cannot be folded while \(phase)"
        }
    }

    private func next(_ state: MigrationState, _ command: Command, by actor: String, at: Timestamp) throws
        -> MigrationState
    {
        let events = try state.decide(command, by: actor, at: max(at, state.decidedAt))
        guard !events.isEmpty else { return state }
        return try state.folding(
            Commit(
                version: state.version + 1,
                actor: actor,
                decidedAt: max(at, state.decidedAt),
                command: command,
                events: events
            )
        )
    }

    private func quiet(_ k: Int64) -> Window {
        Window(
            k: k,
            environments: plan.environments.map { name in
                EnvironmentWindow(
                    environment: name,
                    routers: ["r-\(name)"],
                    services: plan.services.map { _ in ServiceWindow() }
                )
            }
        )
    }

}
