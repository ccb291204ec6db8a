package import MigrationCore
package import Signals

/// One request as HAProxy's log tells it (``HAProxyConfiguration``).
package struct HAProxyLine: Hashable, Sendable {
    package var service: Int
    package var implementation: Implementation
    package var outcome: Outcome
    package var latency: TimeSpan
    package var user: UInt64?
    package var cache: CacheOutcome?

    /// - Returns: nil for a line of another form, and for a request that says nothing of an implementation: it had no backend, or its client
    ///   went away.
    package init?(_ text: some StringProtocol) {
        let fields = text.split(separator: " ", maxSplits: 5)
        guard fields.count >= 5 else { return nil }
        guard let backEnd = BackEnd(fields[0]), let status = Int(fields[1]), let end = fields[2].first,
            let millis = Int64(fields[3])
        else { return nil }
        switch end {
        case "C", "c": return nil
        case "s": outcome = .timedOut
        // The back end broke off, perhaps in the middle of an answer that began well.
        case "S": outcome = status == 504 ? .timedOut : .failed
        default: outcome = status == 504 ? .timedOut : (100..<500).contains(status) ? .answered : .failed
        }
        service = backEnd.service
        implementation = backEnd.implementation
        latency = .milliseconds(max(0, millis))
        user = Int64(fields[4]).map { UInt64(bitPattern: $0) }
        // Captured headers stand in braces.
        cache = fields.count < 6 ? nil : CacheOutcome(header: fields[5].drop { $0 == "{" }.prefix { $0 != "}" })
    }
}
