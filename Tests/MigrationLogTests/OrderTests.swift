import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("The order", .database)
struct OrderTests {
    @Test("is dense, the same for every reader, and the tree over it is the one that its leaves make up")
    func dense() async throws {
        let test = try await TestLog()
        for name in ["a", "b", "c"] { try await test.sample(name) }
        try await test.seal(18)
        let sealed = try await test.log.sealed(after: 0)
        #expect(sealed.map(\.n) == Array(1...18))
        #expect(
            sealed.map { "\($0.stream)\($0.row.version)" }
                == ["a", "b", "c"].flatMap { name in (1...6).map { "\(name)\($0)" } }
        )
        var frontier = MerkleFrontier()
        for commit in sealed {
            #expect(commit.leaf == MerkleTree.leaf(commit.row.hash))
            frontier.add(commit.leaf)
        }
        #expect(try await test.log.orderHead() == MigrationLog.OrderHead(size: 18, root: frontier.root))
        #expect(try await test.log.prover(size: 18).root() == frontier.root)
    }

    @Test("a commit whose transaction began before another's that is under way has to wait, and comes in its place")
    func horizon() async throws {
        let test = try await TestLog()
        try await test.sample("a")
        let slow = try await PostgresConnection(try TestDatabase.conninfo, name: "slow writer")
        try await slow.run {
            try $0.query("begin")
            _ = try $0.query("select pg_current_xact_id()")
        }
        try await test.sample("b")
        try await test.seal(6)
        let horizon = try await test.log.horizon()
        #expect(horizon.unsealed == 6)
        #expect(horizon.restored == 0)
        let holder = try #require(horizon.holders.first { $0.application == "slow writer" })
        #expect(holder.mend.contains("pg_terminate_backend"))
        #expect(try await test.log.sealNext() == 0)
        try await slow.run { _ = try $0.query("rollback") }
        await slow.close()
        try await test.seal(12)
        #expect(try await test.log.horizon().unsealed == 0)
    }

    @Test("after a logical restore into a younger cluster everything gets a number, once, and what comes then too")
    func restored() async throws {
        let test = try await TestLog()
        try await test.sample("a")
        try await test.seal(4)
        // The transaction IDs of a cluster that was a billion transactions older.
        try await test.tamper(
            """
            update migrate.commit set xid = (xid::text::bigint + 1000000000)::text::xid8;
            update migrate.sealer set xid = (xid::text::bigint + 1000000000)::text::xid8
            """
        )
        try await test.sample("b")
        #expect(try await test.log.sealNext() == 0)
        #expect(try await test.log.horizon().restored == 8)
        #expect(try await test.log.sealRestored() == 8)
        let horizon = try await test.log.horizon()
        #expect(horizon.restored == 0 && horizon.unsealed == 0)
        try await test.sample("c")
        try await test.seal(18)
        let sealed = try await test.log.sealed(after: 0)
        #expect(sealed.map(\.n) == Array(1...18))
        #expect(Set(sealed.map { "\($0.stream)\($0.row.version)" }).count == 18)
        #expect(try await test.log.prover(size: 18).root() == (try await test.log.orderHead().root))
    }

    @Test("a subscriber sees each commit once, and keeps its place with what it writes")
    func subscription() async throws {
        let test = try await TestLog()
        try await test.sample("a")
        try await test.seal(6)
        try await test.sql("create table seen (n bigint primary key, stream text)")
        let subscription = Subscription("seen", of: test.log)
        let write: @Sendable (SealedCommit, isolated PostgresConnection) throws -> Void = { commit, connection in
            _ = try connection.query(
                "insert into seen values ($1::bigint, $2::text)",
                [.int(commit.n), .text(commit.stream)]
            )
        }
        #expect(try await subscription.next(limit: 4, write) == 4)
        // What fails is undone as a whole, and comes again.
        await #expect(throws: TestFailure.self) {
            _ = try await subscription.next { commit, connection in
                try write(commit, connection)
                if commit.n == 6 { throw TestFailure("the disk is full") }
            }
        }
        #expect(try await subscription.position() == 4)
        #expect(try await subscription.next(write) == 2)
        #expect(try await subscription.next(write) == 0)
        try await test.sql("do $$ begin assert (select array_agg(n order by n) from seen) = '{1,2,3,4,5,6}'; end $$")
    }

    @Test("commits that are given numbers while a replay reads them are no gap in the order")
    func sealedMeanwhile() async throws {
        let test = try await TestLog()
        try await test.sample()
        var known = try await test.log.load("m")
        // More than a replay reads at once.
        for turn in 0..<1_000 {
            let performed = try await test.log.perform(.start(reason: "\(turn)"), on: "m", by: "ben", known: known)
            known = try #require(performed).stream
        }
        // So old that nobody's transaction holds them back.
        try await test.tamper("update migrate.commit set xid = '3'")
        let conninfo = try TestDatabase.conninfo
        var sealed = false
        let report = try await Replay("m", of: test.log).run { step in
            guard step.commit.version == 1_000 else { return }
            let all = "select 1 / ((select n from migrate.sealer) = 1006)::integer"
            let psql = try ChildProcess(
                "/usr/bin/psql",
                ["-d", conninfo, "-v", "ON_ERROR_STOP=1", "-c", "select migrate.seal_next(2000)", "-c", all],
                output: "/dev/null"
            )
            sealed = psql.wait() == 0
        }
        #expect(sealed)
        #expect(report.divergence == nil)
        #expect(report.commits == 1_006)
    }

    @Test("a number beyond the order’s size is found")
    func beyond() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.seal(6)
        #expect(try await test.replay().divergence == nil)
        try await test.tamper("update migrate.sealer set n = 3")
        #expect(try await test.replay().divergence?.message.contains("has number 6 of an order of 3") == true)
    }

    @Test("whoever reads by numbers does not pass by a commit that is gone")
    func gap() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.seal(6)
        try await test.tamper("delete from migrate.commit where version = 3")
        let error = await #expect(throws: LogError.self) { try await test.log.sealed(after: 0) }
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("number 3 of the order") == true)
        let reader = Subscription("reader", of: test.log)
        await #expect(throws: LogError.self) { try await reader.next { _, _ in } }
        #expect(try await reader.position() == 0)
        // Of two of one name who are outside of the database the slower takes nobody back.
        for place in [2, 5, 3] as [Int64] { try await reader.reach(place) }
        #expect(try await reader.position() == 5)
        // Unless whoever had it has lost it.
        for place in [4, 7] as [Int64] { try await reader.goBack(to: place) }
        #expect(try await reader.position() == 4)
    }

    @Test("of a stored subtree of 256 and more the proofs are as those from the leaves")
    func tiles() async throws {
        let test = try await TestLog()
        try await test.sample("a")
        for turn in 0..<600 {
            try await test.sql(
                """
                select migrate.append('x', \(turn), gen_random_uuid(), 'x', convert_to('{"command":1,"events":[],"decidedAt":' ||
                    (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1 || '}', 'UTF8'))
                """
            )
        }
        try await test.seal(606)
        let leaves = try await test.log.sealed(after: 0).map(\.leaf)
        let head = try await test.log.orderHead()
        let prover = test.log.prover(size: head.size)
        for index in [0, 1, 255, 256, 511, 512, 605] as [Int64] {
            let proof = try await prover.inclusion(of: index)
            #expect(
                MerkleTree.verify(inclusionOf: leaves[Int(index)], at: index, size: 606, proof: proof, root: head.root)
            )
        }
        var frontier = MerkleFrontier()
        for leaf in leaves.prefix(300) { frontier.add(leaf) }
        let proof = try await prover.consistency(with: 300)
        #expect(
            MerkleTree.verify(consistencyOf: 300, root: frontier.root, with: 606, root: head.root, proof: proof)
        )
    }

    @Test(
        "who may sign keeps a checkpoint of where the order stands, and no other; one that nobody vouches for hides nothing else from an audit"
    )
    func checkpoints() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.seal(6)
        let head = try await test.log.orderHead()
        let all = try await test.log.incarnations()
        let id = try #require(all.id(of: all.newest))
        func pool(_ role: String) throws -> PostgresPool {
            PostgresPool(try TestDatabase.conninfo + " options='-c role=\(role)'", name: role)
        }
        let (appender, signer) = (try pool("migrate_append"), try pool("migrate_sign"))
        var heads = StreamHeads([StreamHeads.Head(stream: "m", version: 6, hash: try await test.log.load("m").head)])
        let streams = heads.root()
        func keep(
            _ head: MigrationLog.OrderHead,
            of log: UUID,
            _ sql: String,
            by pool: PostgresPool? = nil,
            hasStreams: Bool = true
        ) async throws -> Bool {
            var checkpoint = Checkpoint(log: log, head: head, streams: hasStreams ? streams : nil)
            try checkpoint.sign(with: SigningKey())
            let note = checkpoint.note
            return try await (pool ?? signer).run { connection in
                try connection.query(sql, [.int(head.size), .bytes(head.root), .text(note)]).first?.bool("is_kept")
                    ?? false
            }
        }
        let function = "select migrate.keep_checkpoint($1::bigint, $2::bytea, $3::text) as is_kept"
        let insert =
            "insert into migrate.checkpoint (n, root, note) values ($1::bigint, $2::bytea, $3::text) returning true as is_kept"
        let wrong = MigrationLog.OrderHead(size: head.size, root: [UInt8](repeating: 1, count: 32))
        let early = MigrationLog.OrderHead(size: head.size - 1, root: head.root)
        await #expect(throws: PostgresError.self) { try await keep(head, of: id, insert) }
        await #expect(throws: PostgresError.self) { try await keep(wrong, of: id, function) }
        await #expect(throws: PostgresError.self) { try await keep(head, of: id, function, hasStreams: false) }
        await #expect(throws: PostgresError.self) { try await keep(head, of: UUID(), function) }
        let refused = await #expect(throws: PostgresError.self) {
            try await keep(head, of: id, function, by: appender)
        }
        #expect(refused?.sqlState == "42501")
        #expect(try await !keep(early, of: id, function))
        #expect(try await keep(head, of: id, function))
        #expect(try await !keep(head, of: id, function))
        let complaint = try await OrderAudit(test.log).run().divergence?.message ?? ""
        #expect(complaint.contains("of 6 commits is not signed by a key of the log"), "\(complaint)")
        try await test.tamper("update migrate.seal set leaf = sha256('x') where n = 6")
        let worse = try await OrderAudit(test.log).run().divergence?.message ?? ""
        #expect(worse.contains("number 6 of the order is not the leaf of its commit"), "\(worse)")
        await appender.close()
        await signer.close()
    }
}
