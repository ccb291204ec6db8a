import CLibPQ

/// The rows of an answer, kept in the server's binary format and decoded when asked.
package struct PostgresRows: Sendable {
    package let columns: [String]
    package let rows: [PostgresRow]

    /// Copies an answer out of libpq.
    init(_ result: OpaquePointer) {
        let width = PQnfields(result)
        columns = (0..<width).map { String(cString: PQfname(result, $0)) }
        let names = columns
        rows = (0..<PQntuples(result)).map { row in
            PostgresRow(
                columns: names,
                cells: (0..<width).map { column in
                    guard PQgetisnull(result, row, column) == 0 else { return nil }
                    let length = Int(PQgetlength(result, row, column))
                    return Array(UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: length))
                }
            )
        }
    }

    package var first: PostgresRow? { rows.first }
}

/// One row of an answer.
package struct PostgresRow: Sendable {
    let columns: [String]
    let cells: [[UInt8]?]

    /// The cell's bytes; nil for SQL's null.
    package func optionalBytes(_ column: String) throws(PostgresError) -> [UInt8]? {
        guard let index = columns.firstIndex(of: column) else {
            throw PostgresError(.unexpectedValue, "the answer has no column “\(column)”")
        }
        return cells[index]
    }

    package func bytes(_ column: String) throws(PostgresError) -> [UInt8] {
        guard let bytes = try optionalBytes(column) else {
            throw PostgresError(.unexpectedValue, "the column “\(column)” is null")
        }
        return bytes
    }

    package func text(_ column: String) throws(PostgresError) -> String {
        String(decoding: try bytes(column), as: UTF8.self)
    }

    package func optionalText(_ column: String) throws(PostgresError) -> String? {
        try optionalBytes(column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A smallint, integer or bigint.
    package func int(_ column: String) throws(PostgresError) -> Int64 {
        let bytes = try bytes(column)
        guard [2, 4, 8].contains(bytes.count) else {
            throw PostgresError(.unexpectedValue, "the column “\(column)” is not a whole number")
        }
        let sign: Int64 = (bytes.first ?? 0) & 0x80 == 0 ? 0 : -1
        return bytes.reduce(sign) { $0 << 8 | Int64($1) }
    }

    package func optionalInt(_ column: String) throws(PostgresError) -> Int64? {
        try optionalBytes(column) == nil ? nil : try int(column)
    }

    package func bool(_ column: String) throws(PostgresError) -> Bool { try bytes(column).first == 1 }

    /// The fields of a composite value, under names of their own: how many, then for each its type, its length (-1 for null) and itself.
    package func record(_ column: String, fields: [String]) throws(PostgresError) -> PostgresRow {
        let bytes = try bytes(column)
        var place = 0
        func number() throws(PostgresError) -> Int {
            guard place + 4 <= bytes.count else {
                throw PostgresError(.unexpectedValue, "the column “\(column)” is not a composite value")
            }
            defer { place += 4 }
            return Int(bytes[place..<place + 4].reduce(Int32(0)) { $0 << 8 | Int32($1) })
        }
        guard try number() == fields.count else {
            throw PostgresError(.unexpectedValue, "the column “\(column)” has other fields")
        }
        var cells: [[UInt8]?] = []
        for _ in fields {
            _ = try number()
            let length = try number()
            guard length < 0 || place + length <= bytes.count else {
                throw PostgresError(.unexpectedValue, "the column “\(column)” is not a composite value")
            }
            cells.append(length < 0 ? nil : Array(bytes[place..<place + length]))
            place += max(0, length)
        }
        return PostgresRow(columns: fields, cells: cells)
    }

    /// A timestamptz as microseconds since 1970; PostgreSQL counts from 2000.
    package func microseconds(_ column: String) throws(PostgresError) -> Int64 {
        try int(column) &+ 946_684_800_000_000
    }

    package func optionalMicroseconds(_ column: String) throws(PostgresError) -> Int64? {
        try optionalBytes(column) == nil ? nil : try microseconds(column)
    }
}
