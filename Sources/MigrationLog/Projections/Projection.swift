package import MigrationCore
package import Postgres
import Synchronization

/// A row of a projection table, worked out from a state; what it says and where it stands, without its version.
package struct ProjectionRow: Hashable, Sendable {
    package let table: ProjectionTable
    /// In the order of the table's key columns after `stream`, then of its value columns.
    package let values: [PostgresValue]

    package var key: [PostgresValue] { Array(values.prefix(table.keys.count)) }

    func isSameRow(as other: ProjectionRow) -> Bool {
        table == other.table && values.prefix(table.keys.count) == other.values.prefix(table.keys.count)
    }
}

/// A projection table: its columns, and how each is written and read.
package enum ProjectionTable: String, Hashable, Sendable, CaseIterable {
    case migration, traffic, criterion, rollback

    /// A `laterText` stands in a column that an earlier schema does not have: a release replays a log before its database is brought to its schema.
    enum Kind { case text, laterText, int, bool, time }

    var keys: [(name: String, kind: Kind)] {
        switch self {
        case .migration: []
        case .traffic: [("environment", .text), ("service", .text)]
        case .criterion: [("stage", .text), ("kind", .text), ("number", .int)]
        case .rollback: [("number", .int)]
        }
    }

    var columns: [(name: String, kind: Kind)] {
        switch self {
        case .migration:
            [
                ("phase", .text), ("stage", .text), ("step", .int), ("plan_hash", .text), ("planned_at", .time),
                ("planned_by", .text),
                ("next_window", .int), ("run", .int), ("reason", .text),
            ]
        case .traffic:
            [
                ("revision", .int), ("asked", .int), ("effective", .int), ("routers", .int), ("acknowledged", .int),
                ("observed_candidate", .int), ("observed_total", .int),
            ]
        case .criterion:
            [
                ("condition", .text), ("verdict", .text), ("value", .int), ("of", .int), ("legacy_value", .int),
                ("legacy_of", .int),
                ("breaches", .int), ("needed", .int),
            ]
        case .rollback:
            [
                ("cause", .text), ("reason", .text), ("outcome", .text), ("from_weight", .int), ("revision", .int),
                ("onset", .time),
                ("detected_at", .time), ("decided_at", .time), ("acknowledged_at", .time), ("confirmed_at", .time),
                ("is_overdue", .bool), ("unheard", .laterText),
            ]
        }
    }

    private struct Upsert: Hashable {
        var table: ProjectionTable
        var count: Int
    }

    private static let upserts = Mutex<[Upsert: String]>([:])

    /// Writes rows: parameters are the stream, then for each row its version and its values.
    func upsert(_ count: Int) -> String {
        Self.upserts.withLock { known in
            let key = Upsert(table: self, count: count)
            if let sql = known[key] { return sql }
            let sql = upsertText(count)
            known[key] = sql
            return sql
        }
    }

    private func upsertText(_ count: Int) -> String {
        let all = keys + columns
        let names = (["stream", "version"] + all.map { "\"\($0.name)\"" }).joined(separator: ", ")
        let rows = (0..<count).map { row in
            let first = 2 + row * (all.count + 1)
            let values = all.enumerated().map { index, column in
                let place = "$\(first + index + 1)"
                switch column.kind {
                case .text, .laterText: return "\(place)::text"
                case .int: return "\(place)::bigint"
                case .bool: return "\(place)::boolean"
                case .time: return "timestamptz 'epoch' + \(place)::bigint * interval '1 microsecond'"
                }
            }
            return "($1::text, $\(first)::bigint, \(values.joined(separator: ", ")))"
        }
        let key = (["stream"] + keys.map(\.name)).joined(separator: ", ")
        let sets = (["version"] + columns.map { "\"\($0.name)\"" }).map { "\($0) = excluded.\($0)" }.joined(
            separator: ", "
        )
        return "insert into migrate.\(rawValue) (\(names)) values \(rows.joined(separator: ", "))"
            + " on conflict (\(key)) do update set \(sets)"
    }

    /// Removes a row: parameters are the stream, then the row's key.
    var delete: String {
        let same = keys.enumerated().map { index, column in
            "\(column.name) = $\(index + 2)::\(column.kind == .int ? "bigint" : "text")"
        }
        return "delete from migrate.\(rawValue) where \((["stream = $1::text"] + same).joined(separator: " and "))"
    }

    /// Reads the rows of a stream, the version first.
    var select: String {
        let all = (keys + columns).map { column in
            switch column.kind {
            case .text: "\"\(column.name)\""
            case .laterText: "to_jsonb(t) ->> '\(column.name)' as \"\(column.name)\""
            case .int: "\"\(column.name)\"::bigint"
            case .bool: "\"\(column.name)\""
            case .time: "(extract(epoch from \"\(column.name)\") * 1000000)::bigint as \"\(column.name)\""
            }
        }
        return "select version, \(all.joined(separator: ", ")) from migrate.\(rawValue) t where stream = $1::text"
    }

    func read(_ row: PostgresRow) throws(PostgresError) -> ProjectionRow {
        var values: [PostgresValue] = []
        for column in keys + columns {
            switch column.kind {
            case .text, .laterText: values.append(.text(try row.optionalText(column.name)))
            case .int, .time: values.append(.int(try row.optionalInt(column.name)))
            case .bool: values.append(.bool(try row.bool(column.name)))
            }
        }
        return ProjectionRow(table: self, values: values)
    }
}

/// The projections of a stream: what each row says, and at which version it last changed.
package struct Projections: Sendable {
    package private(set) var rows: [[PostgresValue]: Entry] = [:]

    package struct Entry: Hashable, Sendable {
        package var row: ProjectionRow
        package var version: Int64
    }

    package init() {}

    /// The projections of a state, as if all had changed at its version.
    init(of state: MigrationState) { _ = advance(to: state) }

    /// What a later state changed.
    package struct Changes: Sendable {
        /// The rows as they are now.
        package var written: [ProjectionRow] = []
        /// The rows that are no longer there: an amended plan may have fewer conditions.
        package var removed: [ProjectionRow] = []
    }

    /// What changes from a state to the next.
    static func changes(from old: MigrationState, to new: MigrationState) -> Changes {
        let before = old.migration?.projected ?? [], after = new.migration?.projected ?? []
        // Nearly always the same rows in the same order; only a new plan has others.
        if before.count == after.count, zip(before, after).allSatisfy({ $0.isSameRow(as: $1) }) {
            return Changes(written: zip(before, after).filter { $0 != $1 }.map(\.1))
        }
        var projections = Projections(of: old)
        return projections.advance(to: new)
    }

    /// Takes over a later state.
    package mutating func advance(to state: MigrationState) -> Changes {
        guard let migration = state.migration else { return Changes() }
        var changes = Changes()
        let projected = migration.projected
        for row in projected {
            let key = [.text(row.table.rawValue)] + row.key
            guard rows[key]?.row != row else { continue }
            rows[key] = Entry(row: row, version: state.version)
            changes.written.append(row)
        }
        guard rows.count > projected.count else { return changes }
        let left = Set(projected.map { [.text($0.table.rawValue)] + $0.key })
        for (key, entry) in rows where !left.contains(key) {
            rows[key] = nil
            changes.removed.append(entry.row)
        }
        return changes
    }
}
