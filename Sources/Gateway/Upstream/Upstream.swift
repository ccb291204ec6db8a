import MigrationCore
import NIOCore
import NIOTLS

/// What an upstream tells the exchange that it serves.
protocol UpstreamDelegate: AnyObject {
    /// - Parameter bytes: the head as it came; `fields` are its fields.
    func upstream(didReceive head: AnswerHead, _ fields: FieldTable, _ bytes: UnsafeRawBufferPointer)
    func upstream(didReceive body: ByteBuffer)
    func upstreamDidEnd(trailers: ByteBuffer?)
    /// What has come so far was told.
    func upstreamDidPause()
    /// The connection ended or broke; nil when it was closed in good order.
    func upstreamDidClose(_ error: (any Error)?)
    func upstreamWritabilityChanged(_ isWritable: Bool)
}

/// One connection to an implementation; it serves one exchange at a time. Lives on one event loop.
final class Upstream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        /// Nothing was asked.
        case idle
        case head
        case body
    }

    private static let largestHead = 64 * 1_024
    /// So many interim answers may come before the final one.
    private static let mostInterim = 16

    let address: Address
    private let channel: any Channel
    /// The exchange that is served; it lets go when it ends.
    private(set) var delegate: (any UpstreamDelegate)?
    /// Whether it has carried an exchange before: then its end may mean only that it was idle too long.
    private(set) var hasServed = false
    private(set) var isOpen = true
    /// Hears when it is closed here, before the other side has.
    var didClose: (() -> Void)?

    /// Succeeds once the other side has agreed on a key; nil where none is needed. What is written before would wait for that, and leave when nobody expects it any more.
    private let handshake: EventLoopPromise<Void>?
    private var phase = Phase.idle
    private var isHead = false
    private var interim = 0
    private var inbox = ByteBuffer()
    private var scanner = HeadScanner(limit: Upstream.largestHead)
    private var fields = FieldTable()
    private var reader = BodyReader(.none)

    init(channel: any Channel, address: Address) {
        self.channel = channel
        self.address = address
        handshake = address.isSecure ? channel.eventLoop.makePromise() : nil
    }

    /// When the first request may be written.
    var ready: EventLoopFuture<Void> { handshake?.futureResult ?? channel.eventLoop.makeSucceededVoidFuture() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { handshake?.succeed() }
        context.fireUserInboundEventTriggered(event)
    }

    var isWritable: Bool { channel.isWritable }

    /// Begins to serve.
    ///
    /// - Parameter isHead: whether the answer will have no body.
    func serve(_ delegate: any UpstreamDelegate, isHead: Bool) {
        self.delegate = delegate
        self.isHead = isHead
        interim = 0
        phase = .head
    }

    /// Ends the service: the connection is idle, or to be closed.
    func release() {
        delegate = nil
        hasServed = true
    }

    func write(_ bytes: ByteBuffer) { channel.pipeline.syncOperations.write(NIOAny(bytes), promise: nil) }
    func flush() { channel.pipeline.syncOperations.flush() }

    /// Stops or goes on reading the answer, as the client can take it.
    func setReading(_ isOn: Bool) { _ = try? channel.syncOptions?.setOption(.autoRead, value: isOn) }

    func close() {
        isOpen = false
        handshake?.fail(ChannelError.ioOnClosedChannel)
        delegate = nil
        channel.close(promise: nil)
        didClose?()
        didClose = nil
    }

    // MARK: - What comes back

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        inbox.refill(&bytes)
        do {
            while try step() {}
        } catch {
            broke(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { delegate?.upstreamDidPause() }

    /// - Returns: whether more can be read from what is there.
    private func step() throws(MessageFault) -> Bool {
        guard isOpen, inbox.readableBytes > 0 || phase == .body else { return false }
        switch phase {
        case .idle:
            // Nobody asked: a server that speaks unbidden cannot be trusted with the next request.
            close()
            return false
        case .head: return try readHead()
        case .body:
            guard let piece = try reader.next(&inbox) else { return false }
            switch piece {
            case .bytes(let bytes): delegate?.upstream(didReceive: bytes)
            case .end(let trailers): end(trailers)
            }
            return true
        }
    }

    private func readHead() throws(MessageFault) -> Bool {
        let length = try inbox.reading { bytes throws(MessageFault) in try scanner.end(in: bytes) }
        guard let length, let slice = inbox.readSlice(length: length) else { return false }
        try slice.reading { bytes throws(MessageFault) in try take(bytes) }
        return true
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
        let head = try AnswerHead(bytes, isHead: isHead, &fields)
        if head.isInterim {
            interim += 1
            guard interim <= Self.mostInterim else { throw .bad("there is no end of interim answers") }
        } else {
            reader = BodyReader(head.body)
            phase = .body
        }
        delegate?.upstream(didReceive: head, fields, bytes)
    }

    private func end(_ trailers: ByteBuffer?) {
        phase = .idle
        // What stands behind an answer was not asked for.
        if inbox.readableBytes > 0 { isOpen = false }
        delegate?.upstreamDidEnd(trailers: trailers)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        delegate?.upstreamWritabilityChanged(context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isOpen, phase == .body, reader.endsWithConnection {
            isOpen = false
            end(nil)
        } else {
            closed(nil)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { broke(error) }

    private func broke(_ error: any Error) {
        closed(error)
        channel.close(promise: nil)
    }

    private func closed(_ error: (any Error)?) {
        isOpen = false
        handshake?.fail(error ?? ChannelError.eof)
        let delegate = delegate
        self.delegate = nil
        delegate?.upstreamDidClose(error)
    }
}
