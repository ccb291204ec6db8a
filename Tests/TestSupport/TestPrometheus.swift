import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Postgres

/// A real Prometheus.
package enum TestPrometheus {
    /// Runs one that scrapes a target five times a second as the job `test`, while the body runs.
    ///
    /// - Parameters:
    ///   - target: `HOST:PORT`.
    ///   - path: where the target tells its counts.
    ///   - labels: what it says besides of whatever the target tells.
    ///   - seldom: another target of the same job, scraped every four seconds; nil is none.
    ///   - body: is given the Prometheus's address.
    package static func run(
        scraping target: String,
        path: String = "/metrics",
        labels: [String: String] = [:],
        seldom: String? = nil,
        _ body: (String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "prometheus-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let configuration = """
            global: { scrape_interval: 200ms, scrape_timeout: 200ms }
            scrape_configs:
              - job_name: test
                metrics_path: \(path)
                static_configs: [{ targets: ["\(target)"], labels: { \(labels.map { "\($0): \($1)" }.joined(separator: ", ")) } }]

            """
        let another =
            seldom.map { target in
                """
                  - job_name: seldom
                    scrape_interval: 4s
                    static_configs: [{ targets: ["\(target)"] }]
                    relabel_configs: [{ target_label: job, replacement: test }]

                """
            } ?? ""
        let file = folder.appendingPathComponent("prometheus.yml")
        try Data((configuration + another).utf8).write(to: file)
        let port = try freePort()
        let process = try ChildProcess(
            "/usr/bin/prometheus",
            [
                "--config.file=\(file.path)", "--storage.tsdb.path=\(folder.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
            ],
            output: folder.appendingPathComponent("log").path
        )
        let result: Result<Void, any Error>
        do {
            let url = "http://127.0.0.1:\(port)"
            // It listens before it answers what it is asked.
            try await eventually("Prometheus to be ready") {
                let answer = try? await HTTPClient.shared.execute(
                    HTTPClientRequest(url: "\(url)/-/ready"),
                    timeout: .seconds(2)
                )
                return answer?.status == .ok
            }
            result = .success(try await body(url))
        } catch {
            let said = FileManager.default.contents(atPath: folder.appendingPathComponent("log").path) ?? Data()
            result = .failure(TestFailure("\(error)\n\(String(decoding: said.suffix(2_000), as: UTF8.self))"))
        }
        process.signal(SIGTERM)
        _ = try await offThread { process.wait() }
        try FileManager.default.removeItem(at: folder)
        try result.get()
    }
}
