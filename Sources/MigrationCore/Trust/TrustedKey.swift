/// What a key may be used for.
package enum Role: String, Hashable, Codable, Sendable, CaseIterable {
    /// Give overrides.
    case operate
    /// Open gates and report checks.
    case approve
    /// Say which keys there are.
    case keys
    /// Sign checkpoints of the log.
    case checkpoint
}

/// A public key, and the name that it has in the log.
package struct PublicKey: Hashable, Codable, Sendable {
    /// The first sixteen hexadecimal digits of its SHA-256.
    package var id: String
    /// The 32 bytes of Ed25519 in base64.
    package var text: String

    package init(id: String, text: String) {
        self.id = id
        self.text = text
    }
}

/// A key that the log knows: whose it is, and what for.
package struct TrustedKey: Hashable, Codable, Sendable {
    package var key: PublicKey
    package var owner: String
    package var roles: [Role]
    /// The version of the keys' stream that added it.
    package var addedAt: Int64
    /// The version that took it away.
    package var revokedAt: Int64?

    package var isActive: Bool { revokedAt == nil }
    package func has(_ role: Role) -> Bool { isActive && roles.contains(role) }
}

/// What somebody asks of the keys of a log.
package enum TrustCommand: Hashable, Codable, Sendable {
    case addKey(owner: String, key: PublicKey, roles: [Role], reason: String)
    /// Another key in the place of one, which is no longer taken.
    case rotateKey(from: String, to: PublicKey, reason: String)
    case revokeKey(id: String, reason: String)
    /// Whether overrides are refused unless they are signed.
    case requireSignatures(isRequired: Bool, reason: String)
}

/// What came of it.
package enum TrustEvent: Hashable, Codable, Sendable {
    case keyAdded(owner: String, key: PublicKey, roles: [Role])
    case keyRevoked(id: String)
    case signaturesRequired(isRequired: Bool)
}
