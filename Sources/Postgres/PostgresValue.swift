/// A parameter of a statement.
package enum PostgresValue: Hashable, Sendable {
    case null
    case text(String)
    case int(Int64)
    case bool(Bool)
    case bytes([UInt8])

    package static func int(_ value: Int) -> PostgresValue { .int(Int64(value)) }
    package static func text(_ value: String?) -> PostgresValue { value.map { .text($0) } ?? .null }
    package static func int(_ value: Int64?) -> PostgresValue { value.map { .int($0) } ?? .null }

    /// The type that the server is told; 0 lets it infer the type from the statement.
    var oid: UInt32 {
        switch self {
        case .null, .text: 0
        case .int: 20
        case .bool: 16
        case .bytes: 17
        }
    }

    /// The wire format: 0 text, 1 binary.
    var format: Int32 {
        switch self {
        case .null, .text: 0
        case .int, .bool, .bytes: 1
        }
    }

    /// The bytes that are sent, a zero at the end of text; nil for null.
    var wire: [UInt8]? {
        switch self {
        case .null: nil
        case .text(let text): Array(text.utf8) + [0]
        case .int(let value): withUnsafeBytes(of: value.bigEndian) { Array($0) }
        case .bool(let value): [value ? 1 : 0]
        case .bytes(let bytes): bytes
        }
    }
}

/// One statement with its parameters, for a pipelined round trip.
package struct PostgresStatement: Sendable {
    package var sql: String
    package var parameters: [PostgresValue]

    package init(_ sql: String, _ parameters: [PostgresValue] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
