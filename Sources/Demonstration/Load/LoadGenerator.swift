import AsyncHTTPClient
import Callable
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import Synchronization

/// Sends real callable requests of many users through the gateways, at a steady rate, and checks every answer.
struct LoadGenerator: Sendable {
    /// Requests a second.
    let rate: Int
    let users: Int
    let record: LoadRecord
    private let issuer: DevelopmentIssuer
    private let knowledge = Knowledge()
    /// Requests under way at most: on a machine that is too busy for the rate, fewer are sent, and none waits for long.
    private static let most = 200
    private static let timeout = TimeAmount.seconds(20)

    init(rate: Int, users: Int, record: LoadRecord, issuer: DevelopmentIssuer) {
        self.rate = rate
        self.users = users
        self.record = record
        self.issuer = issuer
    }

    /// What users have learnt from answers: which recommendation to preview, which to apply.
    private final class Knowledge: Sendable {
        struct Known: Sendable {
            var first: String
            var toFill: (id: String, placeholder: String, value: String)?
            var ready: String?
        }
        let byUser = Mutex<[Int: Known]>([:])
        let underWay = Atomic<Int>(0)
        /// Signed once for each user, and good for longer than a demonstration.
        let tokens = Mutex<[Int: String]>([:])
    }

    /// Sends until the task is cancelled.
    ///
    /// - Parameter doors: the gateways; those of the last environment get the most.
    func run(_ doors: [Cast.Door], environments: [String]) async {
        let busy = doors.filter { $0.environment == environments.last }
        let quiet = doors.filter { $0.environment != environments.last }
        await withDiscardingTaskGroup { group in
            let start = ContinuousClock.now
            var sent = 0
            while !Task.isCancelled {
                let due = Int((ContinuousClock.now - start) / .milliseconds(1)) * rate / 1_000
                while sent < due {
                    sent += 1
                    guard knowledge.underWay.load(ordering: .relaxed) < Self.most else { continue }
                    let doors = Int.random(in: 0..<10) < 6 || quiet.isEmpty ? busy : quiet
                    guard let door = doors.randomElement(),
                        let environment = environments.firstIndex(of: door.environment)
                    else { continue }
                    let user = Int.random(in: 0..<users)
                    knowledge.underWay.wrappingAdd(1, ordering: .relaxed)
                    group.addTask {
                        await send(user, door, environment)
                        knowledge.underWay.wrappingSubtract(1, ordering: .relaxed)
                    }
                }
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// Asks the candidate for every user's recommendations and first preview once, as one warms a cache before traffic comes.
    func warm(_ candidate: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    for user in stride(from: worker, to: users, by: 16) {
                        for operation in ["getRecommendations", "previewImprovement"] {
                            let (status, _, body) = try await post(
                                candidate,
                                operation,
                                user,
                                data(operation, user, isForced: false)
                            )
                            guard status == 200 else { throw StageError("warming: \(operation) answered \(status)") }
                            if operation == "getRecommendations" { learn(user, body) }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func send(_ user: Int, _ door: Cast.Door, _ environment: Int) async {
        let operation = choose(user)
        let sentAt = SystemClock.now.rawValue
        do {
            let data = data(operation, user, isForced: Int.random(in: 0..<20) == 0)
            let (status, implementation, body) = try await post(door.url, operation, user, data)
            guard let implementation else {
                return record.failed("\(operation) through \(door.name): \(status) without an implementation")
            }
            let isExpectedFailure = try check(operation, user, status, implementation, body)
            record.answered(
                user: user,
                environment: environment,
                isCandidate: implementation == "candidate",
                sentAt: sentAt,
                doneAt: SystemClock.now.rawValue,
                isExpectedFailure: isExpectedFailure
            )
        } catch {
            guard !Task.isCancelled else { return }
            record.failed("\(operation) through \(door.name): \(error)")
        }
    }

    private func choose(_ user: Int) -> String {
        guard let known = knowledge.byUser.withLock({ $0[user] }) else { return "getRecommendations" }
        switch Int.random(in: 0..<10) {
        case 0..<6: return "getRecommendations"
        case 6..<8: return "previewImprovement"
        case 8 where known.toFill != nil: return "customizePlaceholders"
        case 9 where known.ready != nil: return "applyImprovements"
        default: return "getRecommendations"
        }
    }

    private func data(_ operation: String, _ user: Int, isForced: Bool) -> [String: Any] {
        let known = knowledge.byUser.withLock { $0[user] }
        var data: [String: Any] = ["jobId": "job-\(user)"]
        switch operation {
        case "previewImprovement": data["recommendationId"] = known?.first ?? ""
        case "customizePlaceholders":
            data["recommendationId"] = known?.toFill?.id ?? ""
            data["placeholderValues"] = known?.toFill.map { [$0.placeholder: $0.value] } ?? [:]
        case "applyImprovements": data["selectedRecommendationIds"] = [known?.ready ?? ""]
        default: if isForced { data["forceRegenerate"] = true }
        }
        return data
    }

    private func post(_ base: String, _ operation: String, _ user: Int, _ data: [String: Any]) async throws -> (
        Int, String?, Data
    ) {
        var request = HTTPClientRequest(url: "\(base)/\(operation)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(try token(user))")
        request.headers.add(name: "x-user-id", value: "user-\(user)")
        request.body = .bytes(ByteBuffer(bytes: try JSONSerialization.data(withJSONObject: ["data": data])))
        let response = try await Web.client.execute(request, timeout: Self.timeout)
        let body = try await response.body.collect(upTo: 4 << 20)
        return (Int(response.status.code), response.headers.first(name: "x-migrate-implementation"), Data(buffer: body))
    }

    private func token(_ user: Int) throws -> String {
        if let token = knowledge.tokens.withLock({ $0[user] }) { return token }
        let token = try issuer.token(user: "user-\(user)")
        knowledge.tokens.withLock { $0[user] = token }
        return token
    }

    /// Checks an answer against the contract.
    ///
    /// - Returns: whether it is a failure of the service that the contract knows.
    /// - Throws: for an answer that no service should have given.
    private func check(_ operation: String, _ user: Int, _ status: Int, _ implementation: String, _ body: Data) throws
        -> Bool
    {
        guard let answer = try JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw StageError("no JSON object")
        }
        guard status == 200 else {
            let error = (answer["error"] as? [String: Any])?["status"] as? String ?? "no status"
            let known: Set<String>
            switch (implementation, operation) {
            case ("legacy", "customizePlaceholders"): known = ["504 DEADLINE_EXCEEDED", "501 UNIMPLEMENTED"]
            case ("legacy", _): known = ["504 DEADLINE_EXCEEDED"]
            default: known = ["500 INTERNAL"]
            }
            guard known.contains("\(status) \(error)") else {
                throw StageError("\(implementation) answered \(status) \(error)")
            }
            return true
        }
        guard let result = answer["result"] as? [String: Any], result["success"] as? Bool == true,
            let data = result["data"] as? [String: Any]
        else {
            throw StageError("an answer without result and data")
        }
        switch operation {
        case "getRecommendations":
            guard let list = data["recommendations"] as? [[String: Any]], (1...15).contains(list.count) else {
                throw StageError("not between 1 and 15 recommendations")
            }
            let texts = list.compactMap { $0["suggestedContent"] as? String }
            let dropped = ((data["metadata"] as? [String: Any])?["guardDropped"] as? [Any])?.count ?? 0
            record.sawModel(
                invented: texts.count(where: StubAnswer.isInvented),
                dropped: dropped
            )
            learn(user, body)
        case "previewImprovement":
            if data["afterContent"] as? String == nil { throw StageError("a preview without its content") }
        case "customizePlaceholders":
            if (data["customizedContent"] as? String)?.contains("{{") ?? true {
                throw StageError("a placeholder was not filled in")
            }
        default: if data["jobId"] as? String != "job-\(user)" { throw StageError("another job's answer") }
        }
        return false
    }

    private func learn(_ user: Int, _ body: Data) {
        guard knowledge.byUser.withLock({ $0[user] }) == nil,
            let answer = try? JSONSerialization.jsonObject(with: body) as? [String: Any],
            let data = (answer["result"] as? [String: Any])?["data"] as? [String: Any],
            let list = data["recommendations"] as? [[String: Any]], let first = list.first?["id"] as? String
        else { return }
        var known = Knowledge.Known(first: first)
        for item in list {
            guard let id = item["id"] as? String, item["suggestedContent"] is String else { continue }
            if let placeholders = item["placeholders"] as? [[String: Any]], let placeholder = placeholders.first,
                let name = placeholder["id"] as? String
            {
                guard name == "ACTION_VERB" || name == "ADD_PERCENTAGE", placeholders.count == 1 else { continue }
                known.toFill = known.toFill ?? (id, name, placeholder["type"] as? String == "number" ? "25" : "Reduced")
            } else {
                known.ready = known.ready ?? id
            }
        }
        knowledge.byUser.withLock { $0[user] = known }
    }
}
