package import JSON

/// How good an answer is: four parts, each 0…1.
package struct AnswerQuality: Hashable, Sendable {
    /// An answer is good from here on.
    package static let good = 0.9

    /// Suggestions that say nothing that the résumé does not hold.
    package var grounded: Double
    /// Recommendations of what stands in this résumé, and wishes of the request that are answered.
    package var relevant: Double
    /// Recommendations that are not another one over again.
    package var distinct: Double
    /// Fields of the contract that are there and within their limits.
    package var complete: Double

    package init(grounded: Double, relevant: Double, distinct: Double, complete: Double) {
        self.grounded = grounded
        self.relevant = relevant
        self.distinct = distinct
        self.complete = complete
    }

    package var score: Double { (grounded + relevant + distinct + complete) / 4 }
    /// No part makes up for another.
    package var isGood: Bool { min(grounded, relevant, distinct, complete) >= Self.good }

    package var json: JSONValue {
        [
            "grounded": .number(grounded), "relevant": .number(relevant), "distinct": .number(distinct),
            "complete": .number(complete), "score": .number(score),
        ]
    }

    package init?(json: JSONValue) {
        guard let grounded = json["grounded"]?.double, let relevant = json["relevant"]?.double,
            let distinct = json["distinct"]?.double, let complete = json["complete"]?.double
        else { return nil }
        self.init(grounded: grounded, relevant: relevant, distinct: distinct, complete: complete)
    }
}
