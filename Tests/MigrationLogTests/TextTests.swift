import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("What people wrote", .database)
struct TextTests {
    private let name = "Mrs Smith of Acme called"

    /// A migration that somebody halted with a text, at version 8.
    private func halted() async throws -> TestLog {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(.resume(reason: "go on"), on: "m", by: "ana")
        let performed = try await test.log.perform(.halt(reason: name), on: "m", by: "ana")
        #expect(performed?.commit.version == 8)
        return test
    }

    private func reason(_ state: MigrationState) -> String? {
        guard case .halted(let halt)? = state.migration?.phase else { return nil }
        return halt.reason
    }

    /// Why a command was refused, or what it redacted.
    private func outcome(_ performed: MigrationLog.Performed) -> (refusal: Refusal?, redacted: [String]) {
        switch performed.commit.events.first {
        case .overrideRefused(let refusal): (refusal, [])
        case .redacted(let texts): (nil, texts)
        default: (nil, [])
        }
    }

    private func bodies(_ test: TestLog) async throws -> String {
        try await test.log.rows("m", after: 0).map { String(decoding: $0.body, as: UTF8.self) }.joined()
    }

    @Test("stands beside the log, with its token in the commit, the state and the projections")
    func apart() async throws {
        let test = try await halted()
        #expect(try await !bodies(test).contains("Smith"))
        let texts = try await test.log.texts(of: "m")
        let state = try await test.log.load("m").state
        let token = try #require(reason(state))
        #expect(KeptText.isToken(token))
        #expect(reason(try texts.tell(state)) == name)
        #expect(texts.tell("halted: \(token).") == "halted: \(name).")
        #expect(try await test.replay().divergence == nil)
    }

