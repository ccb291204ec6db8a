import Foundation
import MigrationCore

/// A folded state as it is kept, to begin reading from, with the form that it has: another release's may lack what this one remembers, or remember what this one would forget.
struct Snapshot: Codable, Sendable {
    /// ``MigrationState/form`` of who wrote it.
    var form: Int
    var state: MigrationState

    /// What is kept of a state.
    static func body(_ state: MigrationState) throws -> [UInt8] {
        Array(try CommitCodec.canonical(Snapshot(form: MigrationState.form, state: state)))
    }

    /// Which form something has that is kept; 0 for what releases wrote that named none.
    ///
    /// - Returns: nil for what no release wrote.
    static func form(of body: [UInt8]) -> Int? {
        struct Form: Decodable {
            var form: Int?
            /// Of the state alone, which was all that was written.
            var version: Int64?
        }
        let form = try? JSONDecoder().decode(Form.self, from: Data(body))
        return form?.form ?? form?.version.map { _ in 0 }
    }

    /// The state that is kept for a version.
    ///
    /// - Returns: nil for one of another form, or none: the commits themselves are always enough.
    static func state(_ body: [UInt8], at version: Int64) -> MigrationState? {
        guard form(of: body) == MigrationState.form,
            let state = try? JSONDecoder().decode(Snapshot.self, from: Data(body)).state,
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
