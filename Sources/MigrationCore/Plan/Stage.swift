/// An ordered list of weights in one environment.
package struct Stage: Hashable, Codable, Sendable {
    package var name: String
    package var environment: String
    /// The weights, in the order in which they are set; never empty in a checked plan.
    package var steps: [Weight]
    /// How long every window of a step must have passed, without a break, before the step is done.
    package var bake: TimeSpan
    package var approval: Approval?

    package init(name: String, environment: String, steps: [Weight], bake: TimeSpan, approval: Approval? = nil) {
        self.name = name
        self.environment = environment
        self.steps = steps
        self.bake = bake
        self.approval = approval
    }
}

/// A gate before one step that only people open.
package struct Approval: Hashable, Codable, Sendable {
    /// The weight that may not begin without it.
    package var before: Weight
    /// How many different people.
    package var by: Int
    /// How long the gate may stand closed; then the migration halts.
    package var timeout: TimeSpan

    package init(before: Weight, by: Int, timeout: TimeSpan) {
        self.before = before
        self.by = by
        self.timeout = timeout
    }
}
