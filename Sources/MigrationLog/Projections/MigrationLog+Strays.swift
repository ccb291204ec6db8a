import Postgres

extension MigrationLog {
    /// Where projections stand.
    private static let tables = ["migration", "traffic", "criterion", "rollback", "snapshot"]

    private static let isStray = """
        not exists (select from migrate.stream s where s.stream = p.stream)
        and not exists (select from migrate.commit c where c.stream = p.stream)
        """

    /// The names of which there are projections and no commits: nobody's fold made those.
    package func strayProjections() async throws -> [String] {
        let all = Self.tables.map { "select stream from migrate.\($0)" }.joined(separator: " union ")
        return try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select p.stream from (\(all)) p where \(Self.isStray) order by 1"
                ).rows.map { try $0.text("stream") }
            }
        }
    }

    func removeStrayProjections() async throws {
        try await guarded {
            try await pool.transact { connection in
                for table in Self.tables {
                    try connection.query("delete from migrate.\(table) p where \(Self.isStray)")
                }
            }
        }
    }
}
