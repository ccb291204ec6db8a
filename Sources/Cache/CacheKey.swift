/// What an answer is kept under: whose it is, and which of theirs.
///
/// The user is a part of every key, so that no look-up can find another's answer whatever the parts are.
public struct CacheKey: Hashable, Sendable {
    /// Bytes that no other key has: every part is preceded by its length, so that `["a", "bc"]` and `["ab", "c"]` differ; and bytes, not
    /// characters: two names that look the same to Unicode are two users.
    public let bytes: [UInt8]

    /// A key of some parts.
    public init(user: String, _ parts: String...) { self.init(user: user, parts: parts) }

    /// A key of a list of parts.
    public init(user: String, parts: [String]) {
        bytes = ([user] + parts).flatMap { Array("\($0.utf8.count):".utf8) + Array($0.utf8) }
    }

    /// ``bytes`` as a text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Something that many answers rest on: a job, a user. Invalidated as one, in one step.
public struct CacheTag: Hashable, Sendable, CustomStringConvertible {
    /// Bytes that no other tag has.
    public let bytes: [UInt8]

    /// A tag of a kind and an ID.
    public init(_ name: String, _ id: String) { bytes = Array("\(name.utf8.count):\(name)\(id)".utf8) }

    /// ``bytes`` as a text.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
