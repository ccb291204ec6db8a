import MigrationCore

extension Migration {
    /// Whether only people could bring anything else about, and nothing is left on its way (19).
    ///
    /// - Parameter agrees: whether what is desired is acknowledged and in force at every router.
    func isSettled(_ agrees: (Migration) -> Bool) -> Bool {
        if quarantine != nil { return true }
        switch phase {
        // A migration that is over has nobody to acknowledge what follows; its routers have what it ended with.
        case .planned, .completed, .abandoned: return true
        case .rolledBack(let rollback): return rollback.isWhole || agrees(self)
        case .halted: return agrees(self)
        case .rollingBack: return false
        // A flag that is off by hand keeps a watch from ending.
        case .watching: return agrees(self) && flags.contains(false)
        case .running(let step):
            switch step.progress {
            case .awaitingApproval, .checking: return agrees(self)
            case .recording, .shifting: return false
            // A weight or a flag that was set by hand keeps a step from going on.
            case .baking: return agrees(self) && !isAsPlanned(step)
            }
        }
    }

    private func isAsPlanned(_ step: Step) -> Bool {
        let stage = plan.stage(at: step.position)
        guard let traffic = traffic(in: stage.environment) else { return false }
        return stage.services.allSatisfy { traffic.effective[$0] == traffic.planned[$0] }
    }
}
