package import MigrationCore
import Postgres

/// Looks at a log as a whole: what is wrong with it or beside it, and what mends it.
package struct Doctor: Sendable {
    /// Something that is not as it should be.
    package struct Finding: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable {
            case owner, head, unreadable, locked, horizon, unsealed, restored, sealer, worker, projection, snapshot,
                stray
            case leases, signals, clock
        }
        package var kind: Kind
        package var message: String
        /// What a person does; nil where ``Doctor/mend(_:)`` can.
        package var mend: String?
        /// The stream that it is of, where it is of one.
        package var stream: String?
    }

    private let log: MigrationLog

    package init(_ log: MigrationLog) { self.log = log }

    /// Looks at everything, and changes nothing.
    ///
    /// - Parameter now: this machine's time, which is held against the database's; nil to leave that out.
    package func look(now: Timestamp?) async throws -> [Finding] {
        var findings = try await owners()
        let heads = try await heads()
        findings += heads
        findings += try await locks()
        findings += try await order()
        findings += try await unattended()
        findings += try await projections(besides: Set(heads.compactMap(\.stream)))
        findings += try await snapshots()
        findings += try await strays()
        findings += try await leftovers()
        if let now { findings += try await clock(now) }
        return findings
    }

    /// Mends what can be mended without a person's judgement.
    ///
    /// - Returns: what was done, in words; nil for a finding that a person has to mend.
    package func mend(_ finding: Finding) async throws -> String? {
        switch finding.kind {
        case .restored: return "sealed \(try await log.sealRestored()) commits by their own numbers"
        case .unsealed:
            var sealed: Int64 = 0
            do {
                while true {
                    let more = try await log.sealNext()
                    sealed += more
                    // Where nothing can be sealed somebody holds the order back, and has to be ended.
                    if more == 0 { return sealed == 0 ? nil : "sealed \(sealed) commits" }
                }
            } catch let error as LogError where error.cause?.sqlState == LogError.State.sealedInverted {
                // A restore brought commits that others have gone on from meanwhile.
                return "sealed \(sealed) commits, and \(try await log.sealRestored()) by their own numbers"
            }
        case .projection:
            guard let stream = finding.stream else { return nil }
            _ = try await Rebuild(stream, of: log).run()
            return "wrote the projections of \(stream) anew"
        case .snapshot:
            guard let stream = finding.stream else { return nil }
            _ = try await Rebuild(stream, of: log).run()
            return "wrote the snapshot of \(stream) anew"
        case .stray:
            let names = try await log.strayProjections()
            try await log.removeStrayProjections()
            return "removed the projections of \(names.joined(separator: ", "))"
        case .leases: return try await told(remove(Self.deadLeases), "leases")
        case .signals: return try await told(remove(Self.deadSignals), "measurements")
        case .owner, .head, .unreadable, .locked, .horizon, .sealer, .worker, .clock: return nil
        }
    }

    /// What was removed; nil where it was nothing.
    private func told(_ count: Int64, _ what: String) -> String? { count == 0 ? nil : "removed \(count) \(what)" }

    // MARK: - Looking

    /// What writes the log belongs to a role that nobody is: a restore into a cluster that has no such role leaves it to whoever restored it.
    private func owners() async throws -> [Finding] {
        try await rows(
            """
            select count(*) as found, min(o.name) as name, min(o.owner) as owner from (
                select p.proname as name, pg_get_userbyid(p.proowner) as owner from pg_proc p
                where p.pronamespace = 'migrate'::regnamespace and p.prosecdef
                union all
                select c.relname, pg_get_userbyid(c.relowner) from pg_class c
                where c.relnamespace = 'migrate'::regnamespace and c.relname in ('log', 'commit', 'stream')
            ) o where o.owner <> 'migrate_owner' having count(*) > 0
            """
        ) { row in
            Finding(
                kind: .owner,
                message:
                    "\(try row.int("found")) tables and functions that write the log, \(try row.text("name")) among them, belong to \(try row.text("owner")) and not to migrate_owner, whom nobody is",
                mend:
                    "restore it again into a new database of a cluster that has the roles: migrate db install, in any other database of it, makes them"
            )
        }
    }

    /// Streams whose head is not their last commit: what a failed restore or a hand leaves behind.
    private func heads() async throws -> [Finding] {
        try await rows(
            """
            with recursive streams as (
                (select stream from migrate.commit order by stream limit 1)
                union all
                select (select c.stream from migrate.commit c where c.stream > s.stream order by c.stream limit 1)
                from streams s where s.stream is not null
            )
            select n.stream, s.version, c.version as last
            from (select stream from streams union select stream from migrate.stream) n
            left join migrate.stream s on s.stream = n.stream
            left join lateral (
                select version, hash from migrate.commit c where c.stream = n.stream order by version desc limit 1
            ) c on true
            where n.stream is not null and (c.version is distinct from s.version or c.hash <> s.head)
            order by n.stream limit 20
            """
        ) { row in
            Finding(
                kind: .head,
                message:
                    "the head of \(try row.text("stream")) \(try row.optionalInt("version").map { "says version \($0)" } ?? "is gone"), and its last commit is \(try row.optionalInt("last") ?? 0)",
                mend: "appends to it stop; find out who changed it: migrate replay \(try row.text("stream"))",
                stream: try row.text("stream")
            )
        }
    }

    /// Who keeps appends to a stream waiting. No append takes so long; where nobody may see since when it is held, it is still so a moment later.
    private func locks() async throws -> [Finding] {
        let found = try await holders()
        guard found.contains(where: { $0.age == nil }) else { return found.map(\.finding) }
        try await Task.sleep(for: .seconds(1))
        let still = Set(try await holders().map(\.lock))
        return found.filter { $0.age != nil || still.contains($0.lock) }.map(\.finding)
    }

    private func holders() async throws -> [(lock: String, age: Int64?, finding: Finding)] {
        try await rows(
            """
            select h.stream, l.virtualtransaction as holder, l.pid, coalesce(p.gid, a.application_name, '') as name, quote_literal(p.gid) as gid,
                left(coalesce(a.query, ''), 200) as query,
                (extract(epoch from clock_timestamp() - coalesce(p.prepared, a.xact_start, a.state_change)) * 1000000)::bigint as age
            from migrate.stream h
            join pg_locks l on ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(h.stream, 0)
            left join pg_stat_activity a on a.pid = l.pid
            left join pg_locks x on x.locktype = 'transactionid' and x.virtualtransaction = l.virtualtransaction
                and x.pid is null and l.pid is null
            left join pg_prepared_xacts p on p.transaction = x.transactionid
            where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
                and l.database = (select oid from pg_database where datname = current_database())
                and coalesce(clock_timestamp() - coalesce(p.prepared, a.xact_start, a.state_change) > interval '10 seconds', true)
            order by h.stream, l.pid limit 20
            """
        ) { row in
            let (stream, name, age) = (try row.text("stream"), try row.text("name"), try row.optionalInt("age"))
            let pid = try row.optionalInt("pid"), gid = try row.optionalText("gid") ?? "…"
            let since = age.map { "since \(TimeSpan(rawValue: $0))" } ?? "for as long as only pg_read_all_stats may see"
            let whose = pid.map { "process \($0) (\(name))" } ?? "the prepared transaction “\(name)”"
            let finding = Finding(
                kind: .locked,
                message: "\(whose) keeps appends to \(stream) waiting \(since): \(try row.text("query"))",
                mend: pid.map { "end it, or: select pg_terminate_backend(\($0))" }
                    ?? "rollback prepared \(gid)",
                stream: stream
            )
            return ("\(stream) \(try row.text("holder"))", age, finding)
        }
    }

    private func order() async throws -> [Finding] {
        let horizon = try await log.horizon()
        var findings: [Finding] = []
        let restored = max(horizon.restored, try await passed())
        if restored > 0 {
            findings.append(
                Finding(
                    kind: .restored,
                    message:
                        "\(restored) commits came by a logical restore from another cluster: no waiting gives them a number"
                )
            )
        }
        let waiting = horizon.unsealed - horizon.restored
        guard waiting > 0, horizon.waits > .seconds(10) else { return findings }
        let old = horizon.holders.filter { $0.age ?? .seconds(11) > .seconds(10) }
        for holder in old {
            let whose = holder.pid.map { "process \($0) (\(holder.application))" } ?? "“\(holder.application)”"
            findings.append(
                Finding(
                    kind: .horizon,
                    message:
                        "\(whose) in database \(holder.database) holds the order back \(holder.age.map { "since \($0)" } ?? "for as long as only pg_read_all_stats may see"): \(holder.query)",
                    mend: "end it, or: \(holder.mend)"
                )
            )
        }
        let isSealed = try await log.liveLeases(prefix: MigrationLog.sealerLease).isEmpty == false
        if !isSealed {
            findings.append(
                Finding(
                    kind: .sealer,
                    message: "nobody seals: no worker holds the lease",
                    mend: "start one: migrate worker"
                )
            )
        }
        findings.append(
            Finding(
                kind: .unsealed,
                message: "\(waiting) commits have no number yet, the oldest since \(horizon.waits)"
            )
        )
        return findings
    }

    /// The phases in which windows are judged (``Phase/takesWindows``).
    package static let judged = ["running", "halted", "watching", "rollingBack", "partlyRolledBack"]

    /// Migrations whose windows are to be judged, where nobody is there to see to it.
    private func unattended() async throws -> [Finding] {
        guard try await log.liveLeases(prefix: MigrationLog.presenceLease).isEmpty else { return [] }
        let names = try await rows(
            """
            select stream from migrate.migration
            where phase in (\(Self.judged.map { "'\($0)'" }.joined(separator: ", "))) order by stream limit 20
            """
        ) { try $0.text("stream") }
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                kind: .worker,
                message:
                    "nobody judges or rolls back \(names.joined(separator: ", ")): no worker is alive",
                mend: "start one: migrate worker"
            )
        ]
    }

    /// Commits that the sealer's cursor has passed by: after a logical restore their transactions' IDs may be lower, and others have numbers by now.
    private func passed() async throws -> Int64 {
        try await rows(
            """
            select count(*) as passed from migrate.sealer s join only migrate.commit c on (c.xid, c.id) <= (s.xid, s.id)
            where not exists (select from migrate.seal e where e.id = c.id)
            """
        ) { try $0.int("passed") }.first ?? 0
    }

    private func strays() async throws -> [Finding] {
        let names = try await log.strayProjections()
        guard !names.isEmpty else { return [] }
        let message = "there are projections of \(names.joined(separator: ", ")), and the log has no such migration"
        return [Finding(kind: .stray, message: message)]
    }

    /// The migrations whose projections are not their fold's, each with the first such row; and those that cannot be folded.
    ///
    /// - Parameter named: of which it is known already that they cannot.
    private func projections(besides named: Set<String>) async throws -> [Finding] {
        var found: [Finding] = []
        for name in try await log.streams() where !named.contains(name) {
            do {
                guard let row = try await Rebuild(name, of: log).firstDifference() else { continue }
                let message = "the projections of \(name) are not the fold’s: \(row)"
                found.append(Finding(kind: .projection, message: message, stream: name))
            } catch let error as LogError where error.code == .damaged {
                found.append(
                    Finding(
                        kind: .unreadable,
                        message:
                            "\(name) cannot be read, and so neither judged nor rolled back: \(error.version.map { "version \($0): " } ?? "")\(error.message)",
                        mend: error.mend ?? "find out who changed it: migrate replay \(name)",
                        stream: name
                    )
                )
            }
        }
        return found
    }

    /// Snapshots that stand beside no commit: nobody reads them, and no append takes their place before it has a later version.
    private func snapshots() async throws -> [Finding] {
        try await rows(
            """
            select s.stream, s.version from migrate.snapshot s join migrate.stream h on h.stream = s.stream
            where not exists (
                select from migrate.commit c where c.stream = s.stream and c.version = s.version and c.hash = s.head
            )
            order by s.stream limit 20
            """
        ) { row in
            Finding(
                kind: .snapshot,
                message:
                    "the snapshot of \(try row.text("stream")) is of a version \(try row.int("version")) that it does not have",
                stream: try row.text("stream")
            )
        }
    }

    private static let deadLeases = "migrate.lease where expires_at < clock_timestamp() - interval '1 day'"
    private static let deadSignals = """
        migrate.signal s where exists (
            select from migrate.migration m where m.stream = s.stream and m.phase in ('rolledBack', 'completed', 'abandoned')
        ) and received_at < clock_timestamp() - interval '1 day'
        """

    private func leftovers() async throws -> [Finding] {
        let leases = try await rows("select count(*) as found from \(Self.deadLeases) having count(*) > 0") { row in
            Finding(kind: .leases, message: "\(try row.int("found")) leases ended more than a day ago")
        }
        let signals = try await rows("select count(*) as found from \(Self.deadSignals) having count(*) > 0") { row in
            Finding(kind: .signals, message: "\(try row.int("found")) measurements are of migrations that are over")
        }
        return leases + signals
    }

    private func clock(_ now: Timestamp) async throws -> [Finding] {
        try await rows("select clock_timestamp() as now") { row in
            Timestamp(rawValue: try row.microseconds("now"))
        }.compactMap { database in
            let ahead = now - database
            guard ahead > .seconds(2) || ahead < .seconds(-2) else { return nil }
            return Finding(
                kind: .clock,
                message:
                    "this machine’s clock is \(ahead > .zero ? ahead : .zero - ahead) \(ahead > .zero ? "ahead of" : "behind") the database’s, which decides",
                mend: "keep both in step (NTP): gateways measure by their own"
            )
        }
    }

    private func rows<R: Sendable>(_ sql: String, _ read: @Sendable (PostgresRow) throws -> R) async throws -> [R] {
        try await log.guarded {
            try await log.pool.run { connection in try connection.query(sql).rows.map { try read($0) } }
        }
    }

    private func remove(_ what: String) async throws -> Int64 {
        try await rows("with gone as (delete from \(what) returning 1) select count(*) as gone from gone") {
            try $0.int("gone")
        }.first ?? 0
    }
}
