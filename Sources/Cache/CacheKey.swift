/// What an answer is kept under: whose it is, and which of theirs.
///
/// The user is a part of every key, so that no look-up can find another's answer whatever the parts are.
public struct CacheKey: Hashable, Sendable {
    /// Whose answer it is.
    public let user: String
    /// Everything else that it depends on.
    public let parts: [String]

    /// A key of some parts.
    public init(user: String, _ parts: String...) {
        self.user = user
        self.parts = parts
    }

    /// A key of a list of parts.
    public init(user: String, parts: [String]) {
        self.user = user
        self.parts = parts
    }

    /// A text that no other key has: every part is preceded by its length, so that `["a", "bc"]` and `["ab", "c"]` differ.
    public var text: String { ([user] + parts).map { "\($0.utf8.count):\($0)" }.joined() }
}

/// Something that many answers rest on: a job, a user. Invalidated as one, in one step.
public struct CacheTag: Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing it is.
    public let name: String
    /// Which of that kind.
    public let id: String

    /// A tag of a kind and an ID.
    public init(_ name: String, _ id: String) {
        self.name = name
        self.id = id
    }

    /// A text that no other tag has.
    public var description: String { "\(name.utf8.count):\(name)\(id)" }
}
