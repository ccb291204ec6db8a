/// An ordered list of weights for some services in one environment.
package struct Stage: Hashable, Codable, Sendable {
    package var name: String
    package var environment: String
    /// The services that it moves, as their places in the plan, rising; never empty in a checked plan.
    package var services: [Int]
    /// The weights, in the order in which they are set; never empty in a checked plan.
    package var steps: [Weight]
    /// How long every window of a step must have passed, without a break, before the step is done.
    package var bake: TimeSpan
    package var approvals: [Approval]
    /// The checks of each of its steps, as their places in the plan.
    package var checks: [Int]
    /// In place of the plan's own, where it is not nil.
    package var criteria: [Criterion]?
    package var triggers: [Trigger]?
    /// How long a step may take from its beginning, or from the last resume; nil for as long as the migration may.
    package var limit: TimeSpan?
    /// What happens then.
    package var then: GateAction

    package init(
        name: String,
        environment: String,
        services: [Int],
        steps: [Weight],
        bake: TimeSpan,
        approvals: [Approval] = [],
        checks: [Int] = [],
        criteria: [Criterion]? = nil,
        triggers: [Trigger]? = nil,
        limit: TimeSpan? = nil,
        then: GateAction = .halt
    ) {
        self.name = name
        self.environment = environment
        self.services = services
        self.steps = steps
        self.bake = bake
        self.approvals = approvals
        self.checks = checks
        self.criteria = criteria
        self.triggers = triggers
        self.limit = limit
        self.then = then
    }
}
