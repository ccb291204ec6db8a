/// A fact that a decision brought about. Events carry everything that a later decision needs; no rule is applied to read them.
package enum Event: Hashable, Codable, Sendable {
    case planned(plan: Plan, hash: String)
    case planAmended(amendment: Amendment)
    /// Windows are judged from `firstWindow` on.
    case started(firstWindow: Int64)
    case stepEntered(position: Position)
    /// The baseline is measured from `firstWindow` on, before the first step.
    case recordingStarted(firstWindow: Int64)
    case baselineRecorded(baselines: [Baseline])
    /// The weights of one environment's services, in the plan's order, flags not yet applied, and what the plan asks for beside them.
    /// `revision` is the commit's version.
    case weightsSet(environment: String, weights: [Weight], planned: [Weight], revision: Int64)
    case flagSet(service: Int, enabled: Bool, revision: Int64)
    case routerRegistered(router: String, environment: String)
    case routerRetired(router: String)
    case routerAcknowledged(router: String, revision: Int64)
    /// Every router has the step's weight; its bake counts windows from `firstWindow` on.
    case stepAcknowledged(firstWindow: Int64)
    case windowJudged(judgement: Judgement)
    case signalLate(k: Int64, router: String, requests: Int)
    /// By its number among the guards of the stage.
    case noDataDetected(stage: Int, number: Int, k: Int64)
    /// By its number among the guards of the stage; `due` is when the firing window could first be judged.
    case triggerFired(stage: Int, number: Int, k: Int64, onset: Timestamp, due: Timestamp)
    /// The step has baked: its checks are asked for.
    case checksStarted
    case checkReported(result: CheckResult)
    case approvalRecorded(position: Position, by: String)
    case approvalAwaited
    case stepPassed(position: Position, skipped: Bool)
    case halted(cause: Halt.Cause, reason: String)
    case resumed
    case rollbackStarted(rollback: Rollback, firstWindow: Int64)
    case rollbackAlreadyUnderWay
    case rollbackAcknowledged
    /// A router has come that has not acknowledged it: what was acknowledged, and perhaps confirmed, is no longer so.
    case rollbackReopened
    /// Window `k` showed no candidate traffic anywhere.
    case rollbackConfirmed(k: Int64, at: Timestamp)
    case rollbackOverdue
    case watchStarted(until: Timestamp)
    case completed
    case restarted(firstWindow: Int64)
    case expired
    case quarantined(router: String, revision: Int64)
    case quarantinedByCheckpoint(place: String, size: Int64, root: String)
    /// Routers have to acknowledge everything anew, at this revision. A rollback that was confirmed has to be confirmed again; where nothing
    /// was judged since, from `firstWindow` on.
    case logRewound(revision: Int64, firstWindow: Int64? = nil)
    case overrideRefused(refusal: Refusal)
    /// The content of these texts is dropped; what was decided stays.
    case redacted(texts: [String])
    /// The shadow plan, which is the plan in force with this amendment.
    case shadowBegun(amendment: Amendment)
    /// What the shadow plan decided on this commit: suppressed, and of no consequence for any traffic.
    case shadowDecided(decisions: [ShadowDecision])
    /// From this window on the traffic that is measured no longer follows from the shadow plan.
    case shadowParted
    /// For the first time the shadow plan would have had another phase or other weights.
    case shadowDiffers
    case shadowEnded

    /// Whether it is a shadow plan's, of no consequence for any traffic.
    package var isOfShadow: Bool {
        switch self {
        case .shadowBegun, .shadowDecided, .shadowParted, .shadowDiffers, .shadowEnded: true
        default: false
        }
    }
}
