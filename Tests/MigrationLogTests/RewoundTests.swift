import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("A log that went back in time", .database)
struct RewoundTests {
    /// The last commits of a stream are gone, as after a failover to a standby that had not got them.
    private func lose(after version: Int64, _ test: TestLog) async throws {
        try await test.tamper(
            """
            delete from migrate.commit where stream = 'm' and version > \(version);
            update migrate.stream s set version = \(version), head = c.hash, at = c.at from migrate.commit c
                where s.stream = 'm' and c.stream = 'm' and c.version = \(version);
            delete from migrate.text t where t.stream = 'm' and not exists (
                select from migrate.commit c where c.stream = 'm' and position(t.token in convert_from(c.body, 'UTF8')) > 0)
            """
        )
    }

    @discardableResult
    private func report(_ test: TestLog, _ route: MigrationLog.Route, by instance: UUID? = nil) async throws -> Bool {
        try await test.log.report(
            "m",
            router: "r1",
            environment: "staging",
            log: route.log,
            revision: route.revision,
            hash: route.hash,
            instance: instance,
            notify: false
        )
    }

    @Test("of two processes that have one router's name nothing is taken; a successor is taken at its word")
    func contested() async throws {
        let test = try await TestLog()
        try await test.sample()
        let route = try #require(try await test.log.route("m", environment: "staging"))
        func says(_ instance: UUID) async throws -> Bool { try await report(test, route, by: instance) }
        func heard() async throws -> Int64? { try await test.log.reports(of: "m").first?.revision }
        let first = UUID(), second = UUID(), third = UUID()
        for instance in [first, first, second, second] {
            #expect(try await !says(instance))
            #expect(try await heard() == route.revision)
        }
        // The one before was not gone.
        for instance in [first, first, second, second, first] {
            #expect(try await says(instance))
            #expect(try await heard() == nil)
        }
        try await test.tamper(
            "update migrate.router set rival_at = rival_at - interval '2 minutes', contested_at = contested_at - interval '2 minutes'"
        )
        for instance in [first, third, third] { #expect(try await !says(instance)) }
        #expect(try await heard() == route.revision)
    }

    @Test("a roll back while it is quarantined begins a new incarnation, whose route a router of the old one can take")
    func rollBack() async throws {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(
            .setWeight(weight: SamplePlan.weight(2_000), service: nil, environment: "staging", reason: "x"),
            on: "m",
            by: "ana"
        )
        let first = try #require(try await test.log.route("m", environment: "staging"))
        #expect(first.revision == 7)
        try await report(test, first)
        try await lose(after: 6, test)
        // The projections went back with it.
        try await test.sql("update migrate.traffic set revision = 3, version = 4 where environment = 'staging'")
        let (stream, sight) = try await test.log.look(at: "m", from: nil)
        #expect(sight.reports.map(\.revision) == [7])
        let quarantine = Command.quarantine(router: "r1", revision: 7, isForked: false)
        _ = try await test.log.perform(worker: quarantine, on: stream, by: "worker:w")
        _ = try await test.log.perform(.rollBack(reason: "not sure"), on: "m", by: "ana")
        let second = try #require(try await test.log.route("m", environment: "staging"))
        #expect(second.log != first.log)
        #expect(second.ancestors == [first.log])
        #expect(second.weights.values.allSatisfy { $0 == .zero })
        // What was known of the old incarnation says nothing about the new one.
        #expect(try await test.log.reports(of: "m").map(\.revision) == [nil])
        _ = try await test.log.perform(.declareRewound(reason: "backup of Monday"), on: "m", by: "kim")
        let who = try await test.log.pool.run {
            try $0.query("select decided_by from migrate.rollback_history").rows.map { try $0.text("decided_by") }
        }
        #expect(who == ["ana"])
        let third = try #require(try await test.log.route("m", environment: "staging"))
        #expect(third.ancestors == [first.log, second.log])
        try await report(test, third)
        #expect(try await test.log.reports(of: "m").map(\.revision) == [third.revision])
        #expect(try await test.log.look(at: "m", from: stream).0.incarnation == 3)
        let replay = try await test.replay()
        #expect(replay.divergence?.message.contains("projection") ?? true, "\(String(describing: replay.divergence))")
        #expect(replay.commits == 9)
    }

    @Test("a router that heard a lost commit is told so when it asks, although the log has passed its revision")
    func passed() async throws {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(
            .setWeight(weight: SamplePlan.weight(2_000), service: nil, environment: "staging", reason: "x"),
            on: "m",
            by: "ana"
        )
        let heard = try #require(try await test.log.route("m", environment: "staging"))
        let known = MigrationLog.KnownRoute(log: heard.log, revision: heard.revision, hash: heard.hash)
        #expect(try await test.log.route("m", environment: "staging", known: known)?.isForked == false)
        try await lose(after: 6, test)
        for turn in 0..<3 { _ = try await test.log.perform(.halt(reason: "\(turn)"), on: "m", by: "ana") }
        try await test.sql("update migrate.traffic set revision = 3 where environment = 'staging'")
        #expect(try await test.log.route("m", environment: "staging", known: known)?.isForked == true)
        try await report(test, heard)
        #expect(try await test.log.reports(of: "m").map(\.isForked) == [true])
    }

    @Test("a router that knows an incarnation which the log has lost is a sign of that")
    func lostIncarnation() async throws {
        let test = try await TestLog()
        try await test.sample()
        var route = try #require(try await test.log.route("m", environment: "staging"))
        route.log = UUID().uuidString
        try await report(test, route)
        #expect(try await test.log.reports(of: "m").map(\.isForked) == [true])
        #expect(try await test.log.unfinished() == ["m"])
    }

    @Test(
        "an incarnation that is not begun where it should be, or begun where it should not, is found",
        arguments: [
            (Command.halt(reason: "x"), true, "another incarnation"),
            (Command.declareRewound(reason: "x"), false, "should have begun"),
        ]
    )
    func forged(_ command: Command, _ begins: Bool, _ says: String) async throws {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(.quarantine(router: "r1", revision: 40), on: "m", by: "worker:w")
        let stream = try await test.log.load("m")
        let events = try stream.state.decideRecorded(command, by: "eve", at: stream.now)
        let body = try CommitCodec.encode(command: command, decidedAt: stream.now, events: events)
        try await test.sql(
            "select migrate.append('m', 7, null, gen_random_uuid(), 'eve', $1::bytea, $2::boolean)",
            [.bytes(body), .bool(begins)]
        )
        let divergence = try #require(try await test.replay().divergence)
        #expect(divergence.version == 8)
        #expect(divergence.message.contains(says), "\(divergence.message)")
    }

    @Test("a body that says a thing twice, which SQL would read otherwise, is found")
    func twice() async throws {
        let test = try await TestLog()
        try await test.sample()
        let stream = try await test.log.load("m")
        let command = Command.halt(reason: "x")
        let events = try stream.state.decideRecorded(command, by: "eve", at: stream.now)
        let body = try CommitCodec.encode(command: command, decidedAt: stream.now, events: events)
        let other =
            Array(String(decoding: body, as: UTF8.self).dropLast().utf8) + Array(#","events":[{"completed":{}}]}"#.utf8)
        try await test.sql(
            "select migrate.append('m', 6, null, gen_random_uuid(), 'eve', $1::bytea, false)",
            [.bytes(other)]
        )
        let divergence = try #require(try await test.replay().divergence)
        #expect(divergence.version == 7)
        #expect(divergence.message.contains("“events” stands twice"), "\(divergence.message)")
    }
}
