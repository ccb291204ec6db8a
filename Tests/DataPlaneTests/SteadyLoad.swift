import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Eight clients that ask all the time, each time as another user.
final class SteadyLoad: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let good = Atomic<Int>(0)
    private let bad = Atomic<Int>(0)

    var answered: Int { good.load(ordering: .relaxed) }
    var failed: Int { bad.load(ordering: .relaxed) }

    /// Keeps asking while the body runs.
    func keepUp(_ url: String, _ body: () async throws -> Void) async throws {
        let clients = (0..<8).map { client in Task { await ask(url, client) } }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        isOver.store(true, ordering: .relaxed)
        for client in clients { await client.value }
        try result.get()
    }

    private func ask(_ url: String, _ client: Int) async {
        var turn = 0
        while !isOver.load(ordering: .relaxed) {
            turn += 1
            let isWell = (try? await Self.side(url, user: "w\(client)-\(turn)")).map {
                ["legacy", "candidate"].contains($0)
            }
            if isWell ?? false {
                good.wrappingAdd(1, ordering: .relaxed)
            } else {
                bad.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    /// Who answers a user's request: the first word of the answer.
    static func side(_ url: String, user: String?) async throws -> String {
        var request = HTTPClientRequest(url: url + "/a")
        if let user { request.headers.add(name: "x-user-id", value: user) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let text = String(buffer: try await response.body.collect(upTo: 10_000))
        return String(text.prefix { $0 != " " })
    }
}
