import Foundation
import Postgres
import TestSupport
import Testing

/// The program itself, as people run it.
struct Program {
    struct Result: Sendable {
        var code: Int32
        var text: String
    }

    static func path(_ name: String) -> String { BuiltPrograms.path(name) }

    static func run(_ arguments: [String], database: String? = nil) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("out-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = database
        let process = try ChildProcess(
            path("migrate"),
            arguments,
            environment: environment,
            output: file
        )
        let code = process.wait()
        return Result(
            code: code,
            text: String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
        )
    }

    static func file(_ text: String, _ name: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    static var example: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .appendingPathComponent("examples/recommendations.yaml").path
    }
}

@Suite("migrate try and migrate route")
struct TryTests {
    private static let letters: [Character: String] = [
        "B": "\"requests\":100,\"errors\":6", "G": "\"requests\":1000,\"errors\":45",
        "O": "\"requests\":100,\"errors\":4",
        "M": "\"requests\":0,\"errors\":0",
    ]

    @Test(
        "judges recorded windows",
        arguments: [
            ("BBB", "\"firedAt\" : 3", "\"noDataAt\" : null", "\"streak\" : 3"),
            ("BBOB", "\"firedAt\" : null", "\"noDataAt\" : null", "\"streak\" : 1"),
            ("BMMMB", "\"firedAt\" : null", "\"noDataAt\" : 4", "\"streak\" : 2"),
            ("MMM", "\"firedAt\" : null", "\"noDataAt\" : 3", "\"streak\" : 0"),
        ]
    )
    func judges(_ windows: String, _ fired: String, _ noData: String, _ streak: String) throws {
        let lines = windows.enumerated().map { "{\"k\":\($0.offset + 1),\(Self.letters[$0.element] ?? "")}" }
        let file = try Program.file(lines.joined(separator: "\n"), "windows.jsonl")
        let result = try Program.run([
            "try", "--condition", "error_rate > 5% for 30s", "--window", "10s", "--exit", "4%", "--max-gap", "20s",
            "--no-data", "30s",
            "--format", "json", file,
        ])
        #expect(result.code == 0)
        for part in [fired, noData, streak] { #expect(result.text.contains(part), "\(result.text)") }
    }

    @Test(
        "bad lines and conditions are named",
        arguments: [
            (
                ["try", "--condition", "eror_rate > 5% for 30s", "--window", "10s"], "{\"k\":1}", Int32(2),
                "did you mean “error_rate”?"
            ),
            (
                ["try", "--condition", "error_rate > 5% for 30s", "--window", "10s"], "{\"k\":1}\nnonsense", 1,
                ":2: this is not a window"
            ),
            (
                ["try", "--condition", "error_rate > 5% for 30s", "--window", "10s"], "{\"requests\":1}", 1,
                "“k” is missing"
            ),
            (
                ["try", "--condition", "error_rate > 5% for 30s", "--window", "10s"],
                "{\"k\":1}\n{\"k\":9000000000000000000}", 1, "span more than"
            ),
            (["try", "--condition", "error_rate > 5% for 30s", "--window", "10"], "{\"k\":1}", 2, "--window"),
        ]
    )
    func refuses(_ arguments: [String], _ lines: String, _ code: Int32, _ says: String) throws {
        let result = try Program.run(arguments + [try Program.file(lines, "windows.jsonl")])
        #expect(result.code == code)
        #expect(result.text.contains(says), "\(result.text)")
    }

    @Test("compares candidate and legacy on recorded windows")
    func compare() throws {
        let lines = [(1, 10, 90, 1, 1), (2, 10, 90, 3, 0), (4, 25, 75, 4, 5)].map { k, candidate, legacy, bad, other in
            #"{"k":\#(k),"candidate":{"requests":\#(candidate),"errors":\#(bad)},"legacy":{"requests":\#(legacy),"errors":\#(other)}}"#
        }
        let file = try Program.file(lines[0], "one.jsonl")
        let one = try Program.run([
            "try", "--compare", "error_rate", "--factor", "1", "--confidence", "95", "--format", "json", file,
        ])
        let result = try JSONDecoder().decode(Evidence.self, from: Data(one.text.utf8))
        #expect(abs(result.logE - 0.692129727636) < 1e-9)
        #expect(one.text.contains("\"alarmAt\" : null"))
        let all = try Program.file(lines.joined(separator: "\n"), "all.jsonl")
        let three = try Program.run(["try", "--compare", "error_rate", "--format", "json", all])
        #expect(try JSONDecoder().decode(Evidence.self, from: Data(three.text.utf8)).alarmAt == 2)
        #expect(try Program.run(["try", "--compare", "error_rate", all]).text.contains("seen at window 2"))
        let ranks = try Program.run(["try", "--compare", "error_rate", "--test", "mann-whitney", all])
        #expect(ranks.text.contains("U = 9.0"))
    }

    private struct Evidence: Decodable {
        var logE: Double
        var alarmAt: Int64?
    }

    @Test(
        "what cannot be compared is refused",
        arguments: [
            (["--compare", "latency.p95"], 2, "mann-whitney"), (["--compare", "errors"], 2, "error_rate"),
            (["--compare", "error_rate", "--factor", "0"], 2, "between 0.01 and 1000"),
            (["--compare", "error_rate", "--confidence", "100"], 2, "between 50"),
            (["--compare", "error_rate", "--condition", "x"], 2, "either"), ([], 2, "either"),
            (["--compare", "error_rate"], 1, "is not a window: “legacy” is missing"),
        ]
    )
    func badCompare(_ options: [String], _ code: Int32, _ says: String) throws {
        let file = try Program.file(#"{"k":1,"candidate":{"requests":10}}"#, "bad.jsonl")
        let result = try Program.run(["try"] + options + [file])
        #expect(result.code == code)
        #expect(result.text.contains(says), "\(result.text)")
    }

    @Test("prints buckets")
    func bucket() throws {
        let result = try Program.run(["route", "bucket", "recommendations", "alice", "bob"])
        #expect(result.code == 0)
        #expect(result.text.split(separator: "\n").map(String.init) == ["alice  9673", "bob    9012"])
    }

    @Test("every example of a help text is a command that is understood")
    func help() throws {
        let result = try Program.run(["--help"])
        #expect(result.code == 0)
        for word in ["status", "history", "replay", "rollback", "approve", "worker", "gateway", "try", "route"] {
            let help = try Program.run([word, "--help"])
            #expect(help.code == 0)
            let words = help.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let hasExample = ["Example", "Examples"].contains { words.contains("\($0): migrate \(word)") }
            #expect(hasExample || word == "route", "\(word)")
        }
        #expect(try Program.run(["nonsense"]).code == 2)
    }
}

@Suite("migrate on a database", .database)
struct DatabaseCommandTests {
    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    @Test(
        "tells what is wrong with a database, and how to mend it",
        arguments: [
            ("host=/nowhere", "/nowhere"), ("postgresql://%%%", "percent"),
        ]
    )
    func databases(_ conninfo: String, _ says: String) throws {
        let result = try Program.run(["status"], database: conninfo)
        #expect(result.code == 4)
        #expect(result.text.contains(says))
        #expect(result.text.hasPrefix("migrate: "))
    }

    @Test("a database without a schema, or with a newer one, is refused")
    func schema() async throws {
        let none = try run("status")
        #expect(none.code == 4)
        #expect(none.text.contains("migrate db install"))
        #expect(try run("db", "install").code == 0)
        #expect(try run("db", "status").text.contains("current"))
        let connection = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        try await connection.run {
            _ = try $0.query("insert into migrate.schema_version (number, name, checksum) values (99, 'later', '')")
        }
        await connection.close()
        let newer = try run("status")
        #expect(newer.code == 4)
        #expect(newer.text.contains("schema 99"))
    }

    @Test("overrides work with no worker alive; what the rules refuse exits 3 and is recorded")
    func overrides() throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", Program.example).code == 0)
        let again = try run("create", Program.example)
        #expect(again.code == 3)
        #expect(again.text.contains("already exists"))
        let early = try run("halt", "recommendations", "--reason", "wait")
        #expect(early.code == 3)
        #expect(early.text.contains("recorded at version 3"))
        #expect(try run("start", "recommendations").code == 0)
        #expect(try run("halt", "recommendations", "--reason", "wait", "--actor", "ana").code == 0)
        let stale = try run("approve", "recommendations", "--stage", "production", "--step", "50%")
        #expect(stale.code == 3)
        #expect(stale.text.contains("does not fit"))
        let unknown = try run("rollback", "nonsense", "--reason", "x")
        #expect(unknown.code == 3)
        #expect(unknown.text.contains("there are: recommendations"))
        #expect(try run("halt", "recommendations").code == 2)
        #expect(try run("set-weight", "recommendations", "101%", "--reason", "x").code == 2)
        #expect(try run("rollback", "recommendations", "--reason", "calls", "--actor", "ben").code == 0)
        let replay = try run("replay", "recommendations")
        #expect(replay.code == 0)
        #expect(replay.text.contains("chain whole, 7 decisions the same, projections the same"))
        let history = try run("history", "recommendations", "--format", "json")
        #expect(history.text.contains("\"actor\" : \"ben\""))
        let status = try run("status", "recommendations")
        #expect(status.text.hasPrefix("recommendations   ROLLING BACK"))
        #expect(try run("status", "--format", "json").text.contains("\"phase\" : \"rollingBack\""))
    }

    @Test("status --watch shows every change as it comes, until it is told to stop")
    func watch() async throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", Program.example).code == 0)
        let file = try Program.file("", "watch.txt")
        let conninfo = try TestDatabase.conninfo
        let watching = try ChildProcess(
            Program.path("migrate"),
            ["status", "recommendations", "--watch", "--database", conninfo],
            output: file
        )
        defer {
            watching.signal(SIGTERM)
            _ = watching.wait()
        }
        func shows(_ text: String) throws -> Bool { try String(contentsOfFile: file, encoding: .utf8).contains(text) }
        try await eventually("the first look") { try shows("recommendations   planned") }
        #expect(try run("start", "recommendations").code == 0)
        try await eventually("the start") { try shows("recommendations   running") }
        #expect(try run("halt", "recommendations", "--reason", "lunch").code == 0)
        try await eventually("the halt") { try shows("recommendations   HALTED") }
    }

