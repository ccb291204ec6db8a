/// The keys of a log, as its own stream of them says: who may sign what, and whether overrides have to be signed.
package struct TrustState: Hashable, Codable, Sendable {
    package var version: Int64 = 0
    package var keys: [TrustedKey] = []
    package var isSignatureRequired = false

    package init() {}

    package func key(_ id: String) -> TrustedKey? { keys.first { $0.key.id == id } }

    /// Whether changes of the keys have to be signed by one that may.
    package var isGoverned: Bool { keys.contains { $0.has(.keys) } }

    /// Decides a command about keys.
    ///
    /// - Parameters:
    ///   - actor: who asks.
    ///   - signer: the key whose signature over the command was verified; nil for an unsigned one.
    /// - Throws: a ``Refusal`` that names the rule.
    package func decide(_ command: TrustCommand, by actor: String, signer: String?) throws(Refusal) -> [TrustEvent] {
        try requireRight(to: command, by: actor, signer: signer)
        switch command {
        case .addKey(let owner, let key, let roles, _):
            guard !roles.isEmpty, Set(roles).count == roles.count else {
                throw Refusal(.wrongState, "a key has at least one role, each once")
            }
            guard !owner.isEmpty, owner.count <= 100, !owner.hasPrefix(Command.workerPrefix) else {
                throw Refusal(.notAllowed, "an owner is a name of 1 to 100 characters that is not a worker's")
            }
            try requireNew(key)
            return [.keyAdded(owner: owner, key: key, roles: roles)]
        case .rotateKey(let from, let to, _):
            let old = try active(from)
            try requireNew(to)
            return [.keyAdded(owner: old.owner, key: to, roles: old.roles), .keyRevoked(id: from)]
        case .revokeKey(let id, _):
            let key = try active(id)
            if key.has(.keys), keys.count(where: { $0.has(.keys) }) == 1,
                keys.contains(where: { $0.isActive && $0 != key })
            {
                throw Refusal(
                    .blocked,
                    "key \(id) is the last that may say which keys there are",
                    mend: "add another with the role keys first, or rotate this one"
                )
            }
            return [.keyRevoked(id: id)]
        case .requireSignatures(let isRequired, _):
            guard !isRequired || keys.contains(where: { $0.has(.operate) }) else {
                throw Refusal(
                    .blocked,
                    "nobody could give an override: no key has the role operate",
                    mend: "add one first: migrate keys add"
                )
            }
            return isRequired == isSignatureRequired ? [] : [.signaturesRequired(isRequired: isRequired)]
        }
    }

    /// The state after one more commit of the keys' stream.
    package func folding(_ events: [TrustEvent]) -> TrustState {
        var next = self
        next.version += 1
        for event in events {
            switch event {
            case .keyAdded(let owner, let key, let roles):
                next.keys.append(TrustedKey(key: key, owner: owner, roles: roles, addedAt: next.version))
            case .keyRevoked(let id):
                for index in next.keys.indices where next.keys[index].key.id == id && next.keys[index].isActive {
                    next.keys[index].revokedAt = next.version
                }
            case .signaturesRequired(let isRequired): next.isSignatureRequired = isRequired
            }
        }
        return next
    }

    /// Why whoever gives an override may not; nil when he may, and for a worker's command.
    ///
    /// Everybody with a key for overrides or for gates may stop a migration and take it back.
    ///
    /// - Parameter signer: the key whose signature over the command was verified; nil for an unsigned one.
    package func forbids(_ command: Command, by actor: String, signer: String?) -> Refusal? {
        guard command.isOverride, !actor.hasPrefix(Command.workerPrefix) else { return nil }
        guard let signer else {
            return isSignatureRequired
                ? Refusal(
                    .unsigned,
                    "overrides of this log have to be signed",
                    mend: "give your key: --key FILE, or MIGRATE_KEY"
                ) : nil
        }
        guard let key = key(signer), key.isActive else {
            return Refusal(.unsigned, "key \(signer) is not one that this log takes", mend: "see: migrate keys list")
        }
        guard key.owner == actor else {
            return Refusal(.unsigned, "key \(signer) is \(key.owner)’s, and the command is \(actor)’s")
        }
        let needed = Self.roles(for: command)
        guard needed.contains(where: key.has) else {
            let words = needed.map(\.rawValue).joined(separator: " or ")
            return Refusal(.notAllowed, "\(actor) may not: it takes the role \(words)", mend: "see: migrate keys list")
        }
        return nil
    }

    private static func roles(for command: Command) -> [Role] {
        switch command {
        case .halt, .rollBack, .abandon, .setFlag(_, enabled: false, _): [.operate, .approve]
        case .approve, .reportCheck: [.approve]
        default: [.operate]
        }
    }

    private func requireRight(to command: TrustCommand, by actor: String, signer: String?) throws(Refusal) {
        guard !actor.hasPrefix(Command.workerPrefix) else {
            throw Refusal(.notAllowed, "\(actor) is a worker, and keys are for people to decide")
        }
        guard isGoverned else { return }
        guard let key = signer.flatMap(key), key.isActive, key.owner == actor else {
            throw Refusal(
                .unsigned,
                "what changes the keys has to be signed by its actor with a key of the role keys",
                mend: "give your key: --key FILE, or MIGRATE_KEY"
            )
        }
        // Everybody may put another key in the place of his own.
        if case .rotateKey(from: key.key.id, _, _) = command { return }
        guard key.has(.keys) else { throw Refusal(.notAllowed, "\(actor) may not: it takes the role keys") }
    }

    private func active(_ id: String) throws(Refusal) -> TrustedKey {
        guard let key = key(id), key.isActive else {
            throw Refusal(.unknownName, "there is no key “\(id)” in force", mend: "see: migrate keys list")
        }
        return key
    }

    private func requireNew(_ key: PublicKey) throws(Refusal) {
        guard self.key(key.id) == nil else {
            throw Refusal(
                .wrongState,
                "key \(key.id) was added before",
                mend: "generate another: migrate keys generate"
            )
        }
    }
}
