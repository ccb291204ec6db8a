/// A parameter of a statement.
package enum PostgresValue: Hashable, Sendable {
    case null
    case text(String)
    case int(Int64)
    case bool(Bool)
    case bytes([UInt8])
    /// A bigint[], a text[] and a bytea[].
    case ints([Int64])
    case texts([String])
    case byteArrays([[UInt8]])

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
        case .ints: 1016
        case .texts: 1009
        case .byteArrays: 1001
        }
    }

    /// The wire format: 0 text, 1 binary.
    var format: Int32 {
        switch self {
        case .null, .text: 0
        case .int, .bool, .bytes, .ints, .texts, .byteArrays: 1
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
        case .ints(let values): Self.array(of: 20, values.map { Self.bigEndian($0) })
        case .texts(let texts): Self.array(of: 25, texts.map { Array($0.utf8) })
        case .byteArrays(let arrays): Self.array(of: 17, arrays)
        }
    }

    /// An array of one dimension in the server's binary format: how many dimensions, whether there are nulls, the type of its elements, how
    /// many and from which index, then each after its length.
    private static func array(of type: Int32, _ elements: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [elements.isEmpty ? 0 : 1, 0, type] { bytes += bigEndian(number) }
        guard !elements.isEmpty else { return bytes }
        bytes.reserveCapacity(20 + elements.reduce(0) { $0 + $1.count + 4 })
        for number in [Int32(clamping: elements.count), 1] { bytes += bigEndian(number) }
        for element in elements {
            bytes += bigEndian(Int32(clamping: element.count))
            bytes += element
        }
        return bytes
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
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
