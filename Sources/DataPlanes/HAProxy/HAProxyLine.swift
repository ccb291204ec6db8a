import MigrationCore
import Signals

extension LoggedRequest {
    /// A line of HAProxy's log (``HAProxyConfiguration``).
    ///
    /// - Returns: nil for a line of another form, and for a request that says nothing of an implementation: it had no backend, or its client
    ///   went away.
    package init?(haproxy text: some StringProtocol) {
        var request = LoggedRequest(service: 0, implementation: .legacy, outcome: .answered, latency: .zero)
        let fields = text.split(separator: " ", maxSplits: 5)
        guard fields.count >= 5 else { return nil }
        // Why it ended, and in which phase.
        guard let backEnd = BackEnd(fields[0]), let status = Int(fields[1]), let end = fields[2].first,
            let millis = Int64(fields[3]), millis < 1_000_000_000
        else { return nil }
        switch end {
        case "C", "c": return nil
        // Where nobody took the connection it is no time-out of the service's, as at the gateway.
        case "s": request.outcome = fields[2].dropFirst().first == "C" ? .failed : .timedOut
        // The back end broke off, perhaps in the middle of an answer that began well.
        case "S": request.outcome = status == 504 ? .timedOut : .failed
        default: request.outcome = status == 504 ? .timedOut : (100..<500).contains(status) ? .answered : .failed
        }
        request.service = backEnd.service
        request.implementation = backEnd.implementation
        request.latency = .milliseconds(max(0, millis))
        request.user = Int64(fields[4]).map { UInt64(bitPattern: $0) }
        // Captured headers stand in braces.
        request.cache = fields.count < 6 ? nil : CacheOutcome(header: fields[5].drop { $0 == "{" }.prefix { $0 != "}" })
        self = request
    }
}
