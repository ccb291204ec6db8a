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
        let port = try RawSocket.freePort()
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

/// A plain TCP connection, for what a proper client would not send.
enum RawSocket {
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw TestFailure("no port is free") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Sends a request and reads until an answer is whole by its content-length, or five seconds have passed.
    static func exchange(_ port: Int, _ request: String, closesAfterSending: Bool = false) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { throw TestFailure("nobody listens") }
        let bytes = Array(request.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        if closesAfterSending { shutdown(descriptor, Int32(SHUT_WR)) }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isWhole(answer) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        guard !answer.isEmpty else { throw TestFailure("no answer") }
        return String(decoding: answer, as: UTF8.self)
    }

    private static func isWhole(_ answer: [UInt8]) -> Bool {
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"), let match = text.firstMatch(of: /(?i)content-length: ([0-9]+)/),
            let length = Int(match.output.1)
        else { return false }
        return text[end.upperBound...].utf8.count >= length
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
