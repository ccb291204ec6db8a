import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals

/// The client's side of the gateway: takes one request at a time off its connection, decides who gets it, and carries both bodies.
///
/// The decision is made from the loop's snapshot at the moment at which the request is written to an implementation, not before: a
/// request that waited for a connection while the weight fell goes where the new weight says.
final class FrontHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests, or in the middle of a head.
        case head
        case body
        /// The rest of a request that was answered before its end is read and dropped.
        case dropping
        /// Nothing of what comes is read any more.
        case closing
    }

    /// So much of what a client sends ahead is kept, in bytes.
    static let ahead = 64 * 1_024
    /// How fast a body comes at least, in bytes a second, once it has taken longer than a silent one may.
    static let slowest = 500
    /// So much longer than a service's time limit a client may wait for its leave to send a body.
    static let leave = TimeSpan.seconds(2)
    /// How long a client may go on sending after an answer that ends its connection: were it cut off at once, the answer would be lost with what it
    /// still sends (RFC 9112 §9.6).
    static let linger = TimeSpan.seconds(2)

    let loop: LoopState
    let settings: GatewaySettings
    let traffic: TrafficRecord
    let client: ClientAddress
    var context: ChannelHandlerContext?
    var exchange: Exchange?
    var phase = Phase.head
    var isStepping = false
    var inbox = ByteBuffer()
    var scanner: HeadScanner
    var fields = FieldTable()
    var reader = BodyReader(.none)
    /// How much of a body was dropped, in bytes.
    var dropped = 0
    /// When the client began to be awaited, for a head or for the rest of a body.
    var awaitedSince = SystemClock.steady
    var isReading = true
    /// Since when it is not read.
    var heldSince: TimeSpan?
    /// Whether the last answer of a connection that ends has gone out.
    var hasLeft = false
    /// Whether the request under way, or the one that was refused, wants no body for an answer.
    var isHead = false

    init(loop: LoopState, settings: GatewaySettings, traffic: TrafficRecord, client: ClientAddress) {
        self.loop = loop
        self.settings = settings
        self.traffic = traffic
        self.client = client
        scanner = HeadScanner(limit: settings.largestHead)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.clients[ObjectIdentifier(self)] = self
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.clients[ObjectIdentifier(self)] = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if phase == .closing { return }
        if inbox.readableBytes == 0, phase == .head { awaitedSince = SystemClock.steady }
        inbox.refill(&bytes)
        // What was refused is not waited for longer because it goes on.
        if phase != .head, phase != .dropping { awaitedSince = SystemClock.steady }
        advance()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstream?.setReading(context.channel.isWritable)
        if context.channel.isWritable, let exchange, exchange.isPaused {
            exchange.isPaused = false
            exchange.resumedAt = SystemClock.steady
        }
        // A request that was sent ahead has waited for it.
        if context.channel.isWritable { advance() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closing
        // The client has gone: what the service would have answered was not seen, and is not counted.
        if let exchange {
            if exchange.isRequestComplete, !exchange.isForced, case .sending = exchange.state {
                traffic.meter.givenUp(service: exchange.entry.index, exchange.implementation)
            }
            finish(exchange, outcome: nil, keepsUpstream: false)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Whether the client takes what it is answered.
    var takesAnswers: Bool { context?.channel.isWritable ?? true }

    /// Ends a connection whose client has been silent for too long: between requests, in the middle of a head, in the middle of a body.
    func sweep(_ now: TimeSpan) {
        let silence = now - awaitedSince
        switch phase {
        case .head where exchange != nil: break
        // It sends and does not take what it is answered.
        case .head where !takesAnswers: if silence >= settings.idleTimeout { context?.close(promise: nil) }
        case .head where inbox.readableBytes > 0:
            if silence >= settings.headTimeout {
                phase = .dropping
                refuse(MessageFault(.requestTimeout, "the head did not come in time"), isPersistent: false)
            }
        case .head: if silence >= settings.idleTimeout { context?.close(promise: nil) }
        case .body where !isReading || (exchange?.isAwaitingLeave ?? false): break
        case .body, .dropping: if silence >= settings.bodyTimeout { giveUp() }
        case .closing: if silence >= (hasLeft ? Self.linger : settings.bodyTimeout) { context?.close(promise: nil) }
        }
    }
}
