import Dispatch
import Synchronization

/// Something was given up because it took too long.
public struct TookTooLong: Error, CustomStringConvertible {
    /// How long it might have taken.
    public let limit: Duration

    /// What to tell people.
    public var description: String { "it took longer than \(limit)" }
}

/// Time limits that hold whatever is under them: also what does not hear that it is cancelled.
package enum TimeLimit {
    /// What something gives within a time; what takes longer is given up, and told so by being cancelled.
    ///
    /// - Throws: ``TookTooLong``, `CancellationError` when its task is cancelled before, or what it throws.
    package static func within<R: Sendable>(
        _ limit: Duration,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let first = FirstResult<R>()
        // Not a child of this, which would be waited for.
        let work = Task {
            do { first.set(.success(try await body())) } catch { first.set(.failure(error)) }
        }
        let timer = Timer(limit) { first.set(.failure(TookTooLong(limit: limit))) }
        defer {
            work.cancel()
            timer.cancel()
        }
        return try await first.value()
    }

    /// Ends after so long.
    ///
    /// - Throws: `CancellationError` when its task is cancelled before.
    package static func pass(_ limit: Duration) async throws {
        let first = FirstResult<Void>()
        let timer = Timer(limit) { first.set(.success(())) }
        defer { timer.cancel() }
        try await first.value()
    }
}

/// Calls once after a time, and is gone when it is cancelled: a sleep that is cancelled would leave its own behind until it had ended, which for minutes and
/// hundreds of limits a second is many.
private final class Timer: Sendable {
    /// Of its own: what blocks threads of the shared queues must not delay a limit.
    private static let queue = DispatchQueue(label: "time limits", qos: .userInitiated)

    // Made once; Dispatch lets any thread cancel it.
    private nonisolated(unsafe) let source: any DispatchSourceTimer

    init(_ limit: Duration, _ fire: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeTimerSource(queue: Self.queue)
        source.setEventHandler(handler: fire)
        let (seconds, attoseconds) = limit.components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        source.schedule(
            deadline: nanoseconds.overflow
                ? .distantFuture : .now() + .nanoseconds(Int(nanoseconds.partialValue + attoseconds / 1_000_000_000))
        )
        source.activate()
    }

    func cancel() { source.cancel() }
}

/// The first of several results; later ones are nothing.
private final class FirstResult<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiter: CheckedContinuation<Value, any Error>?
    }

    private let state = Mutex(State())

    func set(_ result: Result<Value, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: result)
    }

    /// Asked for once.
    func value() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<Value, any Error>? in
                    if state.result == nil { state.waiter = continuation }
                    return state.result
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            set(.failure(CancellationError()))
        }
    }
}
