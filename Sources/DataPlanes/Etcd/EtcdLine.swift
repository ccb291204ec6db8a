import MigrationCore
import Signals

extension LoggedRequest {
    /// What a resolver tells of a request: `side|status|end|seconds|Cache-Status|key`, the end being `answered`, `failed` or `timed_out`.
    ///
    /// - Returns: nil for a line of another form.
    package init?(resolver text: some StringProtocol) {
        let fields = text.split(separator: "|", maxSplits: 5, omittingEmptySubsequences: false)
        guard fields.count == 6, let backEnd = BackEnd(fields[0]), let status = Int(fields[1]),
            let seconds = Double(fields[3]), seconds >= 0, seconds < 1e6
        else { return nil }
        let outcome: Outcome
        switch fields[2] {
        case "timed_out": outcome = .timedOut
        case "failed": outcome = .failed
        case "answered": outcome = status >= 500 ? .failed : .answered
        default: return nil
        }
        self.init(
            service: backEnd.service,
            implementation: backEnd.implementation,
            outcome: outcome,
            latency: TimeSpan(rawValue: Int64(seconds * 1_000_000)),
            user: fields[5].isEmpty ? nil : XXHash64.hash(String(fields[5])),
            cache: CacheOutcome(header: fields[4])
        )
    }
}
