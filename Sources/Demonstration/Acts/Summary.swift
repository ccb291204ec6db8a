import Commands
import MigrationCore
import MigrationLog
import Routing

/// What an act has shown, and whether it is what was claimed.
struct Summary {
    private(set) var lines: [String] = []
    private(set) var faults: [String] = []

    /// Notes a claim; one that was not seen makes the demonstration fail.
    mutating func claim(_ text: String, _ wasSeen: Bool) {
        lines.append("  \(wasSeen ? "✓" : "✗") \(text)")
        if !wasSeen { faults.append(text) }
    }

    mutating func head(_ text: String) { lines += ["", text] }
    mutating func note(_ text: String) { lines.append("    \(text)") }

    /// Prints everything.
    ///
    /// - Throws: when something that was claimed was not seen.
    func finish() throws {
        for line in lines { Output.line(line) }
        guard faults.isEmpty else {
            throw StageError("not everything was seen:\n  " + faults.joined(separator: "\n  "))
        }
        Output.line("\nEverything that was claimed was seen.")
    }

    /// One row a step: asked, acknowledged, observed with its interval; the share of the users in the candidate's
    /// buckets must be one that chance allows.
    mutating func steps(_ migration: Migration, _ record: LoadRecord, users: Int) {
        let plan = migration.plan
        var table = TextTable([.left, .right, .right, .right, .right, .right, .left])
        table.add("step", "asked", "acknowledged", "users there", "observed", "of requests", "99.9 % interval")
        var inside = 0, steps = 0
        for step in migration.steps {
            guard let acknowledgedAt = step.acknowledgedAt, let endedAt = step.endedAt else { continue }
            let weight = plan.weight(at: step.position)
            let environment = plan.stage(at: step.position).environment
            let index = plan.environments.firstIndex(of: environment) ?? 0
            let seen = record.share(environment: index, from: acknowledgedAt, to: endedAt)
            let interval = Binomial.interval(seen.candidate, of: seen.total)
            let expected = Self.expected(plan.name, weight, users)
            steps += 1
            inside += seen.total > 0 && interval.contains(expected) ? 1 : 0
            table.add(
                "\(plan.stage(at: step.position).name) \(step.end == .passed ? "" : step.end?.rawValue ?? "")",
                weight.description,
                "\(migration.routers(in: environment).count) of \(migration.routers(in: environment).count)",
                Self.percent(expected),
                seen.total > 0 ? Self.percent(Double(seen.candidate) / Double(seen.total)) : "–",
                "\(seen.total)",
                "\(Self.percent(interval.lowerBound)) … \(Self.percent(interval.upperBound))"
            )
        }
        lines += table.lines(indent: 2)
        // One of ten lies outside a 99.9 % interval by chance once in a hundred runs; two do once in twenty thousand.
        claim(
            "\(inside) of \(steps) shares of the users in the candidate's buckets lie within the observed interval",
            inside >= steps - 1
        )
    }

    /// The share of the generator's users that a weight gives the candidate.
    private static func expected(_ migration: String, _ weight: Weight, _ users: Int) -> Double {
        let there = (0..<users).count {
            Bucket.implementation(Bucket.of("user-\($0)", migration: migration), weight: weight) == .candidate
        }
        return Double(there) / Double(users)
    }

    /// The rollback's ledger, each time in milliseconds after the one before.
    mutating func ledger(_ rollback: Rollback, _ migration: Migration) {
        func milliseconds(_ from: Timestamp?, _ to: Timestamp?) -> String {
            guard let from, let to else { return "–" }
            return "\((to - from).rawValue / 1_000) ms"
        }
        lines.append("  rollback \(rollback.number), from \(rollback.from), because \(migration.words(rollback))")
        var table = TextTable([.left, .right])
        table.add("onset (first breaching window)", rollback.onset.map(LocalTime.clock) ?? "–")
        table.add("detected, after the onset", milliseconds(rollback.onset, rollback.detectedAt))
        table.add("decided, after that", milliseconds(rollback.detectedAt, rollback.decidedAt))
        table.add("acknowledged by every router, after that", milliseconds(rollback.decidedAt, rollback.acknowledgedAt))
        table.add("seen to be gone, after that", milliseconds(rollback.acknowledgedAt, rollback.confirmedAt))
        lines += table.lines(indent: 4)
    }

    static func percent(_ share: Double) -> String {
        Decimals.text(Int((share * 10_000).rounded()), scale: 100) + " %"
    }
}
