package import Foundation
package import MigrationCore

/// A commit's bytes in the log: UTF-8 JSON with sorted keys, kept exactly as they were hashed and never encoded again to verify.
package enum CommitCodec {
    private struct Body: Codable {
        var command: Command
        var decidedAt: Timestamp
        var events: [Event]
    }

    /// - Throws: an `EncodingError` for a number that JSON cannot hold, which no command has.
    package static func encode(command: Command, decidedAt: Timestamp, events: [Event]) throws -> [UInt8] {
        Array(try canonical(Body(command: command, decidedAt: decidedAt, events: events)))
    }

    /// - Throws: a ``LogError/Code/damaged`` that names the version, for bytes that are not a commit of this release.
    package static func decode(_ bytes: [UInt8], version: Int64, actor: String) throws(LogError) -> Commit {
        do {
            let body = try JSONDecoder().decode(Body.self, from: Data(bytes))
            return Commit(
                version: version,
                actor: actor,
                decidedAt: body.decidedAt,
                command: body.command,
                events: body.events
            )
        } catch {
            throw LogError(
                .damaged,
                "version \(version) cannot be read: \(unknown(bytes) ?? words(error))",
                mend: "a newer release may have written it; otherwise it was damaged",
                version: version
            )
        }
    }

    /// JSON with sorted keys and unescaped slashes.
    package static func canonical(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// The first command or event of a body that this release does not know, by its name.
    private static func unknown(_ bytes: [UInt8]) -> String? {
        guard let body = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else { return nil }
        func isKnown<T: Decodable>(_ value: Any, _ type: T.Type) -> Bool {
            guard let data = try? JSONSerialization.data(withJSONObject: value) else { return false }
            return (try? JSONDecoder().decode(type, from: data)) != nil
        }
        func name(_ value: Any) -> String {
            (value as? [String: Any])?.keys.sorted().joined(separator: ", ") ?? "\(value)"
        }
        if let command = body["command"], !isKnown(command, Command.self) {
            return "the command “\(name(command).prefix(80))” is not one of this release"
        }
        guard let events = body["events"] as? [Any] else { return nil }
        for (index, event) in events.enumerated() where !isKnown(event, Event.self) {
            return "event \(index + 1), “\(name(event).prefix(80))”, is not one of this release"
        }
        return nil
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context), DecodingError.keyNotFound(_, let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "\(context.debugDescription) at \(path)"
        default: return "\(error)"
        }
    }
}
