import Callable
package import JSON
package import Postgres
package import Resumes

/// Jobs with their résumés, and the recommendations that were made for them.
package struct JobStore: Sendable {
    /// A job as its owner left it.
    package struct Job: Sendable {
        package var id: String
        package var owner: String
        package var resume: JSONValue
        /// Counts the résumés that the job has had: what rests on one of them has its number.
        package var revision: Int64
    }

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Makes the tables where there are none.
    package func install() async throws {
        try await pool.transact { connection in
            try connection.query("select pg_advisory_xact_lock(hashtextextended('recommendations schema', 0))")
            try connection.script(String(decoding: PackageResources.recommendations_sql, as: UTF8.self))
        }
    }

    /// Whether the database answers.
    package func check() async throws { _ = try await pool.run { try $0.query("select 1 as one") } }

    // MARK: Jobs

    /// The owner of a job, and how often anything that its answers rest on was changed; nil where there is no such job.
    package func head(_ id: String) async throws -> (owner: String, version: Int64)? {
        try await pool.run { connection in
            try connection.query("select owner, version from recommendations.job where id = $1::text", [.text(id)])
                .first.map { (try $0.text("owner"), try $0.int("version")) }
        }
    }

    package func job(_ id: String) async throws -> Job? {
        try await pool.run { try Self.job(id, $0, locked: false) }
    }

    private static func job(_ id: String, _ connection: isolated PostgresConnection, locked: Bool) throws -> Job? {
        let row = try connection.query(
            """
            select owner, revision, convert_to(resume::text, 'UTF8') as resume from recommendations.job
            where id = $1::text \(locked ? "for update" : "")
            """,
            [.text(id)]
        ).first
        guard let row else { return nil }
        return Job(
            id: id,
            owner: try row.text("owner"),
            resume: try JSONValue(parsing: try row.bytes("resume")),
            revision: try row.int("revision")
        )
    }

    /// Adds jobs that are not there yet.
    package func add(_ jobs: [(id: String, owner: String, resume: JSONValue)]) async throws {
        let statements = jobs.map { job in
            PostgresStatement(
                "insert into recommendations.job (id, owner, resume) values ($1::text, $2::text, $3::jsonb) on conflict (id) do nothing",
                [.text(job.id), .text(job.owner), .text(job.resume.text)]
            )
        }
        for start in stride(from: 0, to: statements.count, by: PostgresConnection.pipelineLimit) {
            let batch = Array(statements[start..<min(start + PostgresConnection.pipelineLimit, statements.count)])
            try await pool.run { connection in _ = try connection.pipeline(batch) }
        }
    }

    /// Puts a résumé into its owner's job, which is made where there is none; what rested on the one before is over.
    ///
    /// - Throws: PERMISSION_DENIED for another owner's job.
    package func put(_ resume: JSONValue, into id: String, of owner: String) async throws {
        try await pool.transact { connection in
            if let job = try Self.job(id, connection, locked: true), Array(job.owner.utf8) != Array(owner.utf8) {
                throw CallableError(.permissionDenied, "the job is not \(owner)'s")
            }
            _ = try connection.query(
                """
                insert into recommendations.job (id, owner, resume) values ($1::text, $2::text, $3::jsonb)
                on conflict (id) do update set resume = excluded.resume, improved = null, applied = null,
                    revision = job.revision + 1, version = job.version + 1
                """,
                [.text(id), .text(owner), .text(resume.text)]
            )
            _ = try connection.query("delete from recommendations.recommendation where job_id = $1::text", [.text(id)])
        }
    }

    /// The improved résumé of a job, and which recommendations made it; nil before the first.
    package func improved(_ id: String) async throws -> (resume: JSONValue, applied: [String])? {
        try await pool.run { connection in
            let row = try connection.query(
                """
                select convert_to(improved::text, 'UTF8') as improved, convert_to(applied::text, 'UTF8') as applied
                from recommendations.job where id = $1::text and improved is not null
                """,
                [.text(id)]
            ).first
            guard let row else { return nil }
            let applied = try JSONValue(parsing: try row.bytes("applied")).array ?? []
            return (try JSONValue(parsing: try row.bytes("improved")), applied.compactMap(\.string))
        }
    }

    // MARK: Recommendations

    /// Keeps recommendations of a job's résumé, in one transaction with the job's row held. Those of the same résumé stay as they are, with what their
    /// owner filled in, unless they are replaced, or a model has words for one that none has seen yet; then the job has another version. Those of a
    /// résumé that is no longer the job's are not kept.
    ///
    /// - Throws: ABORTED where they were to replace others, and the résumé is no longer the job's.
    package func keep(
        _ recommendations: [Recommendation],
        of job: Job,
        replacing: Bool
    ) async throws {
        let statements = recommendations.map { recommendation in
            PostgresStatement(
                """
                insert into recommendations.recommendation (job_id, id, revision, body)
                values ($1::text, $2::text, $3::bigint, $4::jsonb)
                on conflict (job_id, id) do update set body = excluded.body, revision = excluded.revision
                where $5::bool or recommendation.revision < excluded.revision
                    or (not recommendation.body ? 'customizedContent' and excluded.body -> 'metadata' ? 'source'
                        and not coalesce(recommendation.body -> 'metadata', '{}') ? 'source')
                returning xmax <> 0 as was_there
                """,
                [
                    .text(job.id), .text(recommendation.id), .int(job.revision), .text(recommendation.json.text),
                    .bool(replacing),
                ]
            )
        }
        guard !statements.isEmpty || replacing else { return }
        try await pool.transact { connection in
            let row = try connection.query(
                "select revision from recommendations.job where id = $1::text for update",
                [.text(job.id)]
            ).first
            guard try row?.int("revision") == job.revision else {
                guard !replacing else {
                    throw CallableError(.aborted, "the résumé has just been changed; ask for recommendations anew")
                }
                return
            }
            // Answers that were given rest on what was there: they are of the past once some of it got other words, and not by a try alone.
            let answers = statements.isEmpty ? [] : try connection.pipeline(statements)
            let hasChanged = try answers.contains { try $0.first?.bool("was_there") ?? false }
            if replacing || hasChanged { try Self.age(job.id, connection) }
        }
    }

    /// Makes every answer that was given for a job one of the past, in all processes.
    private static func age(_ job: String, _ connection: isolated PostgresConnection) throws {
        _ = try connection.query(
            "update recommendations.job set version = version + 1 where id = $1::text",
            [.text(job)]
        )
    }

    package func recommendations(_ ids: [String], of job: String) async throws -> [Recommendation] {
        try await pool.run { try Self.recommendations(ids, of: job, $0) }
    }

    private static func recommendations(
        _ ids: [String],
        of job: String,
        _ connection: isolated PostgresConnection
    ) throws -> [Recommendation] {
        let list = JSONValue.array(ids.map { .string($0) }).text
        return try connection.query(
            """
            select convert_to(r.body::text, 'UTF8') as body
            from recommendations.recommendation r join recommendations.job j on j.id = r.job_id and j.revision = r.revision
            where r.job_id = $1::text and r.id in (select jsonb_array_elements_text($2::jsonb)) order by r.id
            """,
            [.text(job), .text(list)]
        ).rows.map { try Recommendation(json: try JSONValue(parsing: try $0.bytes("body"))) }
    }

    /// Changes a recommendation in one transaction, during which nobody else changes anything of its job.
    package func change(
        _ id: String,
        of job: String,
        _ body: @escaping @Sendable (Recommendation, Job) throws -> Recommendation
    ) async throws -> Recommendation? {
        try await pool.transact { connection in
            guard let owner = try Self.job(job, connection, locked: true),
                let recommendation = try Self.recommendations([id], of: job, connection).first
            else { return nil }
            let changed = try body(recommendation, owner)
            _ = try connection.query(
                "update recommendations.recommendation set body = $3::jsonb where job_id = $1::text and id = $2::text",
                [.text(job), .text(id), .text(changed.json.text)]
            )
            try Self.age(job, connection)
            return changed
        }
    }

    /// Makes a job's improved résumé in one transaction: it is there as a whole, or as it was before.
    ///
    /// - Parameter body: makes it, and whatever is to be told of it; where it throws, nothing has changed.
    package func improve<Told: Sendable>(
        _ job: String,
        by ids: [String],
        _ body: @escaping @Sendable (Job, [Recommendation]) throws -> (Improvement, Told)
    ) async throws -> Told? {
        try await pool.transact { connection in
            guard let owner = try Self.job(job, connection, locked: true) else { return nil }
            let (improvement, told) = try body(owner, try Self.recommendations(ids, of: job, connection))
            let applied = JSONValue.array(improvement.applied.map { .string($0.id) })
            _ = try connection.query(
                "update recommendations.job set improved = $2::jsonb, applied = $3::jsonb where id = $1::text",
                [.text(job), .text(improvement.resume.text), .text(applied.text)]
            )
            return told
        }
    }
}
