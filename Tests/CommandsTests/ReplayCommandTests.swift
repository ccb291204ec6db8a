import Foundation
import MigrationCore
import MigrationLog
import PlanFile
import Postgres
import Routing
import Schema
import Synchronization
import TestSupport
import Testing

@Suite("migrate replay and its forms", .database)
struct ReplayCommandTests {
    private static let text = """
        migration: shop
        services: { a: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2" } }
        sticky_by: [client_ip]
        window: 100ms
        stages: [{ name: p, environment: p, steps: [50%, 100%], bake: 200ms }]
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 200ms]
        watch: 1h
        expires: 1d

        """

    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    /// A migration that went to 100 % and was rolled back there, by its own windows.
    ///
    /// - Returns: the version that rolled back.
    private func play() async throws -> Int64 { try await Shop(Self.text).play() }

    @Test(
        "a release replays and exports a log before its database is brought to the release’s schema, and does nothing else to it"
    )
    func gate() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2)
        let before = Array(Schema.files.prefix { $0.number <= SchemaInstaller.oldestReadable })
        #expect(before.count < Schema.files.count)
        _ = try await SchemaInstaller(pool: pool, files: before).install()
        let log = MigrationLog(pool: pool), plan = SamplePlan.plan()
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        _ = try await log.perform(.registerRouter(router: "r1", environment: "staging"), on: "m", by: "worker:w")
        _ = try await log.perform(.start(reason: "go"), on: "m", by: "ana")
        await pool.close()
        for arguments in [["replay", "--all"], ["replay", "m"], ["replay", "m", "--explain", "3"], ["export", "m"]] {
            let result = try Program.run(arguments, database: TestDatabase.conninfo)
            #expect(result.code == 0, "\(arguments): \(result.text)")
        }
        for arguments in [
            ["status", "m"], ["replay", "m", "--projections", "--rebuild"], ["halt", "m", "--reason", "x"],
        ] {
            let result = try Program.run(arguments, database: TestDatabase.conninfo)
            #expect(result.code != 0 && result.text.contains("migrate db install"), "\(arguments): \(result.text)")
        }
        #expect(try run("db", "install").code == 0)
        #expect(try run("replay", "--all").code == 0)
    }

    @Test(
        "then, why, and what if: the state as it was, the reasons of a decision, and another plan on the same windows"
    )
    func forms() async throws {
        let version = try await play()
        let whole = try run("replay", "shop")
        #expect(whole.code == 0)
        #expect(whole.text.contains("“error_rate > 10% for 200ms” fires"))

        let then = try run("replay", "shop", "--at", "4")
        #expect(then.code == 0)
        #expect(then.text.contains("as it was at version 4"))
        #expect(then.text.contains("running · p 50 % · baking"))
        #expect(try run("replay", "shop", "--at", "4", "--format", "json").text.contains("\"version\" : 4"))
        #expect(try run("replay", "shop", "--at", "2020-01-01 10:00").code == 1)
        #expect(try run("replay", "shop", "--at", "2100-01-01").text.contains("ROLLING BACK"))
        #expect(try run("replay", "shop", "--at", "99999").text.contains("ends at version \(version)"))
        #expect(try run("replay", "shop", "--at", "soon").code == 2)

        let why = try run("replay", "shop", "--explain", "\(version)")
        #expect(why.code == 0)
        for words in [
            "version \(version) of shop, by worker:w: window", "the same", "1 of 1 routers reported (r)", "20 % of 100",
            "streak 1 → 2 of 2", "guards come before everything else in a decision", "rolls back from 100 % to 0 %",
        ] { #expect(why.text.contains(words), "\(words) in \(why.text)") }
        let refusal = try run("start", "shop")
        #expect(refusal.code == 3)
        #expect(
            try run("replay", "shop", "--explain", "\(version + 1)").text.contains(
                "wrongState: shop was already started"
            )
        )
        #expect(try run("replay", "shop", "--explain", "99999").code == 1)
        #expect(
            try run("replay", "shop", "--explain", "\(version)", "--format", "json").text.contains("\"explanation\"")
        )

        let loose = try Program.file(Self.text.replacing("> 10% for 200ms", with: "> 30% for 200ms"), "loose.yaml")
        let what = try run("replay", "shop", "--what-if", loose)
        #expect(what.code == 0)
        #expect(what.text.hasPrefix("with the other plan shop would have gone another way from version \(version) on"))
        #expect(what.text.contains("none"))
        let json = try run("replay", "shop", "--what-if", loose, "--format", "json")
        #expect(json.text.contains("\"differsFrom\" : \(version)"))
        let same = try run("replay", "shop", "--what-if", try Program.file(Self.text, "same.yaml"))
        #expect(same.text.contains("would have gone the same way"))
        let other = try run("replay", "shop", "--what-if", Program.example)
        #expect(other.code == 1)
        #expect(other.text.contains("cannot be compared with what was recorded"))
        #expect(try run("replay", "shop", "--what-if", loose, "--at", "3").code == 2)
        #expect(try run("replay", "nonsense", "--at", "3").code == 3)

        let lines = try run("windows", "shop").text.split(separator: "\n")
        #expect(lines.count >= 5)
        let file = try Program.file(lines.joined(separator: "\n"), "windows.jsonl")
        let simulated = try run("simulate", try Program.file(Self.text, "shop.yaml"), "--windows", file)
        #expect(simulated.code == 0)
    }

    @Test(
        "an exported migration is verified without a database, by this program and by another; any changed byte is found"
    )
    func bundle() async throws {
        _ = try await play()
        let text = try run("export", "shop").text
        let file = try Program.file(text, "shop.bundle")
        let whole = try Program.run(["verify", file], database: "host=/nowhere")
        #expect(whole.code == 0)
        #expect(whole.text.contains("commits of shop, chain whole"))
        #expect(try Program.run(["verify", file, "--format", "json"]).text.contains("\"whole\" : true"))
        #expect(try Self.python(file) == 0)

        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let changes: [(String, [String])] = [
            ("cut", Array(lines.dropLast(2)) + [""]), ("swapped", [lines[0], lines[2], lines[1]] + lines[3...]),
            ("left out", [lines[0], lines[1]] + lines[3...]),
            ("doubled", [lines[0], lines[1], lines[1]] + lines[2...]),
            ("another actor", lines.map { $0.replacing("\"actor\":\"ana\"", with: "\"actor\":\"eve\"") }),
            ("another log", [lines[0].replacing("\"id\":\"", with: "\"id\":\"0")] + lines[1...]), ("empty", [""]),
            ("a blank at the end", lines.map { $0.isEmpty ? $0 : $0 + " " }),
        ]
        for (what, changed) in changes {
            let broken = try Program.file(changed.joined(separator: "\n"), "broken.bundle")
            let result = try Program.run(["verify", broken])
            #expect(result.code == 1, "\(what)")
            #expect(result.text.contains("BROKEN"), "\(what): \(result.text)")
            if what != "a blank at the end" { #expect(try Self.python(broken) != 0, "\(what)") }
        }
        #expect(try Program.run(["verify", "/nowhere.bundle"]).code == 1)
        #expect(try run("export", "nonsense").code == 3)
    }

    @Test("a shadow plan is judged beside the plan in force: status and every report compare what it would have done")
    func shadow() async throws {
        let strict = Self.text.replacing("> 10% for 200ms", with: "> 10% for 100ms")
        let version = try await Shop(Self.text).play(shadow: PlanFile.parse(strict, file: "strict.yaml"))
        let whole = try run("replay", "shop")
        #expect(whole.code == 0, "\(whole.text)")
        #expect(whole.text.contains("SHADOW: “error_rate > 10% for 100ms” fires; rolls back from 100 % to 0 %"))
        #expect(whole.text.contains("it goes another way from version \(version - 1) on"))
        let why = try run("replay", "shop", "--explain", "\(version - 1)")
        #expect(why.text.contains("nothing of it is carried out"))
        let status = try run("status", "shop")
        #expect(status.text.contains("with the shadow plan"))
        #expect(try run("status", "shop", "--format", "json").text.contains("\"differsFrom\" : \(version - 1)"))
        #expect(try run("replay", "shop", "--format", "markdown").text.contains("## Shadow plan"))
        #expect(try run("replay", "shop", "--format", "html").text.contains("<h2>Shadow plan</h2>"))
        #expect(try run("history", "shop", "--last", "2").text.contains("SHADOW: "))

        // By hand: begun with a file, ended by name; what cannot amend the plan is refused.
        let file = try Program.file(strict.replacing("window: 100ms", with: "window: 1s"), "slow.yaml")
        let refused = try run("shadow", "begin", file, "--reason", "slower")
        #expect(refused.code == 3)
        #expect(try run("shadow", "end", "shop", "--reason", "seen enough").code == 0)
        #expect(try run("shadow", "end", "shop", "--reason", "again").code == 3)
        #expect(try run("replay", "shop").code == 0)
    }

    @Test(
        "what people wrote is told in their words, dropped by its version, and gone from every report; the rest stays"
    )
    func redacted() async throws {
        let version = try await play()
        #expect(try run("abandon", "shop", "--reason", "Mrs Smith called", "--yes").code == 3)
        let told = try run("history", "shop", "--last", "1")
        #expect(told.text.contains("Mrs Smith called"))
        #expect(try run("replay", "shop", "--explain", "\(version + 1)").text.contains("Mrs Smith called"))
        let exported = try run("export", "shop").text
        #expect(exported.contains("Mrs Smith called"))
        let nothing = try run("redact", "shop", "--version", "2", "--reason", "x", "--yes")
        #expect(nothing.code == 1)
        #expect(nothing.text.contains("has no text"))
        let done = try run("redact", "shop", "--version", "\(version + 1)", "--reason", "a name", "--yes")
        #expect(done.text.contains("1 text of version \(version + 1) dropped"), "\(done.text)")
        for arguments in [
            ["history", "shop"], ["replay", "shop"], ["replay", "shop", "--format", "html"], ["export", "shop"],
            ["history", "shop", "--format", "json"], ["status", "shop"],
        ] {
            let shown = try Program.run(arguments, database: TestDatabase.conninfo)
            #expect(shown.code == 0, "\(shown.text)")
            #expect(!shown.text.contains("Smith"), "\(arguments)")
        }
        #expect(try run("history", "shop").text.contains("abandon “[redacted]”"))
        let bundle = try Program.file(try run("export", "shop").text, "redacted.bundle")
        #expect(try Program.run(["verify", bundle]).code == 0)
        #expect(try Self.python(bundle) == 0)
        // One that was exported before still has it, and holds; with other words it does not.
        let before = try Program.file(exported, "before.bundle")
        #expect(try Program.run(["verify", before]).code == 0)
        #expect(try Self.python(before) == 0)
        let changed = try Program.file(exported.replacing("Mrs Smith", with: "Mr. Smith"), "changed.bundle")
        #expect(try Program.run(["verify", changed]).code == 1)
        #expect(try Self.python(changed) != 0)

        #expect(try run("db", "archive", "shop").text.contains("shop is not over"))
        #expect(try run("db", "archive", "--older-than", "1d").text.contains("nothing to move"))
        #expect(try run("db", "archive").code == 2)
        #expect(try run("db", "archive", "nonsense").code == 3)
    }

    @Test("routes: what is asked, what routers say they have, what was seen; who drifts; why a user goes where he goes")
    func routes() async throws {
        let version = try await play()
        let shown = try run("route", "show", "shop")
        #expect(shown.code == 0)
        for words in ["asked     revision \(version)", "r         nothing", "said so never", "a 100 % of 100"] {
            #expect(shown.text.contains(words), "\(words) in \(shown.text)")
        }
        let drift = try run("route", "drift", "shop")
        #expect(drift.code == 1)
        #expect(drift.text.contains("r in p has none of this log, and \(version) is asked; it never said anything"))

        let log = try await Shop(Self.text).log
        let incarnations = try await log.incarnations()
        try await log.report(
            "shop",
            router: "r",
            environment: "p",
            log: incarnations.id(of: incarnations.newest)?.uuidString,
            revision: version,
            hash: Hex.text(try #require(try await log.rows("shop", after: version - 1).first).hash),
            notify: false
        )
        #expect(try run("route", "drift", "shop", "--silent-for", "1h").code == 0)
        #expect(try run("route", "show", "shop", "--format", "json").text.contains("\"hasIt\" : true"))
        try await eventually("a silence that is too long") {
            try run("route", "drift", "shop", "--silent-for", "1ms").code == 1
        }

        let why = try run("route", "explain", "shop", "u1")
        #expect(why.text.contains("u1 has bucket \(Bucket.of("u1", migration: "shop"))"))
        #expect(why.text.contains("  a 0 %: gateway legacy, haproxy legacy, nginx legacy"))
        #expect(why.text.contains("HAProxy  \(Dealing.haproxy.least("shop:u1")), by the xxHash32"))
        let data = Data(try run("route", "explain", "shop", "u1", "--format", "json").text.utf8)
        let said = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(said["bucket"] as? Int == Bucket.of("u1", migration: "shop"))
        #expect(try run("route", "show", "nonsense").code == 3)
        let key = try Program.file(String(repeating: "0123456789abcdef", count: 4), "force.key")
        let header = try run("route", "force", "shop", "candidate", "--environment", "p", "--key", key)
        #expect(
            header.text.wholeMatch(of: /x-migrate-force: candidate [0-9]{10} [A-Za-z0-9+\/]{43}=\n/) != nil,
            "\(header.text)"
        )
        let weak = try run(
            "route",
            "force",
            "shop",
            "legacy",
            "--environment",
            "p",
            "--key",
            try Program.file("short", "k")
        )
        #expect(weak.code == 3 && weak.text.contains("openssl rand"))
    }

    @Test("as a report: Markdown for a ticket, and one page with the weights over the measurements")
    func reports() async throws {
        let version = try await play()
        #expect(try run("halt", "shop", "--actor", "a|b", "--reason", "<b>&|").code == 3)
        let markdown = try run("replay", "shop", "--format", "markdown")
        #expect(markdown.code == 0)
        #expect(markdown.text.hasPrefix("# shop: rollingBack\n"))
        #expect(markdown.text.contains("\(version + 1) commits replayed: chain whole"))
        #expect(markdown.text.contains("| p | a | 0 % |"))
        #expect(markdown.text.contains("a\\|b"))
        let rows = markdown.text.split(separator: "\n").filter { $0.hasPrefix("|") }
        for row in rows { #expect(row.hasSuffix("|"), "\(row)") }
        let page = try run("replay", "shop", "--format", "html")
        #expect(page.code == 0)
        #expect(page.text.hasPrefix("<!doctype html>"))
        for words in ["<svg", "error_rate", "rolled back", "&lt;b&gt;&amp;|"] {
            #expect(page.text.contains(words), "\(words)")
        }
        #expect(!page.text.contains("<b>"))
        #expect(!page.text.contains("http://") && !page.text.contains("src="))
        #expect(try run("replay", "shop", "--format", "html", "--at", "3").code == 2)
        #expect(try run("replay", "--all", "--format", "markdown").code == 2)
    }

    @Test("an exported migration becomes a fixture elsewhere, which is replayed and asked what-if as the original is")
    func imported() async throws {
        let version = try await play()
        // With what a person wrote, what a check has printed, and what was redacted of both.
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2)
        let log = MigrationLog(pool: pool)
        var written: [Int64] = []
        for (actor, detail) in [("ana", "Mrs Smith called"), ("worker:w", "Mrs Smith"), ("worker:w", "exit code 3")] {
            let command = Command.reportCheck(check: "e2e", isPassed: false, detail: detail)
            written.append(try #require(try await log.perform(command, on: "shop", by: actor)).commit.version)
        }
        await pool.close()
        let redacted = try run(
            "redact",
            "shop",
            "--version",
            "\(written[0])",
            "--version",
            "\(written[1])",
            "--reason",
            "a name"
        )
        #expect(redacted.code == 0, "\(redacted.text)")
        let file = try Program.file(try run("export", "shop").text, "shop.bundle")
        #expect(try run("verify", file).code == 0)
        let exported = try String(contentsOfFile: file, encoding: .utf8)
        #expect(!exported.contains("Smith") && exported.contains("exit code 3"))
        let other = "fixture_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let admin = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        try await admin.run { _ = try $0.query("create database \(other)") }
        let conninfo = try TestDatabase.conninfo + " dbname=\(other)"
        func there(_ arguments: String...) throws -> Program.Result { try Program.run(arguments, database: conninfo) }
        #expect(try there("db", "install").code == 0)
        let done = try there("import", file)
        #expect(done.code == 0, "\(done.text)")
        #expect(try there("import", file).code == 1)
        #expect(try there("replay", "shop").code == 0)
        #expect(try there("replay", "--all").code == 0)
        let why = try there("replay", "shop", "--explain", "\(version)")
        #expect(try why.text == run("replay", "shop", "--explain", "\(version)").text)
        #expect(try there("export", "shop").text == run("export", "shop").text)
        // What comes after it goes on from there.
        #expect(try there("rollback", "shop", "--reason", "once more").code == 0)
        #expect(try there("replay", "shop").code == 0)
        let broken = try Program.file("nonsense\n", "broken.bundle")
        #expect(try there("import", broken).code == 1)
        try await admin.run { _ = try $0.query("drop database \(other) with (force)") }
        await admin.close()
    }

    @Test(
        "projections are held against the fold and written anew; the doctor finds and mends them; the log is followed"
    )
    func doctor() async throws {
        _ = try await play()
        #expect(try run("replay", "shop", "--projections").text.contains("every row is the fold’s"))
        let connection = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        try await connection.run { _ = try $0.query("update migrate.traffic set asked = 17") }
        let found = try run("replay", "shop", "--projections")
        #expect(found.code == 1)
        #expect(found.text.contains("traffic/p/a"))
        #expect(
            try run("replay", "shop", "--projections", "--format", "json").text.contains("\"row\" : \"traffic/p/a\"")
        )
        let sick = try run("doctor")
        #expect(sick.code == 1)
        #expect(sick.text.contains("projection: the projections of shop"))
        #expect(try run("doctor", "--mend", "--format", "json").text.contains("wrote the projections of shop anew"))
        #expect(try run("replay", "shop", "--projections").code == 0)
        try await connection.run { _ = try $0.query("delete from migrate.criterion") }
        #expect(try run("replay", "shop", "--projections", "--rebuild").code == 0)
        #expect(try run("replay", "shop").code == 0)
        #expect(try run("replay", "shop", "--rebuild").code == 2)
        await connection.close()
        #expect(try run("replay", "nonsense", "--projections").code == 3)

        let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test follow"))
        try await eventually("everything to be sealed") {
            _ = try await log.sealNext(limit: 100_000)
            return try await log.horizon().unsealed == 0
        }
        let count = try await log.orderHead().size
        let lines = try run("follow", "--as", "archive").text.split(separator: "\n")
        #expect(lines.count == Int(count))
        #expect(lines.first?.contains("\"n\":1") == true)
        #expect(try run("follow", "--as", "archive").text.isEmpty)
        #expect(try run("follow", "--after", "\(count - 1)").text.split(separator: "\n").count == 1)
    }

    @Test("keys, signed overrides, a kept checkpoint: who may, what vouches for it, and what a bundle shows of both")
    func evidence() async throws {
        _ = try await play()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func file(_ name: String) -> String { folder.appendingPathComponent(name).path }
        for name in ["ana", "ben", "sealer"] { #expect(try run("keys", "generate", file(name)).code == 0) }
        #expect(try run("keys", "generate", file("ana")).code == 1)
        func add(_ owner: String, _ roles: String..., key: String?) throws -> Program.Result {
            let key = key.map { ["--key", file($0)] } ?? []
            return try Program.run(
                ["keys", "add", "--owner", owner, "--file", file(owner), "--actor", "ana", "--reason", "first"] + key
                    + roles.flatMap { ["--role", $0] },
                database: TestDatabase.conninfo
            )
        }
        #expect(try add("ana", "keys", "operate", key: nil).code == 0)
        let unsigned = try add("ben", "approve", key: nil)
        #expect(unsigned.code == 3)
        #expect(unsigned.text.contains("has to be signed"))
        #expect(try add("ben", "approve", key: "ana").code == 0)
        #expect(try add("sealer", "checkpoint", key: "ana").code == 0)
        let required = try run(
            "keys",
            "require",
            "on",
            "--actor",
            "ana",
            "--key",
            file("ana"),
            "--reason",
            "production"
        )
        #expect(required.text.contains("overrides have to be signed"))

        let refused = try run("restart", "shop", "--actor", "ana", "--reason", "mended")
        #expect(refused.code == 3)
        #expect(refused.text.contains("have to be signed"))
        let bens = try run("restart", "shop", "--actor", "ana", "--key", file("ben"), "--reason", "mended")
        #expect(bens.text.contains("is ben’s, and the command is ana’s"))
        let role = try run("restart", "shop", "--actor", "ben", "--key", file("ben"), "--reason", "mended")
        #expect(role.text.contains("it takes the role operate"))
        #expect(try run("rollback", "shop", "--actor", "ben", "--key", file("ben"), "--reason", "calls").code == 0)
        #expect(try run("replay", "shop").code == 0)

        let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test evidence"))
        let key = try #require(SigningKey(pem: String(contentsOfFile: file("sealer"), encoding: .utf8)))
        func seal() async throws {
            try await eventually("everything to be sealed") {
                _ = try await log.sealNext(limit: 100_000)
                return try await log.horizon().unsealed == 0
            }
            _ = try await log.sign(with: key)
        }
        #expect(try run("checkpoint").code == 1)
        try await seal()
        let kept = file("kept.note")
        #expect(try run("checkpoint", "--keep", kept).code == 0)
        try FileManager.default.copyItem(atPath: kept, toPath: file("monday.note"))
        #expect(try run("halt", "shop", "--actor", "ana", "--key", file("ana"), "--reason", "x").code == 3)
        try await seal()
        #expect(try run("checkpoint", "--keep", kept).code == 0)
        #expect(try run("checkpoint", "--against", file("monday.note")).text.contains("goes on from"))
        #expect(try run("replay", "shop", "--checkpoint", file("monday.note")).code == 0)
        let all = try run("replay", "--all", "--checkpoint", file("monday.note"))
        #expect(all.code == 0)
        #expect(all.text.contains("2 checkpoints"))

        let bundle = try Program.file(try run("export", "shop", "--since", file("monday.note")).text, "shop.bundle")
        let whole = try Program.run(
            ["verify", bundle, "--checkpoint", file("monday.note"), "--public-key", key.publicKey.text]
        )
        #expect(whole.code == 0, "\(whole.text)")
        #expect(whole.text.contains("signed by sealer’s key"))
        #expect(whole.text.contains("which were all that it had by then"))
        #expect(try Self.python(bundle, file("monday.note")) == 0)
        #expect(try Self.openssl(folder, key.publicKey.text) == 0)
        #expect(try Self.openssl(folder, SigningKey().publicKey.text) != 0)
        // Nor does it wait for ever for what nobody has signed.
        let monday = try String(contentsOfFile: file("monday.note"), encoding: .utf8).split(separator: "\n")[1]
        let odd = try String(contentsOfFile: bundle, encoding: .utf8).replacing("\\n\(monday)\\n", with: "\\n0\\n")
        #expect(try Self.python(try Program.file(odd, "odd.bundle")) == 1)
        let stranger = try Program.run(["verify", bundle, "--public-key", SigningKey().publicKey.text])
        #expect(stranger.code == 1)
        let plain = try Program.file(try run("export", "shop").text, "plain.bundle")
        let unshown = try Program.run(["verify", plain, "--checkpoint", file("monday.note")])
        #expect(unshown.code == 1)
        #expect(unshown.text.contains("export it with --since"))
        #expect(try Self.python(plain, file("monday.note")) != 0)

        #expect(try run("replay", "shop", "--explain", "1", "--checkpoint", file("monday.note")).code == 0)
        let foreign = try String(contentsOfFile: file("monday.note"), encoding: .utf8).replacing(
            /migrate\/[0-9a-f]{8}/,
            with: "migrate/00000000"
        )
        let other = try Program.file(foreign, "other.note")
        #expect(try run("replay", "shop", "--explain", "1", "--checkpoint", other).code == 1)
        #expect(try run("replay", "shop", "--projections", "--checkpoint", other).code == 2)

        // What came after the checkpoint is whoever's who wrote the bundle.
        #expect(try run("halt", "shop", "--actor", "ana", "--key", file("ana"), "--reason", "y").code == 3)
        let longer = try Program.file(try run("export", "shop", "--since", file("monday.note")).text, "longer.bundle")
        let known = ["--checkpoint", file("monday.note"), "--public-key", key.publicKey.text]
        let tail = try Program.run(["verify", longer] + known)
        #expect(tail.code == 1 && tail.text.contains("are covered by no checkpoint"), "\(tail.text)")
        #expect(try Program.run(["verify", longer, "--allow-tail"] + known).code == 0)
        #expect(try Program.run(["verify", longer]).text.contains("are covered by no checkpoint"))
        #expect(try Self.python(longer, file("monday.note")) != 0)

        // A disk that is full has not taken it.
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
        for command in [
            "export shop", "replay shop --format html", "replay shop --format json", "status shop --format json",
            "checkpoint", "status shop", "plan schema",
        ] {
            let full = try ChildProcess(
                "/bin/sh",
                ["-c", "exec \"$0\" \(command) > /dev/full", Program.path("migrate")],
                environment: environment,
                output: file("full")
            )
            #expect(try await offThread { full.wait() } == 1, "\(command)")
        }

        // What no checkpoint covers yet is not exported as if one did.
        let later = try Program.file(Self.text.replacing("migration: shop", with: "migration: later"), "later.yaml")
        let created = try run("create", later, "--actor", "ana", "--key", file("ana"))
        #expect(created.code == 0, "\(created.text)")
        let uncovered = try run("export", "later", "--since", file("monday.note"))
        #expect(uncovered.code == 1)
        #expect(uncovered.text.contains("no checkpoint of the log covers later"))
        #expect(try run("export", "later").code == 0)

        // Another key in the place of ana's: what the old one signed stays valid, and it signs nothing any more.
        let old = try #require(SigningKey(pem: String(contentsOfFile: file("ana"), encoding: .utf8))).publicKey.id
        #expect(try run("keys", "generate", file("next")).code == 0)
        let rotated = try Program.run(
            [
                "keys", "rotate", old, "--file", file("next"), "--actor", "ana", "--key", file("ana"), "--reason",
                "yearly",
            ],
            database: TestDatabase.conninfo
        )
        #expect(rotated.code == 0, "\(rotated.text)")
        #expect(try run("halt", "later", "--actor", "ana", "--key", file("ana"), "--reason", "x").code == 3)
        #expect(try run("replay", "shop").code == 0)
        try await seal()
        let after = try run("replay", "--all")
        #expect(after.code == 0, "\(after.text)")
    }

    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Runs what docs/audit.md says of a note's signature, over the note `monday.note` of a folder.
    private static func openssl(_ folder: URL, _ publicKey: String) throws -> Int32 {
        let page = try String(contentsOf: project.appendingPathComponent("docs/audit.md"), encoding: .utf8)
        let rest = try #require(page.range(of: "The note's signature, with OpenSSL")).upperBound
        let recipe = page[rest...].split(separator: "\n").dropFirst().prefix { $0.hasPrefix("    ") }
        #expect(recipe.count == 3)
        return try ChildProcess(
            "/usr/bin/env",
            ["bash", "-ec", "cd '\(folder.path)'\n" + recipe.joined(separator: "\n")],
            environment: ProcessInfo.processInfo.environment.merging(["PUBLIC_KEY": publicKey]) { $1 },
            output: folder.appendingPathComponent("openssl").path
        ).wait()
    }

    private static func python(_ files: String...) throws -> Int32 {
        let tool = project.appendingPathComponent("tools/verify-bundle").path
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("py-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: output) }
        return try ChildProcess("/usr/bin/env", ["python3", tool] + files, output: output).wait()
    }

    @Test("every migration is replayed, and one that diverges is named")
    func all() async throws {
        _ = try await play()
        #expect(try run("create", Program.example).code == 0)
        let whole = try run("replay", "--all")
        #expect(whole.code == 0)
        #expect(whole.text.contains("of 2 migrations in"))
        #expect(whole.text.contains("every chain whole, every decision the same, projections the same"))
        let connection = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        try await connection.run {
            try $0.script(
                "set session_replication_role = replica; update migrate.commit set actor = 'eve' where stream = 'shop' and version = 2"
            )
        }
        await connection.close()
        let broken = try run("replay", "--all")
        #expect(broken.code == 1)
        #expect(broken.text.contains("1 of 2 diverge"))
        #expect(broken.text.contains("DIVERGES at version 2"))
        #expect(try run("replay", "--all", "--format", "json").code == 1)
        #expect(try run("replay", "--all", "shop").code == 2)
        #expect(try run("replay").code == 2)
        // What is asked of a broken log is answered by where it broke.
        let early = try run("replay", "shop", "--at", "4")
        #expect(early.code == 1)
        #expect(early.text.contains("DIVERGES at version 2"))
    }
}

/// A migration that the test itself carries out, command by command, on the database's clock.
private final class Shop: Sendable {
    let plan: Plan
    let log: MigrationLog
    /// What was read last: on a busy machine windows would pass sooner than the whole is read again.
    private let known = Mutex<MigrationLog.Stream?>(nil)

    init(_ text: String) async throws {
        plan = try PlanFile.parse(text, file: "shop.yaml")
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test replay", limit: 4)
        log = MigrationLog(pool: pool)
        _ = try await SchemaInstaller(pool: pool).install()
    }

    /// - Parameter shadow: a plan that is judged beside the one in force from the first step's acknowledgement on.
    func play(shadow: Plan? = nil) async throws -> Int64 {
        try await perform(.plan(plan: plan, hash: CommitHash.hash(of: plan)), "ana")
        try await perform(.registerRouter(router: "r", environment: "p"))
        try await perform(.start(reason: nil), "ana")
        try await acknowledge()
        if let shadow {
            try await perform(.beginShadow(plan: shadow, hash: CommitHash.hash(of: shadow), reason: "strict?"), "ana")
        }
        // On a busy machine windows from before the acknowledgement have to be caught up with first.
        for _ in 0..<3_000 {
            if try await migration().phase.step?.position.step != 0 { break }
            try await seal(errors: 0)
        }
        try await acknowledge()
        for _ in 0..<3_000 {
            try await seal(errors: 20)
            let stream = try await load()
            if stream.state.migration?.phase.name == "rollingBack" { return stream.state.version }
        }
        Issue.record("it is not rolled back")
        return 0
    }

    private func load() async throws -> MigrationLog.Stream {
        let stream = try await log.load("shop", from: known.withLock { $0 })
        known.withLock { $0 = stream }
        return stream
    }

    private func migration() async throws -> Migration {
        let stream = try await load()
        return try #require(stream.state.migration)
    }

    private func perform(_ command: Command, _ actor: String = "worker:w") async throws {
        _ = try await log.perform(command, on: "shop", by: actor, known: known.withLock { $0 })
    }

    private func acknowledge() async throws {
        let revision = try await migration().traffic.first?.revision ?? 0
        try await perform(.acknowledge(router: "r", revision: revision))
    }

    private func seal(errors: Int) async throws {
        let next = try await migration().nextWindow
        let k = try #require(next)
        try await eventually("window \(k) to be over") {
            try await load().now >= plan.clock.end(of: k) + plan.grace
        }
        var candidate = Counts()
        candidate.requests = 100
        candidate.errors = errors
        let seen = EnvironmentWindow(environment: "p", routers: ["r"], services: [ServiceWindow(candidate: candidate)])
        try await perform(.sealWindow(window: Window(k: k, environments: [seen])))
    }
}
