/// One thing that is switched: a path of the gateway and the two implementations behind it.
package struct Service: Hashable, Codable, Sendable {
    package var name: String
    /// The request path that belongs to the service, such as `/getRecommendations`.
    package var path: String
    /// Base addresses, `http://host:port` or `https://host:port`.
    package var legacy: String
    package var candidate: String
    /// How long a request may take before the gateway answers 504 and counts a timeout.
    package var timeout: TimeSpan
    /// Whether the gateway lets legacy answer an idempotent request that the candidate failed; nil is no.
    package var fallsBack: Bool?
    /// The share of requests of which the gateway sends copies to both sides and compares their answers; nil copies none.
    package var shadow: Weight?
    /// Whether every request of the service changes nothing, whatever its method; nil is no.
    package var onlyReads: Bool?
    /// What of the answers is not compared, such as `result.timestamp`: fields that say when or how an answer was made. With a field goes all below it.
    package var shadowIgnores: [String]?
    /// Whether only the candidate has an implementation, and legacy answers that it has none (501); nil is no. Its requests are in no comparison of the two.
    package var isNew: Bool?

    package init(
        name: String,
        path: String,
        legacy: String,
        candidate: String,
        timeout: TimeSpan,
        fallsBack: Bool? = nil,
        shadow: Weight? = nil,
        onlyReads: Bool? = nil,
        shadowIgnores: [String]? = nil,
        isNew: Bool? = nil
    ) {
        self.name = name
        self.path = path
        self.legacy = legacy
        self.candidate = candidate
        self.timeout = timeout
        self.fallsBack = fallsBack
        self.shadow = shadow
        self.onlyReads = onlyReads
        self.shadowIgnores = shadowIgnores
        self.isNew = isNew
    }
}

/// The two implementations of a service.
package enum Implementation: String, Hashable, Codable, Sendable, CaseIterable {
    case legacy, candidate
}

/// Where a request says whose it is; the first that a request has is its key.
package enum StickyKey: Hashable, Codable, Sendable {
    case header(name: String)
    case cookie(name: String)
    case clientIP
}
