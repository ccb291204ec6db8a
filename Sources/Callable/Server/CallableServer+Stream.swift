import HTTPTypes
import Hummingbird
import JSON
import NIOCore
import TimeLimits

// A call whose answer is a stream of events.
extension CallableServer {
    /// The trailer that says which status the answer would have without a stream.
    private static let status = HTTPField.Name("x-migrate-status")

    private enum Event: Sendable {
        case message(JSONValue)
        case fields([String: String])
        case ping
        case end(Result<CallableAnswer, CallableError>)

        /// As it stands in the stream; nil for what belongs to the head.
        var text: String? {
            switch self {
            case .message(let message): "data: \(JSONValue.object(["message": message]).text)\n\n"
            case .fields: nil
            case .ping: ": ping\n\n"
            case .end(.success(let answer)): "data: \(JSONValue.object(["result": answer.result]).text)\n\n"
            case .end(.failure(let error)): "data: \(JSONValue.object(["error": error.json]).text)\n\n"
            }
        }

        /// What comes after the last of them.
        var trailers: HTTPFields? {
            guard case .end(let answer) = self, let name = CallableServer.status else { return nil }
            switch answer {
            case .success: return [name: "200"]
            case .failure(let error): return [name: "\(error.status.http)"]
            }
        }
    }

    /// What goes on for a stream: over when nobody holds it, whether its body was written, broken off, or never begun.
    private final class Running: Sendable {
        private let tasks: [Task<Void, Never>]
        init(_ tasks: [Task<Void, Never>]) { self.tasks = tasks }
        deinit { for task in tasks { task.cancel() } }
    }

    /// `data: {"message": …}` as often as the function says something, then `{"result": …}` or `{"error": …}`.
    ///
    /// The head waits for the first of these, for a sign of life, or until the function announces its fields. It is always of 200: clients of this protocol take
    /// another status of a stream for something else than the error in it. What became of the call is a trailer, ``status``, for whoever counts.
    func stream(
        _ function: CallableFunction,
        _ call: Call,
        _ request: Request,
        _ started: ContinuousClock.Instant,
        _ note: Note,
        _ place: Place?
    ) async -> Response {
        let (events, continuation) = AsyncStream<Event>.makeStream()
        let told = Call(
            caller: call.caller,
            request: call.request,
            isCopy: call.isCopy,
            tell: { continuation.yield(.message($0)) },
            announce: { continuation.yield(.fields($0)) }
        )
        let ping = settings.ping
        let running = Running([
            Task {
                defer { withExtendedLifetime(place) {} }
                continuation.yield(.end(await answer(function, told, started, note)))
                continuation.finish()
            },
            Task {
                while (try? await TimeLimit.pass(ping)) != nil { continuation.yield(.ping) }
            },
        ])
        var head = Head(fields(request), Self.streamType)
        var first: Event?
        for await event in events {
            first = event
            break
        }
        switch first {
        case .fields(let fields)?: head.add(fields)
        case .end(.success(let answer))?: head.add(answer.fields)
        case .end(.failure)?, .message?, .ping?, nil: break
        }
        let beginning = first
        return head.response(
            ResponseBody { writer in
                // A client that has left before the answer's head: this is dropped without being run, and what goes on with it.
                defer { withExtendedLifetime(running) {} }
                if let text = beginning?.text { try await writer.write(ByteBuffer(string: text)) }
                var end = beginning?.trailers
                if end == nil {
                    for await event in events {
                        if let text = event.text { try await writer.write(ByteBuffer(string: text)) }
                        end = event.trailers
                        if end != nil { break }
                    }
                }
                // One that is broken off is not to look as if it were whole.
                guard let end else { throw CancellationError() }
                try await writer.finish(end)
            }
        )
    }

    private static let streamType = "text/event-stream; charset=utf-8"

    /// Of a call that never began: clients of streams read events whatever the status is.
    func failedStream(_ error: CallableError, _ request: Request) -> Response {
        let head = Head(fields(request), Self.streamType)
        let end = Event.end(.failure(error))
        return head.response(
            ResponseBody { writer in
                if let text = end.text { try await writer.write(ByteBuffer(string: text)) }
                try await writer.finish(end.trailers)
            }
        )
    }
}