    @Test("a command ID that is sent twice is carried out once")
    func twice() throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", Program.example).code == 0)
        let id = UUID().uuidString
        #expect(try run("start", "recommendations", "--id", id).code == 0)
        let second = try run("start", "recommendations", "--id", id)
        #expect(second.code == 0)
        #expect(second.text.contains("had done it before"))
        #expect(try run("start", "recommendations", "--id", "nonsense").code == 2)
    }

    @Test("a changed row makes a replay exit 1 and name the version")
    func tampered() async throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", Program.example).code == 0)
        #expect(try run("start", "recommendations").code == 0)
        let connection = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        try await connection.run {
            try $0.script(
                "set session_replication_role = replica; update migrate.commit set actor = 'eve' where version = 2"
            )
        }
        await connection.close()
        let result = try run("replay", "recommendations")
        #expect(result.code == 1)
        #expect(result.text.contains("DIVERGES at version 2"))
    }

    @Test("windows without a log of their own are not printed")
    func windows() throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("windows", "nonsense").code == 3)
        #expect(try run("create", Program.example).code == 0)
        let none = try run("windows", "recommendations")
        #expect(none.code == 0)
        #expect(none.text.hasPrefix(#"{"migration":"recommendations","services":["getRecommendations","#))
    }

    @Test("a plan is amended for what has not been done yet")
    func amend() throws {
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", Program.example).code == 0)
        let text = try String(contentsOfFile: Program.example, encoding: .utf8)
        let looser = try Program.file(
            text.replacing("error_rate > 2% for 2m", with: "error_rate > 3% for 2m"),
            "p.yaml"
        )
        let amended = try run("amend", looser, "--reason", "noise")
        #expect(amended.code == 0)
        #expect(amended.text.contains("from here on"))
        #expect(try run("amend", looser, "--reason", "noise").code == 3)
        let moved = try Program.file(text.replacing(":9201", with: ":9999"), "p.yaml")
        let refused = try run("amend", moved, "--reason", "new host")
        #expect(refused.code == 3)
        #expect(refused.text.contains("services and their addresses cannot be amended"))
        #expect(try run("status", "recommendations").text.contains("error_rate > 3% for 2m"))
        #expect(try run("replay", "recommendations").text.contains("chain whole, 4 decisions the same"))
    }

    @Test("a plan that is too large or not there is refused before it is read")
    func plans() throws {
        let large = try Program.file(String(repeating: "a", count: 10 << 20), "large.yaml")
        for (file, says) in [(large, "larger than 256 KiB"), ("/nowhere.yaml", "cannot be read")] {
            let result = try run("plan", "check", file)
            #expect(result.code == 1)
            #expect(result.text.contains(says))
        }
        let shown = try run("plan", "show", Program.example)
        #expect(shown.code == 0)
        #expect(try run("plan", "check", try Program.file(shown.text, "again.yaml")).code == 0)
    }
}
