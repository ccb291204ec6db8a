import MigrationCore
import NIOCore
import NIOHTTP1

/// One request and its answer, from the client's head to the last byte back. Lives on one event loop.
///
///     connecting ──connected──► sending ──upstream's head──► answering ──► done
///          └────────────── failed, timed out, client gone ──────────────────┘
final class Exchange {
    enum State {
        /// The request's parts wait for a connection.
        case connecting
        case sending(Upstream)
        case answering(Upstream)
        case done
    }

    let head: HTTPRequestHead
    let entry: RouteSnapshot.Entry
    /// 0…9999, drawn when the request has no key.
    let bucket: Int
    /// A hash of the request's key; nil when it has none.
    let user: UInt64?
    let startedAt: TimeSpan
    /// Whether the client's connection goes on afterwards.
    var isPersistent: Bool
    var state = State.connecting
    var implementation: Implementation
    /// Parts that came before there was a connection.
    var waiting: [HTTPServerRequestPart] = []
    var bodyBytes = 0
    var isRequestComplete = false
    var isRetried = false
    /// The answer is a head alone, and does not say how long its body would be.
    var isBare = false
    var status: UInt = 0
    var cacheStatus: String?
    var upstreamIsPersistent = true
    var timeout: Scheduled<Void>?

    init(
        head: HTTPRequestHead,
        entry: RouteSnapshot.Entry,
        bucket: Int,
        user: UInt64?,
        implementation: Implementation,
        startedAt: TimeSpan
    ) {
        self.head = head
        self.entry = entry
        self.bucket = bucket
        self.user = user
        self.implementation = implementation
        self.startedAt = startedAt
        isPersistent = head.goesOn
    }

    var upstream: Upstream? {
        switch state {
        case .sending(let upstream), .answering(let upstream): upstream
        case .connecting, .done: nil
        }
    }

    var isAnswering: Bool {
        if case .answering = state { return true }
        return false
    }

    var isDone: Bool {
        if case .done = state { return true }
        return false
    }
}

extension HTTPRequestHead {
    /// Whether another request may follow: after an offered upgrade the decoder reads no further.
    var goesOn: Bool { isKeepAlive && !headers.contains(name: "upgrade") && method != .CONNECT }
}
