import Foundation
import Postgres

/// What `wrk` found.
struct LoadFigures: Sendable {
    var perSecond: Double
    var p50: String
    var p99: String
    /// Answers that were none of success, and connections that broke.
    var failed: Int

    /// Asks an address over 32 connections for so many seconds.
    ///
    /// - Parameter pause: how many milliseconds a connection waits before a request, on average; each draws its own up to the double, so that they come one by one.
    static func measure(
        _ url: String,
        pause: Int = 0,
        seconds: Int,
        in folder: URL
    ) throws -> (figures: LoadFigures, requests: Int) {
        let script = folder.appendingPathComponent("pause.lua")
        try Data("function delay() return math.random(0, \(2 * pause)) end\n".utf8).write(to: script)
        let output = folder.appendingPathComponent("wrk-\(UUID().uuidString).log").path
        defer { try? FileManager.default.removeItem(atPath: output) }
        let line =
            ["-t1", "-c32", "-d\(seconds)s", "--latency", "-H", "x-user-id: u1"]
            + (pause > 0 ? ["-s", script.path] : []) + [url]
        let code = try ChildProcess("/usr/bin/wrk", line, output: output).wait()
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        guard code == 0, let rate = text.firstMatch(of: /Requests\/sec: +([0-9.]+)/), let perSecond = Double(rate.1),
            let total = text.firstMatch(of: /([0-9]+) requests in/), let requests = Int(total.1)
        else { throw StageError("wrk ended with \(code): \(text)") }
        let bad = text.firstMatch(of: /Non-2xx or 3xx responses: ([0-9]+)/).flatMap { Int($0.1) } ?? 0
        let broken =
            text.firstMatch(of: /Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)/)
            .map { [$0.1, $0.2, $0.3, $0.4].compactMap { Int($0) }.reduce(0, +) } ?? 0
        let figures = LoadFigures(
            perSecond: perSecond,
            p50: text.firstMatch(of: /50% +(\S+)/).map { String($0.1) } ?? "?",
            p99: text.firstMatch(of: /99% +(\S+)/).map { String($0.1) } ?? "?",
            failed: bad + broken
        )
        return (figures, requests)
    }
}
