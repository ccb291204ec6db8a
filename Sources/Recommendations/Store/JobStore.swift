package import Postgres

/// Jobs with their résumés, and the recommendations that were made for them.
package struct JobStore: Sendable {
    /// A job as its owner left it.
    package struct Job: Sendable {
        package var owner: String
        package var resume: JSONValue
    }

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Makes the tables where there are none.
    package func install() async throws {
        try await pool.transact { connection in
            try connection.query("select pg_advisory_xact_lock(hashtextextended('recommendations schema', 0))")
            try connection.script(
                """
                create schema if not exists recommendations;
                create table if not exists recommendations.job (
                    id text primary key, owner text not null, resume jsonb not null, improved jsonb
                );
                create table if not exists recommendations.recommendation (
                    job_id text references recommendations.job, id text, body jsonb not null, primary key (job_id, id)
                );
                """
            )
        }
    }

    package func job(_ id: String) async throws -> Job? {
        try await pool.run { connection in
            let row = try connection.query(
                "select owner, convert_to(resume::text, 'UTF8') as resume from recommendations.job where id = $1::text",
                [.text(id)]
            ).first
            guard let row else { return nil }
            return Job(owner: try row.text("owner"), resume: try JSONValue(parsing: try row.bytes("resume")))
        }
    }

    /// Keeps recommendations; those that are there already stay as they are unless they are replaced.
    package func keep(_ recommendations: [Recommendation], of job: String, replacing: Bool) async throws {
        let bodies = try recommendations.map { ($0.id, String(decoding: try JSONCoding.encode($0), as: UTF8.self)) }
        let action = replacing ? "do update set body = excluded.body" : "do nothing"
        try await pool.run { connection in
            let statements = bodies.map { id, body in
                PostgresStatement(
                    """
                    insert into recommendations.recommendation (job_id, id, body) values ($1::text, $2::text, $3::jsonb)
                    on conflict (job_id, id) \(action)
                    """,
                    [.text(job), .text(id), .text(body)]
                )
            }
            if !statements.isEmpty { _ = try connection.pipeline(statements) }
        }
    }

    package func recommendations(_ ids: [String], of job: String) async throws -> [Recommendation] {
        let list = String(decoding: JSONValue.array(ids.map { .string($0) }).bytes, as: UTF8.self)
        return try await pool.run { connection in
            try connection.query(
                """
                select convert_to(body::text, 'UTF8') as body from recommendations.recommendation
                where job_id = $1::text and id in (select jsonb_array_elements_text($2::jsonb)) order by id
                """,
                [.text(job), .text(list)]
            ).rows.map { try JSONCoding.decode(Recommendation.self, try $0.bytes("body")) }
        }
    }

    package func keep(improved resume: JSONValue, of job: String) async throws {
        try await pool.run { connection in
            _ = try connection.query(
                "update recommendations.job set improved = $2::jsonb where id = $1::text",
                [.text(job), .text(String(decoding: resume.bytes, as: UTF8.self))]
            )
        }
    }

    /// Adds jobs that are not there yet.
    package func add(_ jobs: [(id: String, owner: String, resume: JSONValue)]) async throws {
        let statements = jobs.map { job in
            PostgresStatement(
                "insert into recommendations.job (id, owner, resume) values ($1::text, $2::text, $3::jsonb) on conflict (id) do nothing",
                [.text(job.id), .text(job.owner), .text(String(decoding: job.resume.bytes, as: UTF8.self))]
            )
        }
        for start in stride(from: 0, to: statements.count, by: PostgresConnection.pipelineLimit) {
            let batch = Array(statements[start..<min(start + PostgresConnection.pipelineLimit, statements.count)])
            try await pool.run { connection in _ = try connection.pipeline(batch) }
        }
    }
}
