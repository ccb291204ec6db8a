/// The log went back in time: an old backup was restored, or a failover lost the tail. Weights hold and nothing advances until a person
/// says that the log begins anew from here; roll back, halt and flag off are heard all the while.
package struct Quarantine: Hashable, Codable, Sendable {
    /// Who knew more than the log.
    package enum Evidence: Hashable, Sendable {
        /// A router with a revision to which the log did not reach, or which is another there.
        case router(name: String, revision: Int64)
        /// A checkpoint that is kept elsewhere, of so many commits of the log's order and with that root (base64), from which the log does not
        /// go on.
        case checkpoint(place: String, size: Int64, root: String)
    }

    package var evidence: Evidence
    package var since: Timestamp

    package init(_ evidence: Evidence, since: Timestamp) {
        self.evidence = evidence
        self.since = since
    }

    private enum CodingKeys: String, CodingKey { case since }

    /// A router's is written as it was before there were others, so that states that were kept then are the same now.
    package init(from decoder: any Decoder) throws {
        evidence = try Evidence(from: decoder)
        since = try decoder.container(keyedBy: CodingKeys.self).decode(Timestamp.self, forKey: .since)
    }

    package func encode(to encoder: any Encoder) throws {
        try evidence.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(since, forKey: .since)
    }
}

extension Quarantine.Evidence: Codable {
    private enum CodingKeys: String, CodingKey { case router, revision, checkpoint, size, root }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let place = try values.decodeIfPresent(String.self, forKey: .checkpoint) {
            self = .checkpoint(
                place: place,
                size: try values.decode(Int64.self, forKey: .size),
                root: try values.decode(String.self, forKey: .root)
            )
        } else {
            self = .router(
                name: try values.decode(String.self, forKey: .router),
                revision: try values.decode(Int64.self, forKey: .revision)
            )
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .router(let name, let revision):
            try values.encode(name, forKey: .router)
            try values.encode(revision, forKey: .revision)
        case .checkpoint(let place, let size, let root):
            try values.encode(place, forKey: .checkpoint)
            try values.encode(size, forKey: .size)
            try values.encode(root, forKey: .root)
        }
    }
}

extension Quarantine.Evidence: CustomStringConvertible {
    package var description: String {
        switch self {
        case .router(let name, let revision): "\(name) has revision \(revision), which the log has lost"
        case .checkpoint(let place, let size, _):
            "the log does not go on from the checkpoint of \(size) commits in \(place)"
        }
    }
}
