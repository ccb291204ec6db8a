/// An answer in a second tier, with its age by the tier's own clock.
public struct TierEntry: Hashable, Sendable {
    /// The answer, as it was written.
    public var bytes: [UInt8]
    /// How long ago it was made.
    public var age: Duration

    /// An entry of its two parts.
    public init(bytes: [UInt8], age: Duration) {
        self.bytes = bytes
        self.age = age
    }
}

/// A second tier, which several processes share: PostgreSQL here; another store by four functions.
///
/// Every tag has a generation, which an invalidation raises. An entry holds the generations of its tags from before it was made, and is none once
/// one of them was raised: an answer that was begun before an invalidation can be written, and is never read.
public protocol CacheTier: Sendable {
    /// The sum of the tags' generations, now.
    func generation(_ tags: [CacheTag]) async throws -> Int64
    /// An entry all of whose tags have the generations that they had; nil where there is none.
    func read(_ key: String) async throws -> TierEntry?
    /// Writes an entry.
    ///
    /// - Parameter generation: of its tags, from before it was made.
    func write(_ key: String, _ bytes: [UInt8], tags: [CacheTag], generation: Int64) async throws
    func invalidate(_ tag: CacheTag) async throws
}

/// Two tiers while the one takes the place of the other: both are written and invalidated, the first is read.
public struct DualTier: CacheTier {
    private let read: any CacheTier
    private let written: any CacheTier

    /// - Parameters:
    ///   - read: the one that answers; its failures are this tier's.
    ///   - written: the one that is being filled; it fails a write too, so that it is never taken for whole when it is not.
    public init(reading read: any CacheTier, writing written: any CacheTier) {
        self.read = read
        self.written = written
    }

    /// The read tier's generation.
    public func generation(_ tags: [CacheTag]) async throws -> Int64 { try await read.generation(tags) }

    /// What the read tier has; the other is not asked.
    public func read(_ key: String) async throws -> TierEntry? { try await read.read(key) }

    /// Writes both.
    public func write(_ key: String, _ bytes: [UInt8], tags: [CacheTag], generation: Int64) async throws {
        try await read.write(key, bytes, tags: tags, generation: generation)
        // Its own generation: the two tiers count apart. What was invalidated since is not there to be read in either.
        let other = try await written.generation(tags)
        guard try await read.generation(tags) == generation else { return }
        try await written.write(key, bytes, tags: tags, generation: other)
    }

    /// Invalidates both, whichever fails; throws the first failure.
    public func invalidate(_ tag: CacheTag) async throws {
        let results = [
            await result { try await read.invalidate(tag) }, await result { try await written.invalidate(tag) },
        ]
        for result in results { try result.get() }
    }

    private func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

/// How answers are written into a second tier.
public struct CacheCodec<Value: Sendable>: Sendable {
    /// An answer's bytes.
    public var encode: @Sendable (Value) -> [UInt8]
    /// The answer of such bytes; throws for others.
    public var decode: @Sendable ([UInt8]) throws -> Value

    /// A codec of its two ways.
    public init(
        encode: @escaping @Sendable (Value) -> [UInt8],
        decode: @escaping @Sendable ([UInt8]) throws -> Value
    ) {
        self.encode = encode
        self.decode = decode
    }
}
