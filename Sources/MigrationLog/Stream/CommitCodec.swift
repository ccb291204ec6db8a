package import Foundation
import JSON
package import MigrationCore

/// A commit's bytes in the log: UTF-8 JSON with sorted keys, kept exactly as they were hashed and never encoded again to verify.
package enum CommitCodec {
    /// What a commit's bytes say.
    package struct Body<C: Codable & Sendable, E: Codable & Sendable>: Codable, Sendable {
        package var command: C
        package var decidedAt: Timestamp
        package var events: [E]
        /// The version of what it looks like (``CommitFormat``); nil for 1, which did not say.
        package var format: Int?
        /// The signature of whoever gave the command.
        package var signed: Signed?
        /// The version of the keys' stream that the decision went by; nil for a worker's, and before there are keys.
        package var trust: Int64?

        package init(
            command: C,
            decidedAt: Timestamp,
            events: [E],
            format: Int? = CommitFormat.ours.current,
            signed: Signed? = nil,
            trust: Int64? = nil
        ) {
            self.format = format
            self.command = command
            self.decidedAt = decidedAt
            self.events = events
            self.signed = signed
            self.trust = trust
        }
    }

    package typealias MigrationBody = Body<Command, Event>
    package typealias TrustBody = Body<TrustCommand, TrustEvent>

    /// - Throws: an `EncodingError` for a number that JSON cannot hold, which no command has.
    package static func encode(command: Command, decidedAt: Timestamp, events: [Event]) throws -> [UInt8] {
        try encode(MigrationBody(command: command, decidedAt: decidedAt, events: events))
    }

    package static func encode(_ body: MigrationBody) throws -> [UInt8] {
        try WindowCodec.write(body) ?? Array(canonical(body))
    }

    package static func encode(_ body: TrustBody) throws -> [UInt8] { Array(try canonical(body)) }

    /// - Throws: a ``LogError/Code/damaged`` that names the version, for bytes that are not a commit of this release.
    package static func decode(_ bytes: [UInt8], version: Int64, actor: String) throws(LogError) -> Commit {
        Commit(try body(bytes, version: version), version: version, actor: actor)
    }

    /// - Parameters:
    ///   - format: how it is read where an older release wrote it.
    ///   - isStrict: whether it may not say a thing twice either: who reads it otherwise (SQL takes the last) would read something else.
    package static func body(
        _ bytes: [UInt8],
        version: Int64,
        format: CommitFormat = .ours,
        isStrict: Bool = false
    ) throws(LogError) -> MigrationBody {
        if let body = WindowCodec.read(bytes), format.isPlain(body.format) { return body }
        if isStrict { try requireUnambiguous(bytes, version) }
        do {
            return try JSONDecoder().decode(
                MigrationBody.self,
                from: format.upcast(Data(bytes), version: version)
            )
        } catch let error as LogError {
            throw error
        } catch {
            throw LogError(
                .damaged,
                "version \(version) cannot be read: \(unknown(bytes) ?? words(error))",
                mend: "a newer release may have written it; otherwise it was damaged",
                version: version
            )
        }
    }

    /// - Throws: a ``LogError/Code/damaged`` for a body with a name that stands twice in an object.
    static func requireUnambiguous(_ bytes: [UInt8], _ version: Int64) throws(LogError) {
        do {
            _ = try JSONValue(parsing: bytes)
        } catch {
            throw LogError(.damaged, "version \(version) can be read in two ways: \(error.reason)", version: version)
        }
    }

    /// The exact bytes of a body's command, which come first: keys are sorted.
    ///
    /// - Returns: nil for bytes that do not begin with one.
    static func command(in body: [UInt8]) -> [UInt8]? {
        let key = Array("{\"command\":".utf8)
        guard body.starts(with: key) else { return nil }
        var depth = 0
        var isInText = false
        var isEscaped = false
        for index in key.count..<body.count {
            let byte = body[index]
            if isInText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return Array(body[key.count...index]) }
            default: break
            }
        }
        return nil
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

extension Commit {
    init(_ body: CommitCodec.MigrationBody, version: Int64, actor: String) {
        self.init(
            version: version,
            actor: actor,
            decidedAt: body.decidedAt,
            command: body.command,
            events: body.events,
            rules: Rules(version: body.format ?? 1)
        )
    }
}
