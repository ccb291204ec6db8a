/// A comparison of candidate and legacy that is valid however often one looks (2-analysis.md, "Comparison with legacy").
///
/// In a window the candidate served n_c requests, legacy n_b; x of the m bad ones were the candidate's. For a rate ratio θ against the
/// null θ₀
///
///     log e(θ) = x·ln(θ/θ₀) − m·ln[(n_c·θ + n_b) / (n_c·θ₀ + n_b)]
///     E = mean over θ of exp(Σ log e(θ))
///
/// and P(ever E ≥ 1/α) ≤ α under the null (Ville; Lindon et al., arXiv 2011.03567). A change of weight needs no correction.
package struct EProcess: Hashable, Codable, Sendable {
    /// What the evidence is for.
    package enum Direction: String, Hashable, Codable, Sendable {
        /// The null is "at most θ₀ times as bad": evidence is an alarm.
        case worse
        /// The null is "at least θ₀ times as bad": evidence lets a step advance. Silence is none: without data E = 1.
        case noWorse
    }

    /// Σ log e(θ) for each θ of the direction, in trillionths of a nat: whole numbers, so that a sum is the same in any order.
    package var sums: [Int64]

    /// Evidence of nothing: E = 1.
    package init(_ direction: Direction) { sums = Self.multiples(direction).map { _ in 0 } }

    /// θ/θ₀, in the order of the sums.
    static func multiples(_ direction: Direction) -> [Double] {
        switch direction {
        case .worse: [1.25, 1.5, 2, 3, 5, 10, 20]
        case .noWorse: [1 / 1.1, 1 / 1.25, 1 / 1.5, 1 / 2.0]
        }
    }

    /// One window's numbers.
    package struct Evidence: Hashable, Codable, Sendable {
        /// Requests of the candidate and of legacy.
        package var candidate: Int
        package var legacy: Int
        /// Bad ones of the candidate, and of legacy.
        package var candidateBad: Int
        package var legacyBad: Int

        /// - Returns: nil for counts that cannot have been counted.
        package init?(candidate: Int, legacy: Int, candidateBad: Int, legacyBad: Int) {
            guard (0...Counts.largest).contains(candidate), (0...Counts.largest).contains(legacy),
                (0...candidate).contains(candidateBad), (0...legacy).contains(legacyBad)
            else { return nil }
            self.candidate = candidate
            self.legacy = legacy
            self.candidateBad = candidateBad
            self.legacyBad = legacyBad
        }
    }

    /// The process after one more window.
    ///
    /// - Parameters:
    ///   - evidence: the window's numbers.
    ///   - factor: θ₀ in millionths, from 1.
    ///   - direction: the one that the process began with.
    package func after(_ evidence: Evidence, factor: Int, direction: Direction) -> EProcess {
        var next = self
        let x = Double(evidence.candidateBad)
        let m = Double(evidence.candidateBad + evidence.legacyBad)
        guard m > 0 else { return self }
        let null = Double(factor) / 1_000_000
        let candidate = Double(evidence.candidate), legacy = Double(evidence.legacy)
        for (index, multiple) in Self.multiples(direction).enumerated() where index < sums.count {
            let expected = (candidate * null * multiple + legacy) / (candidate * null + legacy)
            let step = x * Transcendental.ln(multiple) - m * Transcendental.ln(expected)
            next.sums[index] = Self.bounded(sums[index] &+ Self.bounded(step))
        }
        return next
    }

    private static let scale = 1e12
    /// No sum is further from 0; 10⁶ nats are certainty by any standard.
    private static let bound: Int64 = 1_000_000_000_000_000_000

    private static func bounded(_ step: Double) -> Int64 {
        let scaled = (step * scale).rounded()
        return scaled >= Double(bound) ? bound : scaled <= -Double(bound) ? -bound : Int64(scaled)
    }

    private static func bounded(_ sum: Int64) -> Int64 { min(max(sum, -bound), bound) }

    /// ln E.
    package var logE: Double {
        Transcendental.logSumExp(sums.map { Double($0) / Self.scale }) - Transcendental.ln(Double(max(1, sums.count)))
    }

    /// Whether E ≥ 1/α.
    ///
    /// - Parameter alpha: the probability of a false alarm that is borne, in millionths, from 1.
    package func exceeds(alpha: Int) -> Bool { logE >= -Transcendental.ln(Double(alpha) / 1_000_000) }
}
