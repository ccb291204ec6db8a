import Foundation
import MigrationCore
import Signals

extension LoggedRequest {
    /// A line of nginx's log (``NginxConfiguration``): `side|status|OK or nothing|seconds|seconds until it was connected|Cache-Status|key`, after what syslog puts before it, the
    /// mark of the plan in its end.
    ///
    /// - Returns: nil for a line of another form, and for a request that its client gave up before there was an answer, or did not send as a whole: nobody was asked for that.
    package init?(nginx text: some StringProtocol, mark: PlanMark) {
        guard let start = text.range(of: mark.tag)?.upperBound else { return nil }
        let fields = text[start...].split(separator: "|", maxSplits: 6, omittingEmptySubsequences: false)
        guard fields.count == 7, let backEnd = BackEnd(fields[0]), let status = Int(fields[1]), status != 499,
            let seconds = Double(fields[3]), seconds >= 0, seconds < 1e6
        else { return nil }
        let outcome: Outcome, isConnected = Double(fields[4]) != nil
        switch status {
        case 400..<500 where !isConnected: return nil
        // Where nobody took the connection it is no time-out of the service's, as at the gateway.
        case 504: outcome = isConnected ? .timedOut : .failed
        case 500...: outcome = .failed
        // An answer that was broken off, by the service or by its client: nginx does not say by whom.
        default: outcome = fields[2] == "OK" ? .answered : .failed
        }
        self.init(
            service: backEnd.service,
            implementation: backEnd.implementation,
            outcome: outcome,
            latency: TimeSpan(rawValue: Int64(seconds * 1_000_000)),
            user: fields[6].isEmpty ? nil : XXHash64.hash(String(fields[6])),
            cache: CacheOutcome(header: fields[5])
        )
    }
}
