package import Cache
package import Postgres

/// The cache's second tier in PostgreSQL, shared by all processes of the service. Keys are kept as their SHA-256, however long they are.
///
/// An unlogged table is emptied by a crash of the server, tags and entries alike: nothing that was invalidated comes back.
package struct PostgresTier: CacheTier {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Makes the tables where there are none.
    package func install() async throws {
        try await pool.transact { connection in
            try connection.query("select pg_advisory_xact_lock(hashtextextended('recommendations cache schema', 0))")
            try connection.script(String(decoding: PackageResources.cache_sql, as: UTF8.self))
        }
    }

    /// Closes its connections, once they are given back.
    func close() async { await pool.close() }

    private static let current = """
        (select coalesce(sum(t.generation), 0)::bigint from recommendations.cache_tag t where t.tag = any
        """

    package func generation(_ tags: [CacheTag]) async throws -> Int64 {
        let names = Self.names(tags)
        return try await pool.run { connection in
            try connection.query("select \(Self.current)($1::text[])) as generation", [names]).first?.int("generation")
                ?? 0
        }
    }

    package func read(_ key: String) async throws -> TierEntry? {
        try await pool.run { connection in
            let row = try connection.query(
                """
                select value, (extract(epoch from clock_timestamp() - at) * 1000000)::bigint as age
                from recommendations.cache_entry e where key = encode(sha256(convert_to($1::text, 'UTF8')), 'hex') and generation = \(Self.current)(e.tags))
                """,
                [.text(key)]
            ).first
            guard let row else { return nil }
            return TierEntry(bytes: try row.bytes("value"), age: .microseconds(max(0, try row.int("age"))))
        }
    }

    package func write(_ key: String, _ bytes: [UInt8], tags: [CacheTag], generation: Int64) async throws {
        let names = Self.names(tags)
        try await pool.run { connection in
            _ = try connection.query(
                """
                insert into recommendations.cache_entry (key, value, tags, generation)
                values (encode(sha256(convert_to($1::text, 'UTF8')), 'hex'), $2::bytea, $3::text[], $4::bigint)
                on conflict (key) do update set value = excluded.value, tags = excluded.tags,
                    generation = excluded.generation, at = clock_timestamp()
                where cache_entry.generation <= excluded.generation
                """,
                [.text(key), .bytes(bytes), names, .int(generation)]
            )
        }
    }

    package func invalidate(_ tag: CacheTag) async throws {
        try await pool.run { connection in
            _ = try connection.query(
                """
                insert into recommendations.cache_tag (tag, generation) values ($1::text, 1)
                on conflict (tag) do update set generation = cache_tag.generation + 1
                """,
                [.text(tag.description)]
            )
        }
    }

    /// Removes entries that are older; at most so many at once.
    package func sweep(olderThan age: Duration, most: Int) async throws -> Int {
        try await pool.run { connection in
            try connection.query(
                """
                with old as (
                    select key from recommendations.cache_entry where at < clock_timestamp() - $1::bigint * interval '1 second'
                    limit $2::bigint for update skip locked
                ), gone as (delete from recommendations.cache_entry e using old where e.key = old.key returning 1)
                select count(*) as n from gone
                """,
                [.int(age.components.seconds), .int(most)]
            ).first.map { Int(try $0.int("n")) } ?? 0
        }
    }

    private static func names(_ tags: [CacheTag]) -> PostgresValue { .texts(tags.map(\.description)) }
}
