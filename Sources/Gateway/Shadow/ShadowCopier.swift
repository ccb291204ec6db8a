import AsyncHTTPClient
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import Synchronization
import TimeLimits

/// Sends copies of answered requests to both sides, off the way of the traffic, and compares the answers: the candidate's with legacy's, and legacy's with
/// another of its own for the noise. No user waits for it, and nothing of it reaches one.
///
/// A service whose weight in force is 0 has no copies: a candidate that was taken back hears of nobody.
actor ShadowCopier {
    /// So many comparisons are under way at once; what comes meanwhile is not compared.
    private static let most = 16
    /// Tells the services that nobody waits for the answer.
    static let header = "x-migrate-shadow"

    private let client: HTTPClient
    private let meter: Meter
    private let underWay = Atomic<Int>(0)
    private let skippedCount = Atomic<Int64>(0)
    private let failedCount = Atomic<Int64>(0)
    private var weights: [String: Weight] = [:]
    private var judges: [Int: ShadowJudge] = [:]
    private var tasks: [Int: (service: String, task: Task<Void, Never>)] = [:]
    private var next = 0

    init(client: HTTPClient, meter: Meter) {
        self.client = client
        self.meter = meter
    }

    /// Requests that were not compared because too many were, and those of which a copy had no answer.
    nonisolated var skipped: Int64 { skippedCount.load(ordering: .relaxed) }
    nonisolated var failed: Int64 { failedCount.load(ordering: .relaxed) }

    /// Takes a request whose answer its user has.
    nonisolated func submit(_ request: ShadowRequest) {
        guard underWay.wrappingAdd(1, ordering: .relaxed).newValue <= Self.most else {
            underWay.wrappingSubtract(1, ordering: .relaxed)
            skippedCount.wrappingAdd(1, ordering: .relaxed)
            return
        }
        Task {
            await self.take(request)
            self.underWay.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    /// Hears which weights are in force. When it returns, no copy is on its way to a candidate whose weight is 0.
    func install(_ weights: [String: Weight]) async {
        self.weights = weights
        let ended = tasks.values.filter { weights[$0.service] ?? .zero == .zero }
        for (_, task) in ended { task.cancel() }
        for (_, task) in ended { await task.value }
        guard !ended.isEmpty else { return }
        // The client's threads carry out what was begun before they hear of the end: from here on they have.
        for loop in client.eventLoopGroup.makeIterator() { try? await loop.submit {}.get() }
    }

    private func take(_ request: ShadowRequest) async {
        let service = request.entry.service.name
        guard weights[service] ?? .zero > .zero else { return }
        let id = next
        next += 1
        let task = Task { await self.compare(request) }
        tasks[id] = (service, task)
        await task.value
        tasks[id] = nil
    }

    private func compare(_ request: ShadowRequest) async {
        do {
            let entry = request.entry
            let candidate: ShadowAnswer
            let legacy: ShadowAnswer
            switch request.implementation {
            case .legacy:
                legacy = request.answer
                candidate = try await ask(entry.candidate, request)
            case .candidate:
                candidate = request.answer
                legacy = try await ask(entry.legacy, request)
            }
            let again = try await ask(entry.legacy, request)
            let ignored = entry.service.shadowIgnores ?? []
            let isDifferent = judges[entry.index, default: ShadowJudge()].judge(
                raw: AnswerDifference(legacy: legacy, candidate: candidate, ignoring: ignored).fields,
                noise: AnswerDifference(legacy: legacy, candidate: again, ignoring: ignored).fields,
                service: entry.service.name,
                at: SystemClock.now
            )
            meter.compared(service: entry.index, isDifferent: isDifferent, at: SystemClock.now)
        } catch {
            failedCount.wrappingAdd(1, ordering: .relaxed)
        }
    }

    private nonisolated func ask(_ address: Address, _ request: ShadowRequest) async throws -> ShadowAnswer {
        var copy = try Self.copy(request, to: address)
        copy.headers.replaceOrAdd(name: Self.header, value: "1")
        try Task.checkCancellation()
        let (client, asked) = (client, copy)
        let limit = request.entry.service.timeout.rawValue
        // Its end is waited for: once copies are stopped none is on its way.
        let (response, body) = try await TimeLimit.cancelling(after: .microseconds(limit)) {
            let response = try await client.execute(asked, timeout: .microseconds(limit))
            return (response, try await response.body.collect(upTo: ShadowCapture.longestAnswer))
        }
        // One that is compressed all the same cannot be compared with one that is not.
        guard response.headers["content-encoding"].isEmpty else { throw MessageFault.bad("the answer is encoded") }
        let type = response.headers.first(name: "content-type")?.lowercased() ?? ""
        return ShadowAnswer(status: Int(response.status.code), isJSON: type.contains("json"), body: body)
    }

    private static func copy(_ request: ShadowRequest, to address: Address) throws -> HTTPClientRequest {
        try request.head.reading { bytes throws(MessageFault) in
            var fields = FieldTable()
            let head = try RequestHead(bytes, &fields)
            var copy = HTTPClientRequest(url: address.url + String(decoding: bytes[head.target], as: UTF8.self))
            copy.method = HTTPMethod(rawValue: String(decoding: bytes[head.methodText], as: UTF8.self))
            for field in fields.all where ![.contentLength, .transferEncoding, .expect].contains(field.role) {
                // Nobody reads a copy's answer but who compares it.
                if Octet.equal(bytes, field.name, "accept-encoding") { continue }
                let name = String(decoding: bytes[field.name], as: UTF8.self)
                copy.headers.add(name: name, value: String(decoding: bytes[field.value], as: UTF8.self))
            }
            if request.body.readableBytes > 0 { copy.body = .bytes(request.body) }
            return copy
        }
    }

    /// What is known of the differences, for people.
    struct Report: Codable, Sendable {
        struct Field: Codable, Sendable {
            var service: Int
            var path: String
            var different: Int
            var noise: Int
            var compared: Int
        }

        struct Sample: Codable, Sendable {
            /// Microseconds since 1970.
            var at: Int64
            var service: String
            var path: String
            var legacy: String
            var candidate: String
        }

        var skipped: Int64
        var failed: Int64
        var fields: [Field]
        var samples: [Sample]
    }

    var report: Report {
        Report(
            skipped: skipped,
            failed: failed,
            fields: judges.sorted { $0.key < $1.key }.flatMap { service, judge in
                judge.worse.map {
                    Report.Field(
                        service: service,
                        path: Redaction.shown(path: $0.path),
                        different: $0.raw,
                        noise: $0.noise,
                        compared: $0.compared
                    )
                }
            },
            samples: judges.values.flatMap(\.samples).sorted { $0.at < $1.at }.flatMap { sample in
                sample.fields.map {
                    Report.Sample(
                        at: sample.at.rawValue,
                        service: sample.service,
                        path: Redaction.shown(path: $0.path),
                        legacy: $0.legacy,
                        candidate: $0.candidate
                    )
                }
            }
        )
    }
}
