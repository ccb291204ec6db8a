import MigrationCore
import NIOCore
import Routing
import Signals

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

    /// A part of the request's body on its way.
    enum Part {
        case bytes(ByteBuffer)
        case end(trailers: ByteBuffer?)
    }

    /// A body that may have to be sent again is kept up to this size, in bytes.
    static let keptBody = 64 * 1_024

    let entry: RouteSnapshot.Entry
    let method: RequestHead.Method
    /// Of HTTP/1.0: the answer to it ends with the connection where its length is not known.
    let isOld: Bool
    let isChunked: Bool
    /// The head as the implementations receive it.
    let outgoing: ByteBuffer
    /// The trace that the request belongs to, in hexadecimal digits; empty where nobody writes it down.
    var traceID = ""
    /// 0…9999, drawn when the request has no key; of a request that is forced one that is at its side.
    let bucket: Int
    /// A hash of the request's key; nil when it has none.
    let user: UInt64?
    /// When the service could begin: with the head, or with the end of a body.
    var startedAt: TimeSpan
    /// Whether the client's connection goes on afterwards.
    var isPersistent: Bool
    var state = State.connecting
    var implementation: Implementation
    /// All parts that came, while they may have to be sent again, or while there is no connection.
    var kept: [Part] = []
    /// Whether ``kept`` is no longer all that came.
    var isKeptCut = false
    var bodyBytes = 0
    var answerBytes = 0
    var isRequestComplete = false
    /// Whether its client waits for the service's leave to send the body (`Expect: 100-continue`, RFC 9110 §10.1.1).
    var awaitsLeave = false
    /// The same, and nothing of the body has come.
    var isAwaitingLeave: Bool { awaitsLeave && bodyBytes == 0 && !isRequestComplete }
    var isRetried = false
    /// The answer waits for the client.
    var isPaused = false
    /// Since when it no longer does; nil when it never had to.
    var resumedAt: TimeSpan?
    /// For how long its client could not send, because the service did not take it.
    var held = TimeSpan.zero
    /// Somebody asked for this side: it shows nothing of what users meet, and is not counted.
    var isForced = false
    /// Legacy answers because the candidate failed.
    var isFallback = false
    var status = 0
    var cache: CacheOutcome?
    var upstreamIsPersistent = true
    /// How the answer's body is framed for the client.
    var framing = BodyFraming.none
    /// When a stream last said something; nil for an answer that is none.
    var streamedAt: TimeSpan?
    /// When the answer's head came.
    var headAt: TimeSpan?
    var timeout: Scheduled<Void>?
    /// What is kept for a comparison; nil for a request that is not compared.
    var capture: ShadowCapture?

    init(
        entry: RouteSnapshot.Entry,
        head: RequestHead,
        outgoing: ByteBuffer,
        bucket: Int,
        user: UInt64?,
        startedAt: TimeSpan
    ) {
        self.entry = entry
        method = head.method
        isOld = head.isOld
        isChunked = head.body == .chunked
        isPersistent = head.isPersistent
        self.outgoing = outgoing
        self.bucket = bucket
        self.user = user
        self.startedAt = startedAt
        implementation = Bucket.implementation(bucket, weight: entry.weight)
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

    /// Whether the whole request can be sent once more and changes nothing by it.
    var isRepeatable: Bool { changesNothingTwice && isRequestComplete && !isKeptCut }

    /// Whether a second time changes nothing: by its method, or because the plan says so of the service.
    var changesNothingTwice: Bool { method.isIdempotent || entry.service.onlyReads == true }

    /// Keeps a part for a second sending, while the whole fits.
    func keep(_ part: Part) {
        guard !isKeptCut else { return }
        if changesNothingTwice && bodyBytes <= Self.keptBody {
            kept.append(part)
        } else {
            isKeptCut = true
            kept = []
        }
    }
}
