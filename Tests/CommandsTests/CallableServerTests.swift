import Callable
import Foundation
import Postgres
import TestSupport
import Testing

/// The candidate service itself, on a free port, spoken to byte by byte.
@Suite("The recommendation service over HTTP", .database)
struct CallableServerTests {
    /// Runs the service while the body runs.
    private func serve(_ body: (Int, DevelopmentIssuer) async throws -> Void) async throws {
        let port = try freePort()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("service-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let database = try TestDatabase.conninfo
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("issuer-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let issuer = try DevelopmentIssuer(folder: folder, project: "demo-recommendations")
        let seed = try ChildProcess(
            Program.path("recommendations"),
            ["seed", "--users", "3", "--database", database],
            output: file
        )
        #expect(seed.wait() == 0)
        let process = try ChildProcess(
            Program.path("recommendations"),
            [
                "--implementation", "candidate", "--port", "\(port)", "--database", database, "--token-keys",
                issuer.certificates.absoluteString,
            ],
            output: file
        )
        let result: Result<Void, any Error>
        do {
            try await eventually("the service to listen") {
                (try? RawSocket.exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n")) != nil
            }
            try await body(port, issuer)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        process.signal(SIGKILL)
        process.wait()
        try result.get()
    }

    private static func post(
        _ operation: String,
        _ body: String,
        length: Int? = nil,
        token: String
    ) -> String {
        """
        POST /\(operation) HTTP/1.1\r
        host: x\r
        content-type: application/json\r
        authorization: Bearer \(token)\r
        content-length: \(length ?? body.utf8.count)\r
        \r
        \(body)
        """
    }

    @Test("answers by the contract, and refuses bad bodies with the right status")
    func wire() async throws {
        try await serve { port, issuer in
            func post(_ operation: String, _ body: String, length: Int? = nil, user: String = "user-1") throws -> String
            {
                Self.post(operation, body, length: length, token: try issuer.token(user: user))
            }
            let good = try post("getRecommendations", #"{"data":{"jobId":"job-1"}}"#)
            let first = try RawSocket.exchange(port, good)
            #expect(first.hasPrefix("HTTP/1.1 200"))
            #expect(first.contains("Cache-Status: recommendations; fwd=miss"))
            #expect(first.contains(#""success":true"#))
            #expect(try RawSocket.exchange(port, good).contains("Cache-Status: recommendations; hit"))
            // A stream's head says the same.
            let stream = good.replacing(
                "host: x\r\n",
                with: "host: x\r\naccept: text/event-stream\r\nconnection: close\r\n"
            )
            let kept = try RawSocket.exchange(port, stream)
            #expect(kept.contains("Cache-Status: recommendations; hit") && !kept.contains("analyzing"))
            let forced = try RawSocket.exchange(
                port,
                try post("getRecommendations", #"{"data":{"jobId":"job-1","forceRegenerate":true}}"#)
                    .replacing("host: x\r\n", with: "host: x\r\naccept: text/event-stream\r\nconnection: close\r\n")
            )
            #expect(forced.contains("Cache-Status: recommendations; fwd=request\r\n"), "\(forced.prefix(400))")
            #expect(forced.contains(#"data: {"message":{"stage":"analyzing"}}"#))
            let cases: [(String, String, String)] = try [
                (post("getRecommendations", "no json"), "400", "INVALID_ARGUMENT"),
                (post("getRecommendations", #"{"data":{},"more":1}"#), "400", "INVALID_ARGUMENT"),
                (
                    post("getRecommendations", #"{"data":{"jobId":"job-1"}}"#, user: "user-2"), "403",
                    "PERMISSION_DENIED"
                ),
                (post("getRecommendations", #"{"data":{"jobId":"job-99"}}"#), "404", "NOT_FOUND"),
                (post("previewImprovement", #"{"data":{"jobId":"job-1"}}"#), "400", "INVALID_ARGUMENT"),
                (
                    post("applyImprovements", #"{"data":{"jobId":"job-1","selectedRecommendationIds":[]}}"#), "400",
                    "INVALID_ARGUMENT"
                ),
                (
                    post(
                        "getRecommendations",
                        #"{"data":{"jobId":""# + String(repeating: "a", count: 1_100_000) + #""}}"#
                    ), "400",
                    "INVALID_ARGUMENT"
                ),
            ]
            for (request, status, word) in cases {
                let answer = try RawSocket.exchange(port, request)
                #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(answer.prefix(200))")
                #expect(answer.contains(word))
            }
            // A body that is cut off has no answer to expect; the service goes on.
            _ = try? RawSocket.exchange(
                port,
                try post("getRecommendations", #"{"data":"#, length: 500),
                closesAfterSending: true
            )
            #expect(try RawSocket.exchange(port, good).hasPrefix("HTTP/1.1 200"))
        }
    }
}
