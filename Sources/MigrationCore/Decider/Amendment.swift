/// Another plan in a plan's place, and what goes on under it.
package struct Amendment: Hashable, Codable, Sendable {
    package var plan: Plan
    package var hash: String
    /// The stage to which gates and guards belong.
    package var stage: Int
    /// For each of its criteria the place of the old one that it continues; nil for one that remembers nothing yet.
    package var gates: [Int?]
    /// The same of its guards.
    package var guards: [Int?]
    /// The approvals that hold.
    package var approvals: [GivenApproval]
    /// Other criteria: the step's windows are counted anew.
    package var bakesAnew: Bool
    /// Other checks: they are asked for anew.
    package var checksAnew: Bool
    /// What the step's checks have said, by their places in this plan.
    package var checks: [CheckResult]
    /// When the watch under way ends; nil when none is.
    package var watchUntil: Timestamp?
    package var hasExpired: Bool
}
