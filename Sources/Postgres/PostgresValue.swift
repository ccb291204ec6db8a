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

    /// Adds the bytes that are sent, a zero at the end of text.
    ///
    /// - Returns: how many they are; nil for null, which has none.
    func write(to bytes: inout [UInt8]) -> Int? {
        let start = bytes.count
        switch self {
        case .null: return nil
        case .text(let text):
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        case .int(let value): Self.write(value, to: &bytes)
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .bytes(let value): bytes += value
        case .ints(let values):
            Self.array(of: 20, values.count, to: &bytes) { index, bytes in Self.write(values[index], to: &bytes) }
        case .texts(let texts):
            Self.array(of: 25, texts.count, to: &bytes) { index, bytes in bytes.append(contentsOf: texts[index].utf8) }
        case .byteArrays(let arrays):
            Self.array(of: 17, arrays.count, to: &bytes) { index, bytes in bytes += arrays[index] }
        }
        return bytes.count - start
    }

    /// An array of one dimension in the server's binary format: how many dimensions, whether there are nulls, the type of its elements, how
    /// many and from which index, then each after its length.
    private static func array(
        of type: Int32,
        _ count: Int,
        to bytes: inout [UInt8],
        _ element: (Int, inout [UInt8]) -> Void
    ) {
        for number in [count == 0 ? 0 : 1, 0, type] { write(number, to: &bytes) }
        guard count > 0 else { return }
        for number in [Int32(clamping: count), 1] { write(number, to: &bytes) }
        for index in 0..<count {
            let place = bytes.count
            write(Int32(0), to: &bytes)
            element(index, &bytes)
            let length = Int32(clamping: bytes.count - place - 4)
            withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
        }
    }

    private static func write(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
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
