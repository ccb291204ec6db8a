/// What one window says about one condition (2-analysis.md, "Verdicts").
package enum Verdict: String, Hashable, Codable, Sendable {
    case breach, gray, pass, missing, error
}

/// What a condition is judged by.
struct Sight {
    var candidate: Sample
    var legacy: Sample
    /// Legacy's value of the metric before the migration.
    var baseline: Measurement?
    var k: Int64
    var window: TimeSpan
    /// How many comparisons stand beside each other: they share the false alarms that are borne.
    var comparisons = 1
}

extension Condition {
    /// One window's verdict with its evidence; the streak is not touched.
    ///
    /// - Parameters:
    ///   - sight: what was seen.
    ///   - minimum: fewer samples than this are missing data.
    ///   - exit: T_out of a trigger's threshold; nil for a criterion, which has no gray.
    ///   - direction: which way a comparison looks.
    ///   - running: what the windows before have left.
    func judge(_ sight: Sight, minimum: Int, exit: Int?, direction: EProcess.Direction, running: Running) -> Judged {
        let candidate = measure(sight.candidate)
        var judged = Judged(verdict: .missing, candidate: candidate, legacy: measure(sight.legacy))
        judged.streak = running.streak
        if case .compared(let factor, _, let users) = test {
            let process = running.process ?? EProcess(direction)
            let isEnough = users.map { min(candidate?.of ?? 0, judged.legacy?.of ?? 0) >= $0 } ?? true
            let evidence = isEnough ? metric.evidence(candidate: candidate, legacy: judged.legacy) : nil
            judged.process = evidence.map { process.after($0, factor: factor, direction: direction) } ?? process
        }
        let next = running.adding(judged, of: self, k: sight.k, window: sight.window)
        judged.figure = next.figure(of: self, k: sight.k, window: sight.window)
        guard let candidate, metric.samples(candidate).map({ $0 >= minimum }) ?? true else {
            if metric.hasFailed(sight.candidate) { judged.verdict = .error }
            return judged
        }
        switch test {
        case .threshold(let side, let value):
            judged.verdict = verdict(candidate, side, value, exit, isGuard: direction == .worse)
        case .improved(let by):
            judged.verdict =
                sight.baseline.map { metric.isImproved(candidate, on: $0, by: by) ? .pass : .breach } ?? .missing
        case .compared(_, let alpha, _):
            let exceeds = judged.process?.exceeds(alpha: max(1, alpha / max(1, sight.comparisons))) ?? false
            judged.verdict = direction == .worse ? (exceeds ? .breach : .pass) : (exceeds ? .pass : .gray)
        case .ranked(let alpha, _):
            guard case .ranks(let p, _) = judged.figure else { return judged }
            judged.verdict = p < alpha * 1_000 ? .breach : .pass
        case .burning(let rate, _, _, _):
            guard case .burn(let long, let short) = judged.figure else { return judged }
            judged.verdict = long > rate && short > rate ? .breach : .pass
        }
        return judged
    }

    /// The metric of what one side showed: of requests, or of different users.
    private func measure(_ sample: Sample) -> Measurement? {
        if case .compared(_, _, .some) = test { return metric.measureUsers(sample) }
        return metric.measure(sample)
    }

    private func verdict(_ measured: Measurement, _ side: Side, _ value: Int, _ exit: Int?, isGuard: Bool) -> Verdict {
        let isBeyond = isBeyond(measured, side, value)
        guard isGuard else { return isBeyond ? .pass : .breach }
        if isBeyond { return .breach }
        return exit.map { self.isBeyond(measured, side, $0) } ?? false ? .gray : .pass
    }

    /// Whether the measurement lies strictly beyond the threshold on the side.
    private func isBeyond(_ measurement: Measurement, _ side: Side, _ threshold: Int) -> Bool {
        let order = metric.compare(measurement, threshold)
        return side == .above ? order > 0 : order < 0
    }
}

extension Trigger {
    /// One window's verdict on the trigger's condition alone.
    package func judge(_ sample: Sample) -> Verdict {
        let sight = Sight(
            candidate: sample,
            legacy: Sample(Counts(), .legacy, span: sample.span),
            baseline: nil,
            k: 0,
            window: sample.span
        )
        return condition.judge(sight, minimum: minimum, exit: exit, direction: .worse, running: Running()).verdict
    }
}
