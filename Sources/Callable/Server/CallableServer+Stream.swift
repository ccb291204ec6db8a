import Hummingbird
import JSON
import NIOCore

// A call whose answer is a stream of events.
extension CallableServer {
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
    }

    /// What goes on for a stream: over when nobody holds it, whether its body was written, broken off, or never begun.
    private final class Running: Sendable {
        private let tasks: [Task<Void, Never>]
        init(_ tasks: [Task<Void, Never>]) { self.tasks = tasks }
        deinit { for task in tasks { task.cancel() } }
    }

    /// `data: {"message": …}` as often as the function says something, then `{"result": …}` or `{"error": …}`.
    ///
    /// The head waits for the first of these, for a sign of life, or until the function announces its fields: whoever counts answers by their head sees what
    /// became of the call, if that was known so early. An error that comes first has its status, as without a stream.
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
        case .end(.failure(let error))?: head.fail(error)
        case .message?, .ping?, nil: break
        }
        let beginning = first?.text
        return head.response(
            ResponseBody { writer in
                // A client that has left before the answer's head: this is dropped without being run, and what goes on with it.
                defer { withExtendedLifetime(running) {} }
                if let beginning { try await writer.write(ByteBuffer(string: beginning)) }
                for await event in events {
                    if let text = event.text { try await writer.write(ByteBuffer(string: text)) }
                }
                try await writer.finish(nil)
            }
        )
    }

    private static let streamType = "text/event-stream; charset=utf-8"

    /// Of a call that never began: clients of streams read events whatever the status is.
    func failedStream(_ error: CallableError, _ request: Request) -> Response {
        var head = Head(fields(request), Self.streamType)
        head.fail(error)
        let text = Event.end(.failure(error)).text ?? ""
        return head.response(.init(byteBuffer: ByteBuffer(string: text)))
    }
}
