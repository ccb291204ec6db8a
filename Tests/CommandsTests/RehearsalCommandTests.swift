import Foundation
import Postgres
import TestSupport
import Testing

@Suite("migrate plan check and migrate simulate")
struct RehearsalCommandTests {
    private static var scenario: String {
        Program.example.replacing("recommendations.yaml", with: "recommendations.scenario.yaml")
    }

    @Test("a plan’s check says what it found with its place, and exits 1 for an error")
    func check() throws {
        let well = try Program.run(["plan", "check", Program.example])
        #expect(well.code == 0)
        #expect(well.text.contains("recommendations can be carried out"))
        #expect(well.text.contains("legacy is reached from each of the"))
        #expect(well.text.contains("recommendations.yaml:15:5: note:"))
        let poor = try Program.run([
            "plan", "check", Program.example, "--traffic", "getRecommendations=1/s", "--traffic", "0.5/s",
        ])
        #expect(poor.code == 1)
        #expect(poor.text.contains("cannot be carried out as it is"))
        #expect(poor.text.contains("recommendations.yaml:21:5: error: a window of production 10 % has"))
        let json = try Program.run(["plan", "check", Program.example, "--traffic", "400/s", "--format", "json"])
        #expect(json.code == 0)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
        #expect(report["format"] as? Int == 1)
        #expect(report["states"] as? Int ?? 0 > 20)
    }

    @Test(
        "traffic that cannot be understood is refused",
        arguments: [
            (["--traffic", "fast"], 2, "traffic"),
            (["--traffic", "getRecomendations=1/s"], 2, "did you mean “getRecommendations”?"),
            (["--traffic", "getRecommendations=1/s"], 2, "says nothing of"),
            (["--scenario", "/nowhere.yaml"], 1, "cannot be read"),
        ]
    )
    func badTraffic(_ arguments: [String], _ code: Int32, _ says: String) throws {
        let result = try Program.run(["plan", "check", Program.example] + arguments)
        #expect(result.code == code)
        #expect(result.text.contains(says), "\(result.text)")
    }

    @Test("a rehearsal is told: what would become of it first, then step by step, with a chart")
    func simulate() throws {
        let arguments = ["simulate", Program.example, "--scenario", Self.scenario]
        let text = try Program.run(arguments)
        #expect(text.code == 0)
        #expect(text.text.hasPrefix("recommendations would be ROLLED BACK at production 50 % after 2 h"))
        #expect(text.text.contains("rolls back from 50 % to 0 %"))
        #expect(text.text.contains("▁"))
    }

    /// One service, twelve windows.
    private static let small = """
        migration: small
        services: { a: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2" } }
        sticky_by: [client_ip]
        window: 10s
        stages: [{ name: p, environment: p, steps: [50%, 100%], bake: 40s }]
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 20s (no data 1m)]
        watch: 1m
        expires: 1h

        """

    @Test("programs get JSON, reports a page that needs nothing else")
    func formats() throws {
        let arguments = ["simulate", try Program.file(Self.small, "small.yaml")]
        let json = try Program.run(arguments + ["--format", "json", "--runs", "3", "--suggest"])
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
        #expect(report["runs"] as? Int == 3)
        #expect((report["ends"] as? [String: Int])?["completed"] == 3)
        #expect((report["advice"] as? [Any])?.count == 1)
        let first = try #require(report["first"] as? [String: Any])
        #expect((first["points"] as? [Any])?.count ?? 0 >= 14)
        let html = try Program.run(arguments + ["--format", "html", "--runs", "2", "--suggest"])
        #expect(html.text.hasPrefix("<!doctype html>"))
        #expect(html.text.contains("<svg"))
        #expect(!html.text.contains("http://") && !html.text.contains("https://") && !html.text.contains("<script"))
        #expect(html.text.contains("2 runs"))
    }

    @Test("the same seed is told the same")
    func seeds() throws {
        let arguments = ["simulate", try Program.file(Self.small, "small.yaml"), "--format", "json", "--seed"]
        let first = try Program.run(arguments + ["4"]), second = try Program.run(arguments + ["4"])
        #expect(first.text == second.text)
        #expect(try Program.run(arguments + ["5"]).text != first.text)
    }

    @Test("recorded windows that are none are refused by their line")
    func badWindows() throws {
        for (text, says) in [
            ("", ":1: this is no head"), ("{}", ":1: this is no head"),
            (#"{"migration":"m","services":["a"],"window":1000000}"# + "\nx", ":2: this is no window of m"),
            (#"{"migration":"m","services":["a"],"window":1000000}"#, "has no windows"),
        ] {
            let file = try Program.file(text, "windows.jsonl")
            let result = try Program.run(["simulate", Program.example, "--windows", file])
            #expect(result.code == 1)
            #expect(result.text.contains(says), "\(result.text)")
        }
    }
}
