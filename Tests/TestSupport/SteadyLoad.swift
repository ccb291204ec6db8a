import AsyncHTTPClient
import MigrationCore
import NIOCore
import NIOHTTP1
import Synchronization

/// Clients, eight if nobody says otherwise, that ask `/a` all the time, each time as another user, and one that asks `/b` as the same thirty in turns.
package final class SteadyLoad: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let good = Atomic<Int>(0)
    private let bad = Atomic<Int>(0)
    private let back = Atomic<Int>(0)
    private let slowest = Mutex(Duration.zero)

    private let clients: Int

    package init(clients: Int = 8) { self.clients = clients }

    package var answered: Int { good.load(ordering: .relaxed) }
    package var failed: Int { bad.load(ordering: .relaxed) }

    /// How long a rollback took at most, from when it was first wanted to its acknowledgement.
    package var slowestRollback: Duration { slowest.withLock { $0 } }

    /// How often one of the thirty came back to legacy from the candidate.
    package var movedBack: Int { back.load(ordering: .relaxed) }

    /// Keeps asking while the body runs; it may be done again.
    ///
    /// - Parameter watching: whether the thirty ask too.
    package func keepUp(_ url: String, watching: Bool = false, _ body: () async throws -> Void) async throws {
        isOver.store(false, ordering: .relaxed)
        var clients = (0..<self.clients).map { client in Task { await ask(url, client) } }
        if watching { clients.append(Task { await watch(url) }) }
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

    /// Switches between all and nothing, twenty times if nobody says otherwise, while the clients ask.
    ///
    /// - Parameter sent: how many requests were sent to the candidate so far.
    /// - Returns: how many each time were sent to it after the moment at which 0 was acknowledged.
    package func switching(
        _ url: String,
        _ routes: TestRoutes,
        turns: Int = 20,
        sent: @escaping @Sendable () -> Int
    ) async throws -> [Int] {
        routes.count(sent)
        var late: [Int] = []
        try await keepUp(url) {
            for turn in 0..<turns {
                let (up, down) = (Int64(turn * 2 + 1), Int64(turn * 2 + 2))
                try await eventually("revision \(up)") {
                    routes.insist(on: TestRoutes.table(up, .all))
                    return routes.acknowledged.contains(up)
                }
                let before = sent()
                try await eventually("requests to the candidate") { sent() > before + 5 }
                let wanted = ContinuousClock.now
                try await eventually("revision \(down)") {
                    routes.insist(on: TestRoutes.table(down, .zero))
                    return routes.acknowledged.contains(down)
                }
                let taken = ContinuousClock.now - wanted
                slowest.withLock { $0 = max($0, taken) }
                let seen = answered
                try await eventually("more requests") { answered > seen + 40 }
                late.append(sent() - (routes.counted(at: down) ?? 0))
            }
        }
        return late
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

    private func watch(_ url: String) async {
        var there: Set<Int> = []
        var turn = 0
        while !isOver.load(ordering: .relaxed) {
            turn += 1
            let user = turn % 30
            switch try? await Self.side(url, user: "same-\(user)", path: "/b") {
            case "candidate"?: there.insert(user)
            case "legacy"?: if there.contains(user) { back.wrappingAdd(1, ordering: .relaxed) }
            default: bad.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    /// Who answers a user's request: the first word of the answer.
    package static func side(_ url: String, user: String?, path: String = "/a") async throws -> String {
        var request = HTTPClientRequest(url: url + path)
        if let user { request.headers.add(name: "x-user-id", value: user) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let text = String(buffer: try await response.body.collect(upTo: 10_000))
        return String(text.prefix { $0 != " " })
    }
}