    @Test("what a check has printed that a worker ran stands beside the log too, and is dropped like the rest")
    func printed() async throws {
        let test = try await halted()
        let command = Command.reportCheck(check: "e2e", isPassed: false, detail: "no: \(name)")
        let reported = try #require(try await test.log.perform(command, on: "m", by: "worker:w"))
        #expect(try await !bodies(test).contains("Smith"))
        #expect(try await test.log.texts(of: "m").tell(reported.commit).command == command)
        let done = try #require(
            try await test.log.redact([reported.commit.version], of: "m", reason: "a name", by: "ana")
        )
        #expect(done.count == 1)
        let dropped = Command.reportCheck(check: "e2e", isPassed: false, detail: Texts.dropped)
        #expect(try await test.log.texts(of: "m").tell(reported.commit).command == dropped)
        #expect(try await test.replay().divergence == nil)
    }

    @Test("what a worker of an earlier release wrote stands in its commit, whatever it looks like")
    func written() async throws {
        let test = try await TestLog()
        let plan = SamplePlan.plan()
        let detail = KeptText.prefix + String(repeating: "0a", count: 32)
        try await appendEarlier(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), by: "ana", to: test)
        try await appendEarlier(.registerRouter(router: "r1", environment: "staging"), by: "worker:w", to: test)
        try await appendEarlier(.start(reason: nil), by: "ana", to: test)
        try await appendEarlier(.reportCheck(check: "e2e", isPassed: false, detail: detail), by: "worker:w", to: test)
        // An append by itself writes no projections.
        _ = try await Rebuild("m", of: test.log).run()
        #expect(try await test.replay().divergence == nil)
        #expect(try await test.log.redact([4], of: "m", reason: "x", by: "ana") == nil)
    }

    @Test("nobody writes as an earlier release would have, by its rules, once somebody has written as this one does")
    func falling() async throws {
        let test = try await halted()
        try await appendEarlier(.acknowledge(router: "r1", revision: 4), by: "worker:w", to: test)
        let divergence = try await test.replay().divergence
        #expect(divergence?.message.contains("it is of format 3, and an earlier commit of format 4") == true)
    }

    /// Appends what format 3 would have said of a command.
    private func appendEarlier(_ command: Command, by actor: String, to test: TestLog) async throws {
        let loaded = try await test.log.load("m")
        let events = try loaded.state.decideRecorded(command, by: actor, at: loaded.now)
        let body = String(
            decoding: try CommitCodec.encode(command: command, decidedAt: loaded.now, events: events),
            as: UTF8.self
        )
        #expect(body.contains("\"format\":4"))
        try await test.sql(
            "select migrate.append('m', $1::bigint, null, gen_random_uuid(), $2::text, $3::bytea, false)",
            [
                .int(loaded.state.version), .text(actor),
                .bytes(Array(body.replacing("\"format\":4", with: "\"format\":3").utf8)),
            ]
        )
    }

    @Test("is dropped for good, and the replay is whole as before, which says so; it is said who dropped it")
    func redacted() async throws {
        let test = try await halted()
        let head = try await test.log.load("m").head
        let done = try #require(try await test.log.redact([8], of: "m", reason: "a customer's name", by: "ben"))
        #expect(done.count == 1)
        #expect(done.performed.commit.version == 9)
        let tokens = outcome(done.performed).redacted
        #expect(tokens.count == 1)
        let texts = try await test.log.texts(of: "m")
        let dropped = try #require(texts.all[tokens[0]])
        #expect(dropped.content == nil && dropped.salt == nil)
        #expect(texts.tell("“\(tokens[0])”") == "“[redacted]”")
        #expect(texts.all.values.contains { $0.content == "a customer's name" })
        #expect(try await test.log.rows("m", after: 7).first?.hash == head)
        #expect(try await test.replay().divergence == nil)
        // Nobody who may append can drop more, or change or forget what stands there.
        let appender = PostgresPool(try TestDatabase.conninfo + " options='-c role=migrate_append'", name: "appender")
        for statement in [
            "select migrate.drop_redacted('m')", "select migrate.keep_text('m', '\(tokens[0])', '\\x00', 'y')",
            "insert into migrate.text (stream, token, salt, content) values ('m', '\(tokens[0].dropLast())0', '\\x00', 'y')",
            "update migrate.text set content = 'x'", "delete from migrate.text",
            "update migrate.text set content = null, salt = null, dropped_at = now()",
        ] {
            await #expect(throws: (any Error).self) { try await appender.run { _ = try $0.query(statement) } }
        }
        _ = try await MigrationLog(pool: appender).perform(
            .resume(reason: "who may append may write"),
            on: "m",
            by: "cy"
        )
        await appender.close()
        await #expect(throws: (any Error).self) {
            try await test.sql("update migrate.text set content = 'x' where content is not null")
        }
        // It comes back with an old backup: the replay tells.
        try await test.tamper(
            "update migrate.text set content = 'Mrs Smith', salt = '\\x00', dropped_at = null where content is null"
        )
        #expect(try await test.replay().divergence?.version == 8)
    }

    @Test("is not dropped by a commit that is no redaction, whatever its events say")
    func forged() async throws {
        let test = try await halted()
        let token = try #require(reason(try await test.log.load("m").state))
        try await test.sql(
            """
            select migrate.append('m', 8, null, gen_random_uuid(), 'ana', convert_to('{"command":{"tick":{}},"decidedAt":'
                || (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1
                || ',"events":[{"redacted":{"texts":["\(token)"]}}],"format":2}', 'UTF8'), false)
            """
        )
        try await test.sql("select migrate.drop_redacted('m')")
        #expect(try await test.log.texts(of: "m").all[token]?.content == name)
    }

    @Test("is dropped in every state, by people only, and there has to be one")
    func rules() async throws {
        let test = try await halted()
        #expect(try await test.log.redact([1], of: "m", reason: "x", by: "ana") == nil)
        let refused = try #require(try await test.log.redact([8], of: "m", reason: "x", by: "worker:w"))
        #expect(outcome(refused.performed).refusal?.code == .notAllowed)
        let texts = try await test.log.texts(of: "m")
        #expect(texts.all.values.allSatisfy { $0.content != nil })
        _ = try await test.log.perform(.abandon(reason: "no more"), on: "m", by: "ana")
        #expect(try await test.log.load("m").state.migration?.phase.name == "rollingBack")
        let done = try #require(try await test.log.redact([8], of: "m", reason: "x", by: "ana"))
        #expect(outcome(done.performed).redacted.count == 1)
        #expect(try await test.replay().divergence == nil)
    }

    @Test(
        "the same words under the same command ID are the same command, other words are another, a dropped text is taken to be the same"
    )
    func repeated() async throws {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(.resume(reason: "go on"), on: "m", by: "ana")
        let id = UUID()
        let first = try #require(try await test.log.perform(.halt(reason: name), on: "m", by: "ana", id: id))
        let again = try #require(try await test.log.perform(.halt(reason: name), on: "m", by: "ana", id: id))
        #expect(again.isRepeated)
        #expect(again.commit == first.commit)
        await #expect(throws: LogError.self) {
            try await test.log.perform(.halt(reason: "other"), on: "m", by: "ana", id: id)
        }
        await #expect(throws: LogError.self) {
            try await test.log.perform(.halt(reason: name), on: "m", by: "ben", id: id)
        }
        _ = try await test.log.redact([first.commit.version], of: "m", reason: "x", by: "ana")
        let third = try #require(try await test.log.perform(.halt(reason: name), on: "m", by: "ana", id: id))
        #expect(third.isRepeated)
    }

    @Test("only a whole token that the stream has is replaced, once")
    func tokens() throws {
        let salt = [UInt8](repeating: 7, count: 16)
        let token = KeptText.token(salt, "see text:")
        // SHA-256 of the tag, the salt and the content, by another program.
        #expect(token == "text:" + Self.known)
        let texts = Texts([KeptText(token: token, salt: salt, content: "see \(token)")])
        #expect(texts.tell("a \(token) b") == "a see \(token) b")
        for text in ["text:", "text:abc", String(token.dropLast()), "text:" + String(repeating: "g", count: 64)] {
            #expect(texts.tell(text) == text)
        }
        #expect(!KeptText(token: token, salt: salt, content: "other").isWhole)
        #expect(KeptText(token: token, salt: nil, content: nil).isWhole)
        #expect(!KeptText(token: token, salt: nil, content: "see text:").isWhole)
        #expect(try texts.tell(["\"\(token)\\"]) == ["\"see \(token)\\"])
    }

    private static let known = "93fed147e0c2032f335110f7bc7362ce42fc9b9af8a48e788185b47ee6047191"
}

