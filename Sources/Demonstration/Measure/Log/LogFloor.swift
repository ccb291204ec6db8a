import Foundation

/// What this machine's PostgreSQL does at most, by its own tools: the floors beside which the log is measured, on its cluster and in its run.
struct LogFloor: Sendable {
    private let stage: Stage
    private let seconds: Int

    /// As long as the body of the commits that are measured, and as a hash, as PostgreSQL writes bytes.
    private static let body = "\\x" + String(repeating: "7b", count: 944)
    private static let hash = "\\x" + String(repeating: "7b", count: 32)

    /// - Parameters:
    ///   - stage: with a log, of which the tables are copied without what they hold.
    ///   - seconds: how long each rate is measured.
    init(stage: Stage, seconds: Int) throws {
        self.stage = stage
        self.seconds = seconds
        try stage.sql(
            """
            create table plain (id bigint generated always as identity primary key, stream text, version bigint,
                command_id uuid, actor text, at timestamptz default clock_timestamp(), body bytea);
            create schema bare;
            create table bare.commit (like migrate.commit including all);
            create table bare.stream (like migrate.stream including all);
            create table bare.migration (like migrate.migration including all);
            create table bare.traffic (like migrate.traffic including all);
            create table bare.criterion (like migrate.criterion including all);
            insert into bare.stream select 's' || i, 0, '\(Self.hash)', clock_timestamp() from generate_series(0, 15) i;
            insert into bare.migration
                select 's' || i, 1, 'running', 'production', 10000, 'hash', now(), 'ana', 1, 1, null from generate_series(0, 15) i;
            insert into bare.traffic select 's' || i, 'production', 'search', 1, 3, 10000, 10000, 1, 1, 1, 1 from generate_series(0, 15) i;
            insert into bare.criterion
                select 's' || i, 'production', 'criterion', n, 1, 'errors < 5 %', 'pass', 1, 1, 1, 1, 1, 1
                from generate_series(0, 15) i, generate_series(1, 3) n;
            """
        )
    }

    /// Rows a second that a prepared INSERT of one row a transaction writes.
    func plainInserts(clients: Int) throws -> Double {
        try rate(
            clients,
            """
            insert into plain (stream, version, command_id, actor, body)
                values ('stream', 1, gen_random_uuid(), 'worker-w', '\(Self.body)');

            """
        )
    }

    /// Transactions a second that write the rows of an append by the fewest statements, in one round trip: a commit with the log's indexes, its stream's
    /// head, and what one window changes in three projections. Nothing is looked up, hashed or checked.
    func bareAppends(clients: Int) throws -> Double {
        let stream = "stream = 's' || :client_id"
        return try rate(
            clients,
            """
            \\startpipeline
            insert into bare.commit (stream, version, command_id, actor, at, body, prev, hash)
                values ('s' || :client_id || '-' || :run, :v, gen_random_uuid(), 'worker-w', clock_timestamp(), '\(Self.body)', '\(Self.hash)', '\(Self.hash)');
            update bare.stream set version = :v, head = '\(Self.hash)', at = clock_timestamp() where \(stream);
            update bare.migration set version = :v, next_window = :v where \(stream);
            update bare.traffic set version = :v, observed_candidate = :v, observed_total = :v
                where \(stream) and environment = 'production' and service = 'search';
            update bare.criterion set version = :v, value = :v, "of" = :v where \(stream) and stage = 'production';
            \\endpipeline
            \\set v :v + 1

            """
        )
    }

    private func rate(_ clients: Int, _ script: String) throws -> Double {
        let file = stage.folder.appendingPathComponent("floor.sql")
        try Data(script.utf8).write(to: file)
        let run = "\(Int.random(in: 0..<1_000_000_000))"
        let output = try stage.tool(
            "pgbench",
            [
                "-n", "-M", "prepared", "-c", "\(clients)", "-j", "2", "-T", "\(seconds)", "-D", "v=1", "-D",
                "run=\(run)", "-f", file.path,
            ]
        )
        guard let line = output.split(separator: "\n").first(where: { $0.hasPrefix("tps = ") }),
            let rate = line.split(separator: " ").dropFirst(2).first.flatMap({ Double($0) })
        else { throw StageError("pgbench said nothing of its rate: \(output)") }
        return rate
    }

    /// Rows a second that COPY writes, 100 to a transaction, of a stream's commits without their hashes.
    func copyIn(_ stream: String) throws -> Double {
        let query =
            "copy (select stream, version, command_id, actor, at, body from migrate.commit where stream = '\(stream)' order by version) to stdout"
        let lines = try stage.tool("psql", ["-q", "-c", query]).split(separator: "\n")
        var script = ""
        for start in stride(from: 0, to: lines.count, by: 100) {
            script += "copy plain (stream, version, command_id, actor, at, body) from stdin;\n"
            script += lines[start..<min(lines.count, start + 100)].joined(separator: "\n") + "\n\\.\n"
        }
        let path = stage.folder.appendingPathComponent("copy.sql").path
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        let started = ContinuousClock.now
        _ = try stage.tool("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-f", path])
        return Double(lines.count) / ((ContinuousClock.now - started) / .seconds(1))
    }
}
