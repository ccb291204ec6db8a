/// How one request ended, as the gateway saw it.
package enum Outcome: Hashable, Sendable {
    /// An answer that is no failure of the service.
    case answered
    /// A status of 500 or more, a refused or broken connection, an answer that is no HTTP.
    case failed
    /// No answer in time, from the gateway's limit or the service's own (504).
    case timedOut
}

/// What an answer said of its cache (RFC 9211).
package enum CacheOutcome: Hashable, Sendable {
    case hit, miss

    /// Reads the first member of a `Cache-Status` header: `hit` as a parameter is a hit, and so is `collapsed`, the answer to another request; `fwd` is a
    /// miss; anything else says nothing.
    package init?(header: some StringProtocol) {
        let member = header.prefix { $0 != "," }
        let parameters = member.split(separator: ";").dropFirst().map { $0.drop { $0 == " " } }
        if parameters.contains(where: { Self.isTrue("hit", $0) || Self.isTrue("collapsed", $0) }) {
            self = .hit
        } else if parameters.contains(where: { $0.hasPrefix("fwd=") }) {
            self = .miss
        } else {
            return nil
        }
    }

    private static func isTrue(_ name: String, _ parameter: some StringProtocol) -> Bool {
        parameter == name || parameter.hasPrefix("\(name) ") || parameter == "\(name)=?1"
    }
}
