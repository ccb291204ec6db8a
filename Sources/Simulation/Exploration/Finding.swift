/// Something about a plan that its author should know before it runs.
package struct Finding: Hashable, Sendable {
    package enum Severity: String, Hashable, Sendable, Comparable, CaseIterable {
        /// It cannot be carried out as it is meant.
        case error
        /// It can, and somebody will be surprised.
        case warning
        case note

        package static func < (left: Severity, right: Severity) -> Bool {
            allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
        }
    }

    package var severity: Severity
    /// Where in the file: keys, and names or numbers of entries, such as `stages/production/bake` or `rollback/2`.
    package var place: String
    package var message: String
    package var mend: String?

    init(_ severity: Severity, _ place: String, _ message: String, _ mend: String? = nil) {
        self.severity = severity
        self.place = place
        self.message = message
        self.mend = mend
    }
}

/// How soon a comparison with legacy sees a difference, and how often it sees one that is not there.
package struct Power: Hashable, Sendable {
    package var place: String
    /// The condition in words.
    package var condition: String
    /// What a candidate is so many times as bad as.
    package var against: Against
    /// The step in words.
    package var step: String
    package var candidatePerWindow: Int
    package var legacyPerWindow: Int
    /// The median time until a candidate that is so many times as bad is seen.
    package var seen: [Seen]
    /// The share of runs as long as the plan in which a candidate that is not worse is taken for worse; nil where evidence is for advancing.
    package var falseAlarms: Double?

    package enum Against: String, Hashable, Sendable {
        /// Of a trigger by evidence: its factor.
        case limit
        /// Of ranks.
        case legacy
        /// Of a criterion by evidence, which is to see that a candidate is as good, or better.
        case nothing
    }

    package struct Seen: Hashable, Sendable {
        package var times: Double
        package var after: TimeSpanBound
    }

    /// A time, or that it is longer than a bound.
    package enum TimeSpanBound: Hashable, Sendable {
        case after(micros: Int64)
        case longer(micros: Int64)
    }
}
