import Foundation
import MigrationCore

/// A folded state as it is kept, to begin reading from. One of another form is left alone: another release's may lack what this one remembers, or remember what this one would
/// forget.
enum Snapshot {
    /// Which form something has that is kept (``MigrationState/form``): the field `form` beside those of the state; without it 0.
    ///
    /// - Returns: nil for what no release wrote.
    private static func form(of body: [UInt8]) -> Int? {
        struct Head: Decodable {
            var form: Int?
            var version: Int64?
        }
        let head = try? JSONDecoder().decode(Head.self, from: Data(body))
        return head?.form ?? head?.version.map { _ in 0 }
    }

    /// What is kept of a state.
    static func body(_ state: MigrationState) throws -> [UInt8] { Array(try CommitCodec.canonical(Kept(state: state))) }

    private struct Kept: Encodable {
        private enum Key: CodingKey { case form }

        let state: MigrationState

        func encode(to encoder: any Encoder) throws {
            try state.encode(to: encoder)
            guard MigrationState.form > 0 else { return }
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(MigrationState.form, forKey: .form)
        }
    }

    /// The state that is kept for a version.
    ///
    /// - Returns: nil for one of another form, or none: the commits themselves are always enough.
    static func state(_ body: [UInt8], at version: Int64) -> MigrationState? {
        guard form(of: body) == MigrationState.form,
            let state = try? JSONDecoder().decode(MigrationState.self, from: Data(body)),
            state.version == version, state.isSound
        else { return nil }
        return state
    }

    /// Whether what is kept for the version of a state says something else, which would be read for it.
    static func differs(_ body: [UInt8], from state: MigrationState) throws -> Bool {
        switch form(of: body) {
        case nil: true
        case MigrationState.form: try self.body(state) != body
        default: false
        }
    }
}
