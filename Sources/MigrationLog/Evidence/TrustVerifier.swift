import Foundation
import MigrationCore

/// Takes the rows of the keys' stream one by one, and verifies of them what ``StreamVerifier`` does of a migration's.
struct TrustVerifier {
    private(set) var history = TrustHistory()
    private(set) var head: [UInt8] = []
    private var incarnation: Int64 = 0
    private let log: Incarnations
    private var commands: Set<UUID> = []

    init(log: Incarnations) { self.log = log }

    /// The incarnation of the last row, or that in which the first will stand.
    var current: Int64 { incarnation == 0 ? log.newest : incarnation }

    /// - Throws: a ``LogError/Code/damaged`` for the first row that does not hold.
    mutating func admit(_ row: CommitRow) throws {
        let state = history.latest
        guard commands.insert(row.commandID).inserted else {
            throw Self.damaged(row.version, "its command ID is that of an earlier commit")
        }
        do {
            try row.verify(log: log, stream: TrustHistory.stream, version: state.version + 1, prev: head)
            try CommitCodec.requireUnambiguous(row.body, row.version)
            let body = try JSONDecoder().decode(
                CommitCodec.TrustBody.self,
                from: CommitFormat.ours.upcast(Data(row.body), version: row.version)
            )
            try check(body, row, state)
            history.append(state.folding(body.events), at: row.at)
        } catch let error as LogError {
            throw Self.damaged(row.version, error.message)
        } catch let error as Refusal {
            throw Self.damaged(row.version, "the recorded command is refused: \(error.message)")
        } catch is DecodingError {
            throw Self.damaged(row.version, "it is not a commit of this release")
        }
        head = row.hash
        incarnation = row.incarnation
    }

    private func check(_ body: CommitCodec.TrustBody, _ row: CommitRow, _ state: TrustState) throws {
        guard body.decidedAt <= row.at, row.at - body.decidedAt <= .seconds(60) else {
            throw Self.damaged(row.version, "the decision's time lies more than 60 s before the commit's, or after it")
        }
        for key in [body.command.newKey].compactMap(\.self) where key.bytes == nil {
            throw Self.damaged(row.version, "key \(key.id) is none, or not of this ID")
        }
        if let signed = body.signed, let key = state.key(signed.key) {
            guard let command = CommitCodec.command(in: row.body), let id = log.id(of: row.incarnation) else {
                throw Self.damaged(row.version, "what was signed cannot be found")
            }
            let flaw = signed.flaw(
                key: key.key,
                row: row,
                log: id,
                stream: TrustHistory.stream,
                command: command,
                decidedAt: body.decidedAt
            )
            if let flaw { throw Self.damaged(row.version, flaw) }
        }
        guard try state.decide(body.command, by: row.actor, signer: body.signed?.key) == body.events else {
            throw Self.damaged(row.version, "the recorded command decides other events")
        }
    }

    private static func damaged(_ version: Int64, _ message: String) -> LogError {
        LogError(
            .damaged,
            "the keys of the log, version \(version): \(message)",
            mend: "find out who changed them: migrate keys list"
        )
    }
}

extension TrustCommand {
    /// The key that it brings.
    var newKey: PublicKey? {
        switch self {
        case .addKey(_, let key, _, _), .rotateKey(_, let key, _): key
        case .revokeKey, .requireSignatures: nil
        }
    }
}
