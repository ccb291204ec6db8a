import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1
import Synchronization

/// Users of a service, each with one request under way.
final class UserLoad: Sendable {
    struct Result: Sendable {
        var micros: [Int64] = []
        var failed = 0
        var timedOut = 0
        var hits = 0
        var misses = 0
        var errors: [String: Int] = [:]
        /// How long it took in all.
        var time = Duration.zero
    }

    private let url: String
    private let tokens: [String]
    private let pause: Duration
    private let kept = Mutex(Result())
    var result: Result { kept.withLock { $0 } }

    /// - Parameter pause: between a user's answer and the next request.
    init(url: String, tokens: [String], pause: Duration = .zero) {
        self.url = url
        self.tokens = tokens
        self.pause = pause
    }

    /// Plays for so long, and until every answer that is under way has come.
    func run(_ time: Duration) async {
        let started = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for user in tokens.indices { group.addTask { await self.play(user, until: started + time) } }
        }
        kept.withLock { $0.time += ContinuousClock.now - started }
    }

    private func play(_ user: Int, until end: ContinuousClock.Instant) async {
        var known: [String] = []
        while ContinuousClock.now < end, !Task.isCancelled {
            if pause > .zero { try? await Task.sleep(for: pause * Double.random(in: 0.5...1.5)) }
            let job: [String: JSONValue] = ["jobId": .string("job-\(user)")]
            switch Int.random(in: 0..<100) {
            case 0..<20 where !known.isEmpty:
                _ = await ask(
                    "previewImprovement",
                    job.merging(["recommendationId": .string(known.randomElement() ?? "")]) { $1 },
                    user
                )
            case 20..<25 where !known.isEmpty:
                // What is only advice changes nothing; what has placeholders is refused, as it should be.
                let ready = known.filter {
                    $0.hasPrefix("first_person") || $0.hasPrefix("duplicate") || $0.hasPrefix("few_skills")
                }
                guard let one = ready.first else { continue }
                _ = await ask(
                    "applyImprovements",
                    job.merging(["selectedRecommendationIds": [.string(one)]]) { $1 },
                    user
                )
            case let draw:
                let isForced: [String: JSONValue] = draw < 30 ? ["forceRegenerate": true] : [:]
                guard let answer = await ask("getRecommendations", job.merging(isForced) { $1 }, user) else { continue }
                known = (answer["recommendations"]?.array ?? []).compactMap { $0["id"]?.string }
            }
        }
    }

    private func ask(_ function: String, _ data: [String: JSONValue], _ user: Int) async -> JSONValue? {
        var request = HTTPClientRequest(url: "\(url)/\(function)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(tokens[user])")
        request.body = .bytes(ByteBuffer(bytes: JSONValue.object(["data": .object(data)]).bytes))
        let started = ContinuousClock.now
        do {
            let response = try await Web.client.execute(request, timeout: .seconds(60))
            let body = try await response.body.collect(upTo: 4 << 20)
            let micros = Int64((ContinuousClock.now - started) / .microseconds(1))
            let value = try JSONValue(parsing: body.readableBytesView)
            let cache = response.headers.first(name: "cache-status")
            kept.withLock { result in
                result.micros.append(micros)
                if let cache {
                    if cache.contains("; hit") || cache.contains("collapsed") {
                        result.hits += 1
                    } else {
                        result.misses += 1
                    }
                }
                guard response.status != .ok else { return }
                let status = value["error"]?["status"]?.string ?? "\(response.status.code)"
                if status == "DEADLINE_EXCEEDED" { result.timedOut += 1 } else { result.failed += 1 }
                result.errors["\(function) \(status)", default: 0] += 1
            }
            return response.status == .ok ? value["result"]?["data"] : nil
        } catch {
            guard !Task.isCancelled else { return nil }
            kept.withLock { result in
                result.failed += 1
                result.errors["\(function) \(error)", default: 0] += 1
            }
            return nil
        }
    }
}
