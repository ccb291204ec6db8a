import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1

/// A model behind HTTP: one deadline over all tries, a budget for each minute, and a breaker.
package struct HTTPModel: LanguageModel {
    /// Where a model is, and how much it may be asked.
    package struct Settings: Sendable {
        /// `https://host` or `http://host:port`.
        package var address: String
        package var model: String
        /// The key, read when a request is made: it is no part of anything that is kept or printed.
        package var key: @Sendable () -> String?
        package var budget: ModelBudget
        package var breaker: ModelBreaker
        /// Tries after the first.
        package var retries = 4

        package init(
            address: String,
            model: String,
            key: @escaping @Sendable () -> String?,
            budget: ModelBudget,
            breaker: ModelBreaker
        ) {
            self.address = address
            self.model = model
            self.key = key
            self.budget = budget
            self.breaker = breaker
        }
    }

    private static let largestError = 64 * 1024
    private static let longestReply = 1 << 20

    /// One that goes nowhere else: a redirect would take the key along.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: HTTPClient.Configuration(redirectConfiguration: .disallow)
    )

    private let wire: any ModelWire
    private let settings: Settings
    private let policy = RetryPolicy()

    package init(_ wire: any ModelWire, _ settings: Settings) {
        self.wire = wire
        self.settings = settings
    }

    package func complete(
        _ request: ModelRequest,
        deadline: ContinuousClock.Instant,
        told: @escaping @Sendable (String) -> Void
    ) async throws(ModelError) -> ModelReply {
        guard let key = settings.key(), !key.isEmpty else { throw .unauthorized }
        guard settings.breaker.admits() else { throw .breakerOpen }
        do throws(ModelError) {
            let reply = try await tried(request, key, deadline, told)
            guard request.accepts(reply.value) else {
                throw .malformed("the reply is not of the schema that was asked for")
            }
            settings.breaker.succeeded()
            settings.breaker.note("ok")
            return reply
        } catch {
            // This program's own budget says nothing of the model, nor does a caller who has left.
            if Task.isCancelled {
                throw error
            } else if error.countsAgainstModel {
                settings.breaker.failed()
            } else if error != .budget {
                settings.breaker.succeeded()
            }
            settings.breaker.note(error.name)
            throw error
        }
    }

    /// How one try ended that may be worth another.
    private struct Failure: Error {
        var error: ModelError
        /// nil where another try is not worth it.
        var wait: Duration?
    }

    private func tried(
        _ request: ModelRequest,
        _ key: String,
        _ deadline: ContinuousClock.Instant,
        _ told: @escaping @Sendable (String) -> Void
    ) async throws(ModelError) -> ModelReply {
        let body = wire.body(request, model: settings.model).bytes
        var attempt = 0
        while true {
            let number = attempt
            // Every try is a request to the model.
            guard let receipt = settings.budget.take(request.estimate) else { throw .budget }
            do {
                let reply = try await withDeadline(deadline) { try await once(body, key, number, deadline, told) }
                settings.budget.settle(receipt, tokens: reply.usage.input + reply.usage.output)
                return reply
            } catch let failure as Failure {
                // What began to answer is paid for; what refused the request is not.
                if !failure.error.isPaidFor { settings.budget.settle(receipt, tokens: 0) }
                guard let wait = failure.wait, attempt < settings.retries else { throw failure.error }
                // A wait that ends after the deadline only wastes what is left of it.
                guard ContinuousClock.now + wait < deadline else { throw failure.error }
                do { try await Task.sleep(for: wait) } catch { throw .deadline }
                attempt += 1
            } catch {
                throw .deadline
            }
        }
    }

    private func withDeadline<R: Sendable>(
        _ deadline: ContinuousClock.Instant,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                throw Failure(error: .deadline, wait: nil)
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw Failure(error: .deadline, wait: nil) }
            return result
        }
    }

    private func once(
        _ body: [UInt8],
        _ key: String,
        _ attempt: Int,
        _ deadline: ContinuousClock.Instant,
        _ told: @escaping @Sendable (String) -> Void
    ) async throws -> ModelReply {
        var request = HTTPClientRequest(url: settings.address + wire.path)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "accept", value: "text/event-stream")
        for (name, value) in wire.fields(key: key) { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response: HTTPClientResponse
        do {
            response = try await Self.client.execute(
                request,
                deadline: .now() + .nanoseconds(nanoseconds(until: deadline))
            )
        } catch {
            throw Failure(error: .unavailable("no connection"), wait: wait(attempt, nil))
        }
        guard response.status == .ok else { throw await failure(response, attempt) }
        do {
            return try await reply(response, told)
        } catch let error as ModelError {
            // A stream that broke off may be begun anew; an answer that is none would be none again.
            let mayRetry = error == .rateLimited || { if case .unavailable = error { true } else { false } }()
            throw Failure(error: error, wait: mayRetry ? wait(attempt, nil) : nil)
        } catch is CancellationError {
            throw Failure(error: .deadline, wait: nil)
        } catch {
            throw Failure(error: .unavailable("the connection broke"), wait: wait(attempt, nil))
        }
    }

    private func reply(_ response: HTTPClientResponse, _ told: (String) -> Void) async throws -> ModelReply {
        var events = ServerSentEvents()
        var collector = wire.collector()
        var size = 0
        do {
            for try await chunk in response.body {
                size += chunk.readableBytes
                guard size <= Self.longestReply * 8 else { throw ModelError.malformed("the answer does not end") }
                for event in try events.take(chunk.readableBytesView) {
                    if let piece = try collector.take(event) { told(piece) }
                }
            }
            try events.finish()
        } catch let fault as ServerSentEventsFault {
            throw ModelError.malformed("the stream is not one of events: \(fault)")
        }
        let (text, usage) = try collector.finish()
        guard let value = try? JSONValue(parsing: text) else {
            throw ModelError.malformed("the answer is not JSON")
        }
        return ModelReply(value: value, usage: usage)
    }

    private func failure(_ response: HTTPClientResponse, _ attempt: Int) async -> Failure {
        let status = Int(response.status.code)
        let bytes = try? await response.body.collect(upTo: Self.largestError)
        let body = bytes.flatMap { try? JSONValue(parsing: Array($0.readableBytesView)) }
        if wire.isSpendLimit(status: status, body) { return Failure(error: .spendLimit, wait: nil) }
        let error: ModelError
        switch status {
        case 401, 403: error = .unauthorized
        case 429: error = .rateLimited
        case 408, 409, 500...: error = .unavailable("it answered \(status)")
        default: error = .rejected(status: status, body?["error"]?["type"]?.string ?? "")
        }
        let again = RetryPolicy.isWorthAnother(
            status: status,
            shouldRetry: response.headers.first(name: "x-should-retry")
        )
        return Failure(error: error, wait: again ? wait(attempt, response.headers) : nil)
    }

    private func wait(_ attempt: Int, _ headers: HTTPHeaders?) -> Duration? {
        policy.wait(
            attempt: attempt,
            milliseconds: headers?.first(name: "retry-after-ms"),
            after: headers?.first(name: "retry-after"),
            now: Date.now.timeIntervalSince1970
        )
    }

    private func nanoseconds(until deadline: ContinuousClock.Instant) -> Int64 {
        let rest = deadline - .now
        return max(1, rest.components.seconds * 1_000_000_000 + rest.components.attoseconds / 1_000_000_000)
    }
}