@Suite("Commits of other formats")
struct FormatTests {
    private func body(_ format: String) -> [UInt8] {
        Array(
            #"{"command":{"pause":{"why":"lunch"}},"decidedAt":5,"events":[{"halted":{"cause":"person","reason":"lunch"}}]\#(format)}"#
                .utf8
        )
    }

    /// As if format 2 had called a halt a pause, and format 3 its reason a why.
    private let format = CommitFormat(
        current: 4,
        upcasts: [
            2: { body in
                guard let command = body["command"] as? [String: Any], let pause = command["pause"] else { return }
                body["command"] = ["halt": pause]
            },
            3: { body in
                guard let command = body["command"] as? [String: [String: Any]], let halt = command["halt"] else {
                    return
                }
                body["command"] = ["halt": ["reason": halt["why"]]]
            },
        ]
    )

    @Test("are read by a step from each format to the next, from the one that they were written in")
    func upcast() throws {
        let read = try CommitCodec.body(body(#","format":2"#), version: 1, format: format)
        #expect(read.command == .halt(reason: "lunch"))
        #expect(read.events == [.halted(cause: .person, reason: "lunch")])
        // Without a format it is 1, from which nothing changed.
        #expect(try CommitCodec.body(body(""), version: 1, format: format).command == .halt(reason: "lunch"))
        // What was renamed in format 2 is not looked for in format 3.
        #expect(throws: LogError.self) { try CommitCodec.body(body(#","format":3"#), version: 1, format: format) }
    }

    @Test(
        "of a later format are not read as if they were known",
        arguments: [",\"format\":5", ",\"format\":0", ",\"format\":-1"]
    )
    func later(_ format: String) throws {
        let error = #expect(throws: LogError.self) { try CommitCodec.body(body(format), version: 12) }
        #expect(error?.message.contains("this release reads formats 1 to 4") ?? false)
        #expect(error?.version == 12)
    }

    @Test("what is written says its format")
    func written() throws {
        let bytes = try CommitCodec.encode(command: .tick, decidedAt: Timestamp(rawValue: 1), events: [])
        #expect(
            String(decoding: bytes, as: UTF8.self) == #"{"command":{"tick":{}},"decidedAt":1,"events":[],"format":4}"#
        )
    }
}
