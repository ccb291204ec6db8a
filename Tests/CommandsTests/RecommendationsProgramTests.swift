import Callable
import Foundation
import JSON
import Logging
import MigrationCore
import PlanFile
import Postgres
import TestSupport
import Testing
import Worker

/// The program `recommendations`, as people run it.
struct RecommendationsProgram {
    let folder: URL
    let issuer: DevelopmentIssuer
    let database: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("shop-\(UUID().uuidString)")
        issuer = try DevelopmentIssuer(folder: folder.appendingPathComponent("issuer"), project: "demo-recommendations")
        database = try TestDatabase.conninfo
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func file(_ name: String, _ text: String) throws -> String {
        let file = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Result {
        let output = folder.appendingPathComponent("out-\(UUID().uuidString)").path
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let process = try ChildProcess(Program.path("recommendations"), arguments, environment: all, output: output)
        let code = process.wait()
        return Program.Result(
            code: code,
            text: String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        )
    }

    /// Makes the job `j` of ana.
    func importJob() throws {
        let file = try file("r.json", Self.resume)
        let result = try run(["import", file, "--job", "j", "--user", "ana", "--database", database])
        guard result.code == 0 else { throw TestFailure("nothing was imported: \(result.text)") }
    }

    func serve(_ implementation: String, _ more: [String] = []) async throws -> (process: ChildProcess, port: Int) {
        let port = try freePort()
        let process = try ChildProcess(
            Program.path("recommendations"),
            [
                "--implementation", implementation, "--port", "\(port)", "--database", database, "--set",
                "database-connections=3", "--token-keys",
                issuer.certificates.absoluteString,
            ] + more,
            output: folder.appendingPathComponent("served-\(port)").path
        )
        try await eventually("the service to listen") {
            (try? RawSocket.exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n"))?.hasPrefix("HTTP/1.1 200")
                ?? false
        }
        return (process, port)
    }

    func call(_ port: Int, _ function: String, _ data: String, token: String, app: String? = nil) throws -> String {
        try RawSocket.exchange(port, request(function, data, token: token, app: app))
    }

    func request(_ function: String, _ data: String, token: String, app: String? = nil) -> String {
        let body = "{\"data\":\(data)}"
        let app = app.map { "x-firebase-appcheck: \($0)\r\n" } ?? ""
        return
            "POST /\(function) HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer \(token)\r\n\(app)content-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static let resume = """
        {"basics":{"name":"Ana","email":"ana@example.org","phone":"1"},"x":{"kept":12345678901234567890},"work":[{"name":"Northwind","startDate":"2020-01",
        "highlights":["I led a team of 6 engineers through three rewrites of the search","We shipped the second version of the app to 12,000 drivers in six weeks"]}]}
        """
}

@Suite("The program recommendations", .database)
struct RecommendationsProgramTests {
    @Test("a résumé goes in, is reviewed, improved, and comes out, with a token of the shipped issuer")
    func wholeWay() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        let file = try program.file("resume.json", RecommendationsProgram.resume)
        let review = try program.run(["review", file, "--target-role", "Team Lead", "--keyword", "COBOL"])
        #expect(
            review.code == 0 && review.text.contains("first_person-work-0-highlights-0")
                && review.text.contains("“Team Lead”")
        )
        let json = try JSONValue(
            parsing: try program.run(["review", file, "--json"]).text.trimmingCharacters(in: .whitespacesAndNewlines)
        )
        #expect(json["overallScore"]?.int != nil)
        #expect(
            try program.run(["import", file, "--job", "j", "--user", "ana", "--database", program.database]).code == 0
        )
        let stranger = try program.run(["import", file, "--job", "j", "--user", "eve", "--database", program.database])
        #expect(stranger.code != 0 && stranger.text.contains("j: the job is not eve's"))
        #expect(
            try program.run(["export", "--job", "j", "--improved", "--database", program.database]).text.contains(
                "nothing has been applied"
            )
        )
        let token = try program.run([
            "token", "--user", "ana", "--issuer", program.folder.appendingPathComponent("issuer").path,
        ])
        let (process, port) = try await program.serve("candidate")
        defer { process.signal(SIGKILL); process.wait() }
        let bearer = token.text.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(
            try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: bearer).hasPrefix("HTTP/1.1 200")
        )
        let apply = "{\"jobId\":\"j\",\"selectedRecommendationIds\":[\"first_person-work-0-highlights-0\"]}"
        #expect(try program.call(port, "applyImprovements", apply, token: bearer).contains("\"improvementsApplied\":1"))
        let improved = try program.run(["export", "--job", "j", "--improved", "--database", program.database])
        #expect(improved.text.contains("\"Led a team of 6 engineers") && improved.text.contains("12345678901234567890"))
        let health = try program.call(port, "recommendationsHealthCheck", "null", token: bearer)
        #expect(health.contains("\"status\":\"healthy\"") && health.contains("\"cacheTier\":\"ok\""))
    }

    @Test("the quality of answers is written down, and the plan of the examples reads it")
    func quality() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let token = try program.issuer.token(user: "ana")
        let admin = try freePort()
        for (implementation, more) in [
            ("legacy", ["--delay", "0", "--timeouts", "0"]), ("candidate", ["--admin-port", "\(admin)"]),
        ] {
            let (process, port) = try await program.serve(implementation, more)
            for _ in 0..<3 {
                #expect(
                    try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: token).hasPrefix(
                        "HTTP/1.1 200"
                    )
                )
            }
            if implementation == "candidate" {
                let metrics = try RawSocket.exchange(admin, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
                for line in [
                    "recommendations_calls_total{implementation=\"candidate\",function=\"getRecommendations\",status=\"OK\"} 3",
                    "recommendations_quality_good_answers_total{implementation=\"candidate\",function=\"getRecommendations\"} 3",
                    "recommendations_cache_hits_total{implementation=\"candidate\"} 2",
                    "recommendations_cache_misses_total{implementation=\"candidate\"} 1",
                    "recommendations_cache_entries{implementation=\"candidate\"} 1",
                    "recommendations_cache_cost{implementation=\"candidate\"} ",
                    "recommendations_heap_used_bytes{implementation=\"candidate\"} ",
                ] { #expect(metrics.contains(line), "\(line)") }
                #expect(metrics.hasSuffix("# EOF\n") && !metrics.contains("ana"))
            }
            process.signal(SIGTERM)
            #expect(try await offThread { process.wait() } == 0)
        }
        let file = Program.example.replacing("recommendations.yaml", with: "recommendations-quality.yaml")
        let plan = try PlanFile.parse(try String(contentsOfFile: file, encoding: .utf8), file: file)
        guard case .sql(let query, _)? = plan.sources.first?.query else {
            Issue.record("the plan has no source in SQL")
            return
        }
        let pool = PostgresPool(program.database, name: "test")
        let rows = try await pool.run { connection in
            try connection.query(
                "select implementation, value, \"of\" from (\(query.replacing("$2", with: "now() - interval '1 hour'").replacing("$3", with: "now() + interval '1 hour'"))) q",
                [.text("production")]
            ).rows.map { "\(try $0.text("implementation")) \(try $0.int("value")) of \(try $0.int("of"))" }.sorted()
        }
        #expect(rows == ["candidate 3 of 3", "legacy 3 of 3"])
    }

    @Test(
        "answers that invent are seen by the plan of the examples, which goes on without them and rolls back with them"
    )
    func inventions() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let token = try program.issuer.token(user: "ana")
        let admin = try freePort()
        let (old, oldPort) = try await program.serve("legacy", ["--delay", "0", "--timeouts", "0"])
        defer { old.signal(SIGKILL); old.wait() }
        let (new, newPort) = try await program.serve(
            "candidate",
            ["--admin-port", "\(admin)", "--set", "calls-per-minute=0"]
        )
        defer { new.signal(SIGKILL); new.wait() }
        // Whoever reads the plan's source needs the database's name in its environment.
        setenv("MIGRATE_SHOP_DATABASE", program.database, 1)
        defer { unsetenv("MIGRATE_SHOP_DATABASE") }
        let file = Program.example.replacing("recommendations.yaml", with: "recommendations-quality.yaml")
        let plan = try PlanFile.parse(try String(contentsOfFile: file, encoding: .utf8), file: file)
        let source = try #require(plan.sources.first)
        let pool = PostgresPool(program.database, name: "test")
        /// What the plan's source says of the window in which both were asked so often.
        func reading() async throws -> Reading {
            _ = try await pool.run { try $0.query("delete from recommendations.quality") }
            // All of it in one window: not in the last seconds of one.
            try await eventually("the beginning of a window") {
                let now = Timestamp(rawValue: Int64(Date().timeIntervalSince1970 * 1_000_000))
                return now - plan.clock.start(of: plan.clock.index(of: now)) < .seconds(4)
            }
            let now = Timestamp(rawValue: Int64(Date().timeIntervalSince1970 * 1_000_000))
            for port in [oldPort, newPort] {
                for _ in 0..<30 {
                    let answer = try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: token)
                    #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
                }
            }
            try await eventually("all to be written down") {
                try await pool.run { connection in
                    try connection.query("select coalesce(sum(answers), 0)::bigint as n from recommendations.quality")
                        .first?.int("n") ?? 0
                } == 60
            }
            var logger = Logger(label: "sources")
            logger.logLevel = .critical
            let reader = SourceReader(
                plan: plan,
                k: plan.clock.index(of: now),
                environment: "production",
                logger: logger
            )
            return await reader.read(source).reading
        }
        func switched(_ permille: Int) throws {
            let answer = try RawSocket.exchange(
                admin,
                "PUT /inventions/\(permille) HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 204"), "\(answer)")
        }
        let sound = try await reading()
        #expect(sound == Reading(candidate: .init(value: 30, of: 30), legacy: .init(value: 30, of: 30)))
        try switched(1_000)
        let invented = try await reading()
        #expect(invented == Reading(candidate: .init(value: 0, of: 30), legacy: .init(value: 30, of: 30)))
        for (reading, phase) in [(sound, "running"), (invented, "rollingBack")] {
            var migration = try MigrationScenario(plan)
            try migration.perform(.start(reason: nil), by: "ana")
            try migration.acknowledge()
            for _ in 0..<8 where try migration.migration.phase.name == "running" {
                let now = try migration.migration
                let k = try #require(now.nextWindow)
                migration.now = max(migration.now, plan.clock.end(of: k) + plan.grace)
                var window = try MigrationScenario.window(k, now, errors: 0)
                window.environments[0].readings = ["quality": reading]
                try migration.perform(.sealWindow(window: window))
            }
            #expect(try migration.migration.phase.name == phase)
            #expect(
                try migration.migration.judgement?.criteria[1].verdict == (phase == "running" ? .pass : .breach)
            )
        }
        await pool.close()
    }

    @Test(
        "a cache that takes another's place is written and invalidated too, and the admin port forgets by job, user and recommendation"
    )
    func secondTiers() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let token = try program.issuer.token(user: "ana")
        let admin = try freePort()
        // Two other databases on the same server.
        let pool = PostgresPool(program.database, name: "test")
        var others: [String] = []
        for number in 0..<2 {
            let name = "cache_\(number)_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
            _ = try await pool.run { try $0.query("create database \(name)") }
            others.append(name)
        }
        let databases = others.map { "\(program.database) dbname=\($0)" }
        let same = try program.run([
            "--implementation", "candidate", "--port", "1", "--database", program.database, "--set",
            "cache-also-written=\(program.database)",
        ])
        #expect(same.code != 0 && same.text.contains("must be another database"))
        let (process, port) = try await program.serve(
            "candidate",
            [
                "--admin-port", "\(admin)", "--set", "cache-database=\(databases[0])", "--set",
                "cache-also-written=\(databases[1])",
            ]
        )
        func call(_ function: String, _ data: String) throws -> String {
            try program.call(port, function, data, token: token)
        }
        func entries() async throws -> [[Int64]] {
            var counts: [[Int64]] = []
            for database in databases {
                let connection = try await PostgresConnection(database, name: "test")
                let row = try await connection.run {
                    try $0.query(
                        """
                        select (select count(*) from recommendations.cache_entry) as entries,
                            (select coalesce(sum(generation), 0)::bigint from recommendations.cache_tag where tag not like '8:previews%') as generations
                        """
                    ).first.map { [try $0.int("entries"), try $0.int("generations")] }
                }
                counts.append(row ?? [])
                await connection.close()
            }
            return counts
        }
        let preview = "{\"jobId\":\"j\",\"recommendationId\":\"first_person-work-0-highlights-0\"}"
        try await eventually("both to be there") { (try? await entries()) == [[0, 0], [0, 0]] }
        #expect(try call("getRecommendations", "{\"jobId\":\"j\"}").contains("fwd=miss; stored"))
        #expect(try call("previewImprovement", preview).contains("fwd=miss; stored"))
        try await eventually("both to be written") { try await entries() == [[2, 0], [2, 0]] }
        for (path, previewIsKept, listIsKept) in [
            ("recommendation/j/other", true, true), ("recommendation/j/first_person-work-0-highlights-0", false, true),
            ("job/other", true, true), ("job/j", false, false), ("user/an%61", false, false),
        ] {
            let answer = try RawSocket.exchange(admin, "DELETE /cache/\(path) HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 204"), "\(answer)")
            #expect(try call("previewImprovement", preview).contains("; hit; ") == previewIsKept, "\(path)")
            #expect(
                try call("getRecommendations", "{\"jobId\":\"j\"}").contains("; hit; ") == listIsKept,
                "\(path)"
            )
        }
        try await eventually("both to be invalidated") { try await entries() == [[2, 5], [2, 5]] }
        let metrics = try RawSocket.exchange(admin, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        for stage in ["validation", "cache", "work"] {
            #expect(
                metrics.contains(
                    "recommendations_stage_seconds_count{implementation=\"candidate\",function=\"getRecommendations\",stage=\"\(stage)\"}"
                )
            )
        }
        process.signal(SIGTERM)
        #expect(try await offThread { process.wait() } == 0)
        // A tier that is away stops nothing, and is told.
        let (alone, alonePort) = try await program.serve("candidate", ["--set", "cache-database=host=/nowhere"])
        for cached in [false, true] {
            let answer = try program.call(alonePort, "getRecommendations", "{\"jobId\":\"j\"}", token: token)
            #expect(answer.contains("\"cached\":\(cached)"), "\(answer.prefix(300))")
        }
        let health = try program.call(alonePort, "recommendationsHealthCheck", "null", token: token)
        #expect(health.contains("\"status\":\"degraded\"") && health.contains("\"cacheTier\":\"failed\""), "\(health)")
        alone.signal(SIGTERM)
        #expect(try await offThread { alone.wait() } == 0)
        for name in others { _ = try await pool.run { try $0.query("drop database \(name) with (force)") } }
        await pool.close()
    }

    @Test("without its database the service is unavailable, says why, and is well again when it is back")
    func databaseAway() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        let pool = PostgresPool(program.database, name: "test")
        let name = "jobs_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        _ = try await pool.run { try $0.query("create database \(name)") }
        let token = try program.issuer.token(user: "ana")
        let (process, port) = try await program.serve(
            "candidate",
            ["--set", "database=\(program.database) dbname=\(name)"]
        )
        defer { process.signal(SIGKILL); process.wait() }
        func health() throws -> (check: String, plain: String) {
            (
                try program.call(port, "recommendationsHealthCheck", "null", token: token),
                try RawSocket.exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            )
        }
        // The second tier's tables are made beside the first answers.
        try await eventually("it to be well") { try health().check.contains("\"status\":\"healthy\"") }
        _ = try await pool.run { try $0.query("alter database \(name) allow_connections false") }
        _ = try await pool.run {
            try $0.query(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1::text",
                [.text(name)]
            )
        }
        let away = try health()
        #expect(
            away.check.hasPrefix("HTTP/1.1 503") && away.check.contains("\"status\":\"UNAVAILABLE\""),
            "\(away.check)"
        )
        #expect(away.check.contains("\"database\":\"failed\"") && away.check.contains("\"cacheTier\":\"failed\""))
        #expect(away.plain.hasPrefix("HTTP/1.1 503"))
        _ = try await pool.run { try $0.query("alter database \(name) allow_connections true") }
        try await eventually("it to be well again") {
            let now = try health()
            return now.check.contains("\"status\":\"healthy\"") && now.plain.hasPrefix("HTTP/1.1 200")
        }
        process.signal(SIGTERM)
        #expect(try await offThread { process.wait() } == 0)
        _ = try await pool.run { try $0.query("drop database \(name) with (force)") }
        await pool.close()
    }

    @Test(
        "compared as the plan of the examples says, the two implementations answer alike, kept answers or not; compared whole they do not"
    )
    func compared() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let token = try program.issuer.token(user: "ana")
        let (old, legacy) = try await program.serve("legacy", ["--delay", "0", "--timeouts", "0"])
        let (new, candidate) = try await program.serve("candidate")
        defer { for process in [old, new] { process.signal(SIGKILL); process.wait() } }
        let file = Program.example.replacing("recommendations.yaml", with: "recommendations-quality.yaml")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let example = try #require(try PlanFile.parse(text, file: file).services.first)
        #expect(example.shadowIgnores?.count == 5)
        for ignored in [example.shadowIgnores, nil] {
            var plan = TestGateway.plan(legacy: legacy, candidate: candidate, timeout: .seconds(20))
            plan.services[0].path = example.path
            plan.services[0].shadow = .all
            plan.services[0].onlyReads = true
            plan.services[0].shadowIgnores = ignored
            let gateway = TestGateway()
            let state = program.folder.appendingPathComponent("gateway-\(ignored?.count ?? 0).json")
            try await gateway.serve(plan, state: state, first: TestGateway.table(1, SamplePlan.weight(5_000))) { url in
                try await gateway.untilMeasuring()
                let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
                for number in 0..<30 {
                    let data = "{\"jobId\":\"j\",\"targetRole\":\"Lead \(number % 10)\"}"
                    let answer = try program.call(port, "getRecommendations", data, token: token)
                    #expect(answer.hasPrefix("HTTP/1.1 200"))
                }
                func counts() -> Counts { gateway.signals.map(\.services[0].candidate).reduce(Counts(), +) }
                try await eventually("comparisons") { counts().compared >= 10 }
                #expect((counts().different == 0) == (ignored != nil), "\(counts().different) of \(counts().compared)")
            }
        }
    }

    @Test("where App Check is enforced, an app without its token is told as much as a user without one")
    func appCheck() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let (process, port) = try await program.serve(
            "candidate",
            [
                "--set", "app-check-project=123", "--set",
                "app-check-keys=\(program.issuer.certificates.absoluteString)",
            ]
        )
        defer { process.signal(SIGKILL); process.wait() }
        let token = try program.issuer.token(user: "ana")
        func app(_ project: String) throws -> String {
            try program.issuer.sign([
                "aud": [.string("projects/\(project)")],
                "iss": .string("https://firebaseappcheck.googleapis.com/\(project)"),
                "sub": "1:123:web:abc", "exp": .int(Int(Date().timeIntervalSince1970) + 600),
            ])
        }
        for (app, status) in [(nil, "401"), (try app("124"), "401"), (token, "401"), (try app("123"), "200")] {
            let answer = try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: token, app: app)
            #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(answer.prefix(200))")
            #expect(!answer.contains("App Check"))
        }
    }

    @Test("a second tier whose server is frozen is gone round by every call, however many, and named as silent")
    func frozenTier() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let folder = try #require(program.database.firstMatch(of: /host='([^']+)'/)?.output.1)
        let proxy = try await FreezingProxy(before: "\(folder)/.s.PGSQL.5432")
        let token = try program.issuer.token(user: "ana")
        let (process, port) = try await program.serve(
            "candidate",
            ["--set", "cache-database=\(program.database) host=127.0.0.1 port=\(proxy.port)"]
        )
        defer { process.signal(SIGKILL); process.wait() }
        @Sendable func ask(_ role: Int) throws -> String {
            try program.call(port, "getRecommendations", "{\"jobId\":\"j\",\"targetRole\":\"r\(role)\"}", token: token)
        }
        #expect(try ask(0).contains("fwd=miss; stored"))
        let before = try program.call(port, "recommendationsHealthCheck", "null", token: token)
        #expect(before.contains("\"cacheTier\":\"ok\""), "\(before)")
        proxy.freeze()
        let begun = ContinuousClock.now
        // More than there are threads for tasks, and connections.
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for role in 1...16 { group.addTask { try await offThread { try ask(role) } } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for answer in answers { #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer.prefix(200))") }
        #expect(try ask(1).contains("\"cached\":true"))
        let health = try program.call(port, "recommendationsHealthCheck", "null", token: token)
        #expect(
            health.contains("\"status\":\"degraded\"") && health.contains("\"cacheTier\":\"no answer in"),
            "\(health)"
        )
        print(
            "sixteen calls, one more and the health check went round a frozen second tier in",
            ContinuousClock.now - begun
        )
        await proxy.close()
    }

    @Test("bad files are named with the place")
    func badFiles() throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        for (text, says) in [
            ("{\"work\":7}", "/work: must be a list, and is a number"),
            ("{\"a\":}", "is not JSON: no value begins so at byte 5"),
            (String(repeating: "[", count: 1_000), "too deep"),
            (String(repeating: " ", count: 10 << 20), "larger than a megabyte"),
        ] {
            let result = try program.run(["review", try program.file("bad.json", text)])
            #expect(result.code != 0 && result.text.contains(says), "\(result.text.prefix(200))")
        }
        #expect(try program.run(["review", "/nowhere.json"]).text.contains("/nowhere.json: cannot be read"))
    }

    @Test(
        "settings: the command line before the environment before the file, and where each came from; what is wrong is named"
    )
    func settings() throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        let file = try program.file(
            "config.yaml",
            "implementation: candidate\nport: 9201\ncache-fresh: 30\ndatabase: \"postgresql://ana:secret@host/db\"\n"
        )
        let printed = try program.run(
            ["--config", file, "--port", "9301", "--print-config"],
            environment: [
                "RECOMMENDATIONS_PORT": "9401", "RECOMMENDATIONS_CACHE_FRESH": "60",
                "RECOMMENDATIONS_MODEL_KEY": "sk-secret",
            ]
        )
        #expect(printed.code == 0)
        #expect(printed.text.contains("(the command line)\nport: \"9301\""))
        #expect(printed.text.contains("(RECOMMENDATIONS_CACHE_FRESH)\ncache-fresh: \"60\""))
        #expect(printed.text.contains("(\(file))\nimplementation: \"candidate\""))
        #expect(!printed.text.contains("secret") && printed.text.contains("postgresql://ana:…@host/db"))
        // What it prints can be read again.
        let again = try program.run(["--config", try program.file("again.yaml", printed.text), "--print-config"])
        #expect(again.code == 0 && again.text.contains("port: \"9301\""))
        for (arguments, says) in [
            (["--config", file, "--port", "x"], "the command line: “port” must be a whole number"),
            (["--set", "prot=1"], "there is no setting “prot”"),
            (["--config", try program.file("a.yaml", "port: 1\nprot: 2\n")], "a.yaml:2: there is no setting “prot”"),
            (["--config", try program.file("b.yaml", "- 1\n")], "must be names with their values"),
            (["--config", "/nowhere"], "/nowhere: cannot be read"),
            ([], "“implementation” is missing"),
            (["--config", file, "--set", "model=anthropic"], "RECOMMENDATIONS_MODEL_KEY"),
            (["--config", file, "--set", "model=gemini"], "must be none or anthropic or openai"),
        ] {
            let result = try program.run(arguments)
            #expect(result.code != 0 && result.text.contains(says), "\(result.text)")
        }
    }

    @Test("hostile bodies and tokens: the right status, nothing leaked, and the service goes on")
    func hostile() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        let (process, port) = try await program.serve("candidate")
        defer { process.signal(SIGKILL); process.wait() }
        let good = try program.issuer.token(user: "ana")
        let parts = good.split(separator: ".")
        let none = Data("{\"alg\":\"none\",\"kid\":\"development\"}".utf8).base64EncodedString().replacing(
            "=",
            with: ""
        )
        for token in [
            "\(none).\(parts[1]).", "x", try program.issuer.token(user: "ana", life: -999),
            try program.issuer.sign(["aud": "other", "sub": "ana"]),
        ] {
            let answer = try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: token)
            #expect(
                answer.hasPrefix("HTTP/1.1 401")
                    && answer.hasSuffix(
                        "{\"error\":{\"message\":\"the token is not valid\",\"status\":\"UNAUTHENTICATED\"}}"
                    )
            )
        }
        let deep = String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000)
        // Just over the limit, and far over it.
        let large = [
            "\"\(String(repeating: "a", count: 1_100_000))\"", "\"\(String(repeating: "a", count: 10 << 20))\"",
        ]
        for data in large + [
            deep, "{\"jobId\":\"\\ud800\"}", "{\"jobId\":\"a\\u0000b\"}", "{\"jobId\":{\"$ne\":1}}",
            "{\"jobId\":\"j\",\"jobId\":\"k\"}",
        ] {
            let answer = try program.call(port, "getRecommendations", data, token: good)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(data.prefix(30)): \(answer.prefix(100))")
        }
        for job in ["'; drop table recommendations.job; --", "../../etc/passwd", "job\u{202E}", "%", "*"] {
            let data = JSONValue.object(["jobId": .string(job)]).text
            #expect(try program.call(port, "getRecommendations", data, token: good).hasPrefix("HTTP/1.1 404"))
        }
        #expect(try RawSocket.exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        let log = try String(contentsOf: program.folder.appendingPathComponent("served-\(port)"), encoding: .utf8)
        for line in log.split(separator: "\n") {
            #expect((try? JSONValue(parsing: String(line))) != nil || line.contains("Server started"), "\(line)")
        }
        #expect(log.contains("has expired") && !log.contains("ana"))
    }

    @Test(
        "fault 7, over the wire: an error has its status's code and no result, and is counted as one",
        arguments: ["legacy", "candidate"]
    )
    func faultSeven(_ implementation: String) async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let admin = try freePort()
        let rehearsed = implementation == "legacy" ? ["--delay", "0", "--timeouts", "0"] : []
        let (process, port) = try await program.serve(implementation, ["--admin-port", "\(admin)"] + rehearsed)
        defer { process.signal(SIGKILL); process.wait() }
        let token = try program.issuer.token(user: "ana")
        let calls = [
            ("getRecommendations", #"{"jobId":"none"}"#),
            ("previewImprovement", #"{"jobId":"j","recommendationId":"none"}"#),
            ("applyImprovements", #"{"jobId":"j","selectedRecommendationIds":["none"]}"#),
        ]
        for (function, data) in calls {
            let answer = try program.call(port, function, data, token: token)
            #expect(answer.hasPrefix("HTTP/1.1 404"), "\(function)")
            #expect(!answer.contains("\"result\"") && !answer.contains("success"), "\(function)")
            #expect(answer.contains("\"status\":\"NOT_FOUND\""), "\(function)")
        }
        let metrics = try RawSocket.exchange(admin, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        for (function, _) in calls {
            let labels = "{implementation=\"\(implementation)\",function=\"\(function)\",status=\"NOT_FOUND\"}"
            #expect(metrics.contains("recommendations_calls_total\(labels) 1\n"), "\(function)")
        }
    }

    @Test("a stop lets what is under way end, and ends with 0")
    func graceful() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let (process, port) = try await program.serve("legacy", ["--delay", "0", "--timeouts", "0"])
        defer {
            if process.poll() == nil {
                process.signal(SIGKILL)
                process.wait()
            }
        }
        let client = try RawSocket(port)
        // The call waits for its job, which nobody may read until the program has closed its door.
        let holder = try await PostgresConnection(program.database, name: "holder")
        try await holder.script("begin; lock table recommendations.job in access exclusive mode")
        client.send(
            program.request("getRecommendations", "{\"jobId\":\"j\"}", token: try program.issuer.token(user: "ana"))
        )
        let watcher = PostgresPool(program.database, name: "watcher")
        try await eventually("the call to be under way") {
            try await watcher.run { connection in
                try connection.query(
                    """
                    select count(*) as n from pg_stat_activity where application_name = 'recommendations legacy'
                    and datname = current_database() and wait_event_type = 'Lock'
                    """
                ).first?.int("n") ?? 0
            } > 0
        }
        process.signal(SIGTERM)
        try await eventually("nobody to listen any more") { (try? RawSocket(port)) == nil }
        await holder.close()
        #expect(try await offThread { try client.answer().hasPrefix("HTTP/1.1 200") })
        #expect(try await offThread { process.wait() } == 0)
    }

    @Test("killed in the middle of applying: the résumé is as before, or as after, and never between")
    func killed() async throws {
        let program = try RecommendationsProgram()
        defer { program.remove() }
        try program.importJob()
        let token = try program.issuer.token(user: "ana")
        let selections = [
            "[\"first_person-work-0-highlights-0\"]", "[\"first_person-work-0-highlights-1\"]",
            "[\"first_person-work-0-highlights-0\",\"first_person-work-0-highlights-1\"]",
        ]
        func improved() throws -> String {
            try program.run(["export", "--job", "j", "--improved", "--database", program.database]).text
        }
        var allowed: Set<String> = []
        for round in 0..<8 {
            let (process, port) = try await program.serve("candidate")
            if round == 0 {
                _ = try program.call(port, "getRecommendations", "{\"jobId\":\"j\"}", token: token)
                for selection in selections {
                    #expect(
                        try program.call(
                            port,
                            "applyImprovements",
                            "{\"jobId\":\"j\",\"selectedRecommendationIds\":\(selection)}",
                            token: token
                        ).hasPrefix("HTTP/1.1 200")
                    )
                    allowed.insert(try improved())
                }
                #expect(allowed.count == 3)
            }
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        for step in 0..<200 {
                            let selection = selections[(worker + step) % 3]
                            let answer = try? await offThread {
                                try program.call(
                                    port,
                                    "applyImprovements",
                                    "{\"jobId\":\"j\",\"selectedRecommendationIds\":\(selection)}",
                                    token: token
                                )
                            }
                            if answer == nil { return }
                        }
                    }
                }
                group.addTask {
                    // The killer's pace.
                    try? await Task.sleep(for: .milliseconds(40 + round * 23))
                    process.signal(SIGKILL)
                }
            }
            process.wait()
            #expect(allowed.contains(try improved()))
        }
    }
}
