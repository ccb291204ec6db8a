import MigrationCore

/// A migration as it was, beside the same under another plan.
struct PlanComparison {
    let recorded: Migration
    let other: Migration
    /// The first version after which the two differ; nil when they never do.
    let differsFrom: Int64?
    /// The version of the first window that was measured under other weights than the other plan's.
    let partedFrom: Int64?

    init(_ recorded: Migration, _ other: Migration, differsFrom: Int64?, partedFrom: Int64?) {
        self.recorded = recorded
        self.other = other
        self.differsFrom = differsFrom
        self.partedFrom = partedFrom
    }

    /// The migration's plan in force beside its shadow plan; nil without one.
    init?(_ state: MigrationState) {
        guard let recorded = state.migration, let shadow = state.shadow else { return nil }
        self.init(recorded, shadow.migration, differsFrom: shadow.differsFrom, partedFrom: shadow.partedFrom)
    }

    /// The end, rollbacks and steps of both, after their names.
    var rows: [[String]] {
        [
            ["now", Self.end(recorded), Self.end(other)],
            ["rollbacks", Self.rollbacks(recorded), Self.rollbacks(other)],
            ["steps passed", "\(Self.passed(recorded))", "\(Self.passed(other))"],
        ]
    }

    func table(_ name: String) -> TextTable {
        var table = TextTable([.left, .left, .left])
        table.add("", "as it was", name)
        for row in rows { table.add(row) }
        return table
    }

    /// From where on the two go different ways, in words.
    var words: String {
        guard let differsFrom else { return "it has gone the same way" }
        let traffic = partedFrom.map { "; from version \($0) on the traffic no longer follows from it" } ?? ""
        return "it goes another way from version \(differsFrom) on\(traffic)"
    }

    private static func end(_ migration: Migration) -> String {
        let place = migration.phase.step.map { " at \(migration.plan.name(at: $0.position))" } ?? ""
        return migration.phase.name + place
    }

    private static func rollbacks(_ migration: Migration) -> String {
        guard !migration.rollbacks.isEmpty else { return "none" }
        return migration.rollbacks.map { "\(LocalTime.short($0.decidedAt)), \(migration.words($0))" }.joined(
            separator: "; "
        )
    }

    static func passed(_ migration: Migration) -> Int {
        migration.steps.count { $0.end == .passed || $0.end == .skipped }
    }
}

/// One of the two, for programs.
struct ComparedSide: Encodable {
    var phase: String
    var rollbacks: [Rollback]
    var stepsPassed: Int

    init(_ migration: Migration) {
        phase = migration.phase.name
        rollbacks = migration.rollbacks
        stepsPassed = PlanComparison.passed(migration)
    }
}
