import CLibPQ
import Dispatch
import Synchronization

/// libpq's connection and the means to cancel what it does, which is the one call that other threads may make.
final class Handle: Sendable {
    // Written once, and used only on the connection's own executor; freed under the lock.
    nonisolated(unsafe) let pointer: OpaquePointer
    private let state: Mutex<State>

    private struct State {
        var canceller: Canceller?
        var isFinished = false
    }

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        state = Mutex(State(canceller: Canceller(pointer)))
    }

    private let isUnreplicated = Mutex(false)

    /// Whether a commit since the last question was not confirmed by the synchronous standby.
    func takeUnreplicated() -> Bool {
        isUnreplicated.withLock { isUnreplicated in
            defer { isUnreplicated = false }
            return isUnreplicated
        }
    }

    /// Listens to the server's notices. The one that matters is known by the function that it comes from, whatever the server's language.
    func hearNotices() {
        PQsetNoticeReceiver(
            pointer,
            { context, result in
                guard let context, let result,
                    let function = PQresultErrorField(result, Int32(UInt8(ascii: "R"))),
                    String(cString: function) == "SyncRepWaitForLSN"
                else { return }
                Unmanaged<Handle>.fromOpaque(context).takeUnretainedValue().isUnreplicated.withLock { $0 = true }
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// Asks the server to stop the statement under way, and does not wait for it: a server that is frozen or cut off would keep whoever asks waiting without
    /// end. Does nothing once finished.
    func cancel() {
        guard let canceller = state.withLock({ $0.isFinished ? nil : $0.canceller }) else { return }
        cancelling.async(group: asked) { canceller.ask() }
    }

    private let asked = DispatchGroup()
    private static let patience = DispatchTimeInterval.seconds(2)

    /// Waits for what ``cancel()`` has asked: it would stop the next statement otherwise, which is somebody else's.
    ///
    /// - Returns: whether all of it is over.
    func settle() -> Bool { asked.wait(timeout: .now() + Self.patience) == .success }

    func finish() {
        state.withLock { state in
            state.isFinished = true
            state.canceller = nil
        }
        closeOnce()
    }

    /// One that hangs keeps a thread of its own, and none that tasks or timers run on.
    private let cancelling = DispatchQueue(label: "postgres.cancel")

    /// What libpq needs for asking, apart from the connection; freed when nobody asks any more.
    private final class Canceller: Sendable {
        // Written once; libpq lets any thread ask by it.
        private nonisolated(unsafe) let pointer: OpaquePointer

        init?(_ connection: OpaquePointer) {
            guard let pointer = PQgetCancel(connection) else { return nil }
            self.pointer = pointer
        }

        func ask() {
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(pointer, &message, Int32(message.count))
        }

        deinit { PQfreeCancel(pointer) }
    }

    private let closed = Mutex(false)

    private func closeOnce() {
        closed.withLock { closed in
            if !closed { PQfinish(pointer) }
            closed = true
        }
    }
}

/// Opens connections on the executor that they will live on: `PQconnectdb` blocks.
actor Connector {
    private nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(executor: QueueExecutor) { self.executor = executor }

    func connect(_ conninfo: String, name: String) throws(PostgresError) -> Handle {
        // Given twice, the later one counts: what the caller says about these is his to decide.
        // A host that vanishes says nothing: what was sent to it is given up after fifteen seconds, and one that is waited for is asked by then.
        let keywords = [
            "connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
            "fallback_application_name", "client_encoding", "dbname",
        ]
        let values = ["5", "15000", "8", "3", "2", name, "UTF8", conninfo]
        guard let pointer = Self.open(keywords, values) else {
            throw PostgresError(.unreachable, "libpq has no memory for a connection")
        }
        guard PQstatus(pointer) == CONNECTION_OK else {
            defer { PQfinish(pointer) }
            throw Self.failure(pointer)
        }
        let handle = Handle(pointer)
        handle.hearNotices()
        return handle
    }

    private static func open(_ keywords: [String], _ values: [String]) -> OpaquePointer? {
        let keys = keywords.map { Array($0.utf8CString) }
        let texts = values.map { Array($0.utf8CString) }
        return withPointers(keys) { keys in withPointers(texts) { PQconnectdbParams(keys, $0, 1) } }
    }

    private static func withPointers<R>(_ texts: [[CChar]], _ body: ([UnsafePointer<CChar>?]) -> R) -> R {
        let flat = texts.flatMap { $0 }
        return flat.withUnsafeBufferPointer { buffer in
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = []
            for text in texts {
                pointers.append(buffer.baseAddress?.advanced(by: offset))
                offset += text.count
            }
            return body(pointers + [nil])
        }
    }

    private static func failure(_ pointer: OpaquePointer) -> PostgresError {
        let message = lastMessage(pointer)
        let signs = [
            "authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry",
            "is not permitted to log in",
        ]
        let isRefusal = signs.contains { message.contains($0) } || PQconnectionNeedsPassword(pointer) == 1
        return PostgresError(isRefusal ? .refused : .unreachable, message)
    }

    /// libpq's words in one line.
    static func lastMessage(_ pointer: OpaquePointer) -> String {
        let lines = String(cString: PQerrorMessage(pointer)).split(whereSeparator: \.isNewline)
        return lines.map { line in String(line.drop { $0 == " " || $0 == "\t" }) }.joined(separator: "; ")
    }
}
