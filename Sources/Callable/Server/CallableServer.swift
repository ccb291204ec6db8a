import HTTPTypes
package import Hummingbird
import JSON
import NIOCore
import Synchronization
import TimeLimits

/// Functions over HTTP, as the callable protocol has them.
///
/// Source: `https://firebase.google.com/docs/functions/callable-reference`.
package struct CallableServer: Sendable {
    /// What a server takes at most, and from where.
    package struct Settings: Hashable, Sendable {
        package var largestBody = 1 << 20
        /// Calls under way at once; more are UNAVAILABLE.
        package var mostCalls = 1_024
        /// How long a request's body may take to arrive.
        package var bodyTime = Duration.seconds(15)
        /// Between two signs of life in a stream.
        package var ping = Duration.seconds(30)
        /// From which pages a browser may call; nil from every one.
        package var origins: Set<String>?

        package init() {}
    }

    /// One call that is over.
    package struct Record: Sendable {
        package let function: String
        /// The canonical status; `OK` for an answer.
        package let status: String
        package let took: Duration
        package let fields: [String: String]
        /// What the caller was not told: what nobody foresaw, or why a token is none.
        package let note: String?
    }

    private let functions: [CallableFunction]
    private let authenticator: Authenticator
    let settings: Settings
    private let record: @Sendable (Record) -> Void
    private let underWay = UnderWay()

    final class UnderWay: Sendable {
        let count = Atomic<Int>(0)
    }

    /// A call's place among those under way: given back when nobody holds it, whatever became of the call.
    final class Place: Sendable {
        private let underWay: UnderWay

        /// Nil where so many are under way already; whoever is turned away is not one of them.
        init?(_ underWay: UnderWay, most: Int) {
            var count = underWay.count.load(ordering: .relaxed)
            while true {
                guard count < most else { return nil }
                let (isTaken, seen) = underWay.count.compareExchange(
                    expected: count,
                    desired: count + 1,
                    ordering: .relaxed
                )
                if isTaken { break }
                count = seen
            }
            self.underWay = underWay
        }

        deinit { underWay.count.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// - Parameter record: is told of every call when it is over.
    package init(
        _ functions: [CallableFunction],
        authenticator: Authenticator,
        settings: Settings = Settings(),
        record: @escaping @Sendable (Record) -> Void = { _ in }
    ) {
        self.functions = functions
        self.authenticator = authenticator
        self.settings = settings
        self.record = record
    }

    /// Adds the functions' routes: `POST /NAME`, and what a browser asks before (`OPTIONS /NAME`).
    package func addRoutes(to router: Router<BasicRequestContext>) {
        for function in functions {
            router.post("\(function.name)") { request, _ in await answer(function, request) }
            router.on("\(function.name)", method: .options) { request, _ in preflight(request) }
            for method in [HTTPRequest.Method.get, .put, .delete, .patch] {
                router.on("\(function.name)", method: method) { request, _ in
                    plain(.failure(CallableError(.invalidArgument, "a function is called by POST")), request)
                }
            }
        }
    }

    // MARK: A call

    private func answer(_ function: CallableFunction, _ request: Request) async -> Response {
        let started = ContinuousClock.now
        let wantsStream = (request.headers[.accept] ?? "").lowercased().contains("text/event-stream")
        let note = Note()
        let result: Result<Call, CallableError>
        let place = Place(underWay, most: settings.mostCalls)
        defer { withExtendedLifetime(place) {} }
        if place == nil {
            result = .failure(CallableError(.unavailable, "too many calls are under way; try again"))
        } else {
            do throws(CallableError) {
                result = .success(try await call(request, note))
            } catch {
                result = .failure(error)
            }
        }
        switch result {
        case .success(let call) where wantsStream: return await stream(function, call, request, started, note, place)
        case .success(let call):
            let answer = await answer(function, call, started, note)
            return plain(answer, request)
        case .failure(let error):
            end(function, .failure(error), started, note.text)
            return wantsStream ? failedStream(error, request) : plain(.failure(error), request)
        }
    }

    /// Runs a function to its end, and records the call.
    func answer(
        _ function: CallableFunction,
        _ call: Call,
        _ started: ContinuousClock.Instant,
        _ note: Note
    ) async -> Result<CallableAnswer, CallableError> {
        let answer: Result<CallableAnswer, CallableError>
        do throws(CallableError) {
            answer = .success(try await function.answer(call) { note.set($0) })
        } catch {
            answer = .failure(error)
        }
        end(function, answer, started, note.text)
        return answer
    }

    /// What the caller is not told, kept until the call is recorded.
    final class Note: Sendable {
        private let kept = Mutex<String?>(nil)
        func set(_ error: any Error) { kept.withLock { $0 = "\(error)" } }
        var text: String? { kept.withLock { $0 } }
    }

    private func end(
        _ function: CallableFunction,
        _ answer: Result<CallableAnswer, CallableError>,
        _ started: ContinuousClock.Instant,
        _ note: String?
    ) {
        let status: String
        var fields: [String: String] = [:]
        switch answer {
        case .success(let answer): (status, fields) = ("OK", answer.fields)
        case .failure(let error): status = error.status.rawValue
        }
        record(
            Record(
                function: function.name,
                status: status,
                took: .now - started,
                fields: fields,
                note: note
            )
        )
    }

    private func call(_ request: Request, _ note: Note) async throws(CallableError) -> Call {
        let body = try await body(request)
        let call = try CallableRequest(contentType: request.headers[.contentType], body: body)
        let user: String?
        do {
            user = try await authenticator.user(request.headers[.authorization])
            try await authenticator.checkApp(HTTPField.Name("X-Firebase-AppCheck").flatMap { request.headers[$0] })
        } catch {
            // Why not is nobody's business but the log's.
            note.set(error)
            throw CallableError(.unauthenticated, "the token is not valid")
        }
        // What the gateway puts on its copies; it takes the field from what clients send.
        let isCopy = HTTPField.Name("x-migrate-shadow").map { request.headers[$0] != nil } ?? false
        return Call(caller: user, request: call, isCopy: isCopy)
    }

    private func body(_ request: Request) async throws(CallableError) -> [UInt8] {
        do {
            let largest = settings.largestBody, limit = settings.bodyTime
            let stream = request.body
            return try await withThrowingTaskGroup(of: [UInt8].self) { group in
                group.addTask { Array(try await stream.collect(upTo: largest).readableBytesView) }
                group.addTask {
                    try await TimeLimit.pass(limit)
                    throw CallableError(.deadlineExceeded, "the body did not arrive in time")
                }
                defer { group.cancelAll() }
                return try await group.next() ?? []
            }
        } catch let error as CallableError {
            throw error
        } catch {
            throw CallableError(
                .invalidArgument,
                "the body is larger than \(settings.largestBody) bytes, or was cut off"
            )
        }
    }

    // MARK: Answers

    private func plain(_ answer: Result<CallableAnswer, CallableError>, _ request: Request) -> Response {
        switch answer {
        case .success(let answer):
            var head = Head(fields(request), "application/json; charset=utf-8")
            head.add(answer.fields)
            return head.response(
                .init(byteBuffer: ByteBuffer(bytes: JSONValue.object(["result": answer.result]).bytes))
            )
        case .failure(let error):
            var head = Head(fields(request), "application/json; charset=utf-8")
            head.fail(error)
            return head.response(.init(byteBuffer: ByteBuffer(bytes: JSONValue.object(["error": error.json]).bytes)))
        }
    }

    /// What comes before an answer's body.
    struct Head {
        var status = HTTPResponse.Status.ok
        var fields: HTTPFields

        init(_ fields: HTTPFields, _ type: String) {
            self.fields = fields
            self.fields[.contentType] = type
        }

        mutating func add(_ more: [String: String]) {
            for (name, value) in more { if let name = HTTPField.Name(name) { fields[name] = value } }
        }

        mutating func fail(_ error: CallableError) {
            status = .init(code: error.status.http)
            if error.status == .unavailable || error.status == .resourceExhausted {
                fields[.retryAfter] = "\(error.details?["retryAfterSeconds"]?.int ?? 1)"
            }
        }

        func response(_ body: ResponseBody) -> Response { Response(status: status, headers: fields, body: body) }
    }

    // MARK: Browsers

    func fields(_ request: Request) -> HTTPFields {
        var headers: HTTPFields = [.cacheControl: "no-store"]
        if let origin = allowed(request) {
            headers[.accessControlAllowOrigin] = origin
            headers[.vary] = "Origin"
        }
        return headers
    }

    private func allowed(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        guard let origins = settings.origins else { return origin }
        return origins.contains(origin) ? origin : nil
    }

    private func preflight(_ request: Request) -> Response {
        var headers: HTTPFields = [.vary: "Origin, Access-Control-Request-Headers"]
        if let origin = allowed(request) {
            headers[.accessControlAllowOrigin] = origin
            headers[.accessControlAllowMethods] = "POST"
            headers[.accessControlAllowHeaders] =
                request.headers[.accessControlRequestHeaders] ?? "authorization, content-type, x-firebase-appcheck"
            headers[.accessControlMaxAge] = "3600"
        }
        return Response(status: .noContent, headers: headers)
    }
}
