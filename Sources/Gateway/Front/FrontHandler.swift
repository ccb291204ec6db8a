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

    private enum Phase {
        /// Between requests, or in the middle of a head.
        case head
        case body
        /// The rest of a request that was answered before its end is read and dropped.
        case dropping
        /// Nothing of what comes is read any more.
        case closing
    }

    /// So much of what a client sends ahead is kept, in bytes.
    private static let ahead = 64 * 1_024
    /// How long a client may go on sending after an answer that ends its connection: were it cut off at once, the answer would be lost with what it
    /// still sends (RFC 9112 §9.6).
    private static let linger = TimeSpan.seconds(2)

    private let loop: LoopState
    private let settings: GatewaySettings
    private let traffic: TrafficRecord
    private let client: ClientAddress
    private var context: ChannelHandlerContext?
    private var exchange: Exchange?
    private var phase = Phase.head
    private var isStepping = false
    private var inbox = ByteBuffer()
    private var scanner: HeadScanner
    private var fields = FieldTable()
    private var reader = BodyReader(.none)
    /// When the client began to be awaited, for a head or for the rest of a body.
    private var awaitedSince = SystemClock.steady
    private var isReading = true
    /// Whether the last answer of a connection that ends has gone out.
    private var hasLeft = false
    /// Whether the request under way, or the one that was refused, wants no body for an answer.
    private var isHead = false

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
        if inbox.readableBytes == 0 {
            if phase == .head { awaitedSince = SystemClock.steady }
            inbox = bytes
        } else {
            inbox.writeBuffer(&bytes)
        }
        if phase != .head { awaitedSince = SystemClock.steady }
        advance()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstream?.setReading(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closing
        // The client has gone: what the service would have answered was not seen, and is not counted.
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Ends a connection whose client has been silent for too long: between requests, in the middle of a head, in the middle of a body.
    func sweep(_ now: TimeSpan) {
        let silence = now - awaitedSince
        switch phase {
        case .head where exchange != nil: break
        case .head where inbox.readableBytes > 0:
            if silence >= settings.headTimeout {
                phase = .dropping
                refuse(MessageFault(.requestTimeout, "the head did not come in time"), isPersistent: false)
            }
        case .head: if silence >= settings.idleTimeout { context?.close(promise: nil) }
        case .body where !isReading: break
        case .body, .dropping: if silence >= settings.bodyTimeout { giveUp() }
        case .closing: if silence >= (hasLeft ? Self.linger : settings.bodyTimeout) { context?.close(promise: nil) }
        }
    }
}

// MARK: - The request

extension FrontHandler {
    /// Goes on with what is there.
    private func advance() {
        guard !isStepping else { return }
        isStepping = true
        do {
            while try step() {}
        } catch {
            malformed(error)
        }
        isStepping = false
        exchange?.upstream?.flush()
        updateReading()
    }

    /// - Returns: whether there may be more to do.
    private func step() throws(MessageFault) -> Bool {
        switch phase {
        case .closing:
            inbox.clear()
            return false
        case .head:
            guard exchange == nil, inbox.readableBytes > 0 else { return false }
            return try readHead()
        case .body:
            guard let piece = try reader.next(&inbox) else { return false }
            switch piece {
            case .bytes(let bytes): forward(bytes)
            case .end(let trailers): endRequest(trailers)
            }
            return true
        case .dropping:
            guard let piece = try reader.next(&inbox) else { return false }
            if case .end = piece { phase = .head }
            return true
        }
    }

    private func readHead() throws(MessageFault) -> Bool {
        // An empty line before a request is read over (RFC 9112 §2.2).
        while inbox.readableBytes >= 2, inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) == 0x0D0A {
            inbox.moveReaderIndex(forwardBy: 2)
        }
        isHead = false
        let length = try inbox.reading { bytes throws(MessageFault) in try scanner.end(in: bytes) }
        guard let length, let slice = inbox.readSlice(length: length) else { return false }
        try slice.reading { bytes throws(MessageFault) in try begin(bytes) }
        return true
    }

    private func begin(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
        let head = try RequestHead(bytes, &fields)
        isHead = head.method == .head
        reader = BodyReader(head.body)
        awaitedSince = SystemClock.steady
        guard let entry = loop.snapshot.entry(UnsafeRawBufferPointer(rebasing: bytes[head.path])) else {
            let path = String(decoding: bytes[head.path].prefix(200), as: UTF8.self)
            phase = .dropping
            return refuse(
                MessageFault(.notFound, "no service has the path \(path)"),
                isPersistent: head.isPersistent
            )
        }
        if case .length(let length) = head.body, length > settings.largestBody {
            phase = .dropping
            return refuseBody()
        }
        let (bucket, user) = owner(bytes)
        let place = fields.all.first { $0.role == .traceparent && TraceParent.isValid(bytes, $0.value) }?.value
        let trace = place == nil ? TraceParent(using: &loop.random) : nil
        let outgoing = try ForwardedHead.request(
            head,
            fields,
            bytes,
            client: client.forwarded,
            trace: trace,
            host: entry.legacy.host
        )
        let exchange = Exchange(
            entry: entry,
            head: head,
            outgoing: outgoing,
            bucket: bucket,
            user: user,
            startedAt: awaitedSince
        )
        if isCompared(exchange) { exchange.capture = ShadowCapture() }
        if loop.accessLog != nil {
            exchange.traceID = trace?.id ?? place.map { TraceParent.id(bytes, $0) } ?? ""
        }
        if head.body == .length(0) {
            exchange.isRequestComplete = true
            exchange.kept = [.end(trailers: nil)]
        }
        phase = exchange.isRequestComplete ? .head : .body
        self.exchange = exchange
        traffic.began()
        schedule(exchange, in: entry.service.timeout)
        connect(exchange)
    }

    /// The bucket of a request, and a hash of its key; a request without a key draws its bucket.
    private func owner(_ bytes: UnsafeRawBufferPointer) -> (bucket: Int, user: UInt64?) {
        let snapshot = loop.snapshot
        let found = RequestKey.with(snapshot.sticky, fields, bytes, client: client) { key in
            key.map { (bucket: Bucket.of($0, prefix: snapshot.prefix), user: XXHash64.hash($0)) }
        }
        if let found { return (found.bucket, found.user) }
        return (Int.random(in: 0..<Bucket.count, using: &loop.random), nil)
    }

    /// Whether a request is one of those that are sent to both sides.
    private func isCompared(_ exchange: Exchange) -> Bool {
        guard let share = exchange.entry.service.shadow, exchange.entry.weight > .zero, loop.shadow != nil,
            exchange.changesNothingTwice
        else { return false }
        return Int.random(in: 0..<Bucket.count, using: &loop.random) < share.rawValue
    }

    private func copy(_ exchange: Exchange) {
        guard let capture = exchange.capture, capture.isWhole, !exchange.isFallback else { return }
        loop.shadow?.submit(
            ShadowRequest(
                entry: exchange.entry,
                implementation: exchange.implementation,
                head: exchange.outgoing,
                body: capture.request,
                answer: capture.answer
            )
        )
    }

    private func schedule(_ exchange: Exchange, in span: TimeSpan) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundExchange = NIOLoopBound(exchange, eventLoop: context.eventLoop)
        exchange.timeout = context.eventLoop.scheduleTask(in: .microseconds(span.rawValue)) {
            bound.value.timeIsUp(boundExchange.value)
        }
    }

    private func connect(_ exchange: Exchange, isFresh: Bool = false) {
        let address = exchange.entry.address(exchange.implementation)
        loop.pool.take(address, isFresh: isFresh).whenComplete { result in
            guard !exchange.isDone else {
                if case .success(let upstream) = result { self.loop.pool.give(back: upstream) }
                return
            }
            switch result {
            case .success(let upstream): self.send(exchange, on: upstream)
            case .failure(let refusal as UpstreamPool.Refusal): self.fail(exchange, Self.fault(refusal))
            case .failure:
                self.loop.pool.report(address, isFailure: true)
                self.fail(exchange, MessageFault(.badGateway, "the service refused the connection"))
            }
        }
    }

    private static func fault(_ refusal: UpstreamPool.Refusal) -> MessageFault {
        switch refusal {
        case .breakerOpen:
            MessageFault(
                .serviceUnavailable,
                "the service has failed too often in a row and is left alone for a moment"
            )
        case .full: MessageFault(.serviceUnavailable, "the service has no connection left")
        }
    }

    private func send(_ exchange: Exchange, on upstream: Upstream) {
        let weight = loop.snapshot.entry(exchange.entry.path)?.weight ?? .zero
        let implementation = Bucket.implementation(exchange.bucket, weight: weight)
        guard implementation == exchange.implementation || exchange.isFallback else {
            loop.pool.give(back: upstream)
            exchange.implementation = implementation
            return connect(exchange)
        }
        exchange.state = .sending(upstream)
        upstream.serve(self, isHead: exchange.method == .head)
        traffic.sent(to: exchange.implementation)
        upstream.write(exchange.outgoing)
        for part in exchange.kept { write(part, exchange, to: upstream) }
        if exchange.isKeptCut || !exchange.changesNothingTwice { exchange.kept = [] }
        upstream.flush()
        updateReading()
    }

    private func forward(_ bytes: ByteBuffer) {
        guard let exchange else { return }
        exchange.bodyBytes += bytes.readableBytes
        exchange.capture?.add(request: bytes)
        guard exchange.bodyBytes <= settings.largestBody else {
            let isAnswering = exchange.isAnswering
            finish(exchange, outcome: nil, keepsUpstream: false)
            // Half an answer is on its way: only a broken connection ends it.
            return isAnswering ? close() : refuseBody()
        }
        pass(.bytes(bytes), exchange)
    }

    private func endRequest(_ trailers: ByteBuffer?) {
        phase = .head
        guard let exchange else { return }
        exchange.isRequestComplete = true
        // The service has the whole request from now on: how long the client took for it is not its own time.
        exchange.startedAt = SystemClock.steady
        exchange.timeout?.cancel()
        schedule(exchange, in: exchange.entry.service.timeout)
        pass(.end(trailers: trailers), exchange)
    }

    private func pass(_ part: Exchange.Part, _ exchange: Exchange) {
        guard let upstream = exchange.upstream else {
            exchange.kept.append(part)
            if exchange.bodyBytes > Exchange.keptBody { exchange.isKeptCut = true }
            return
        }
        exchange.keep(part)
        write(part, exchange, to: upstream)
    }

    private func write(_ part: Exchange.Part, _ exchange: Exchange, to upstream: Upstream) {
        switch part {
        case .bytes(let bytes):
            if exchange.isChunked {
                for piece in Self.chunk(bytes) { upstream.write(piece) }
            } else {
                upstream.write(bytes)
            }
        case .end(let trailers): if exchange.isChunked { upstream.write(Self.lastChunk(trailers)) }
        }
    }

    /// Whether the client may send more: not while what it sent cannot go on.
    private func updateReading() {
        let isOn: Bool
        if let exchange {
            switch exchange.state {
            case .connecting: isOn = exchange.bodyBytes < Self.ahead && inbox.readableBytes < Self.ahead
            case .sending(let upstream), .answering(let upstream):
                isOn = (phase == .head || upstream.isWritable) && inbox.readableBytes < Self.ahead
            case .done: isOn = true
            }
        } else {
            isOn = true
        }
        guard isOn != isReading else { return }
        isReading = isOn
        if isOn { awaitedSince = SystemClock.steady }
        setReading(isOn)
    }

    private func setReading(_ isOn: Bool) {
        _ = try? context?.channel.syncOptions?.setOption(.autoRead, value: isOn)
        // A stream of HTTP/2 only remembers the option: it reads again when it is told to.
        if isOn { context?.read() }
    }

    private static func chunk(_ bytes: ByteBuffer) -> [ByteBuffer] {
        var size = ByteBuffer()
        size.writeChunkSize(bytes.readableBytes)
        return [size, bytes, ByteBuffer(staticString: "\r\n")]
    }

    private static func lastChunk(_ trailers: ByteBuffer?) -> ByteBuffer {
        var end = ByteBuffer(staticString: "0\r\n")
        if var trailers { end.writeBuffer(&trailers) }
        end.writeStaticString("\r\n")
        return end
    }
}

// MARK: - The answer

extension FrontHandler: UpstreamDelegate {
    func upstream(didReceive head: AnswerHead, _ fields: FieldTable, _ bytes: UnsafeRawBufferPointer) {
        guard let exchange, let upstream = exchange.upstream, let context else { return }
        if head.isInterim {
            guard !exchange.isOld else { return }
        } else {
            exchange.status = head.status
            exchange.upstreamIsPersistent = head.isPersistent
            loop.pool.report(upstream.address, isFailure: false)
            if head.status >= 500, fallBack(exchange, outcome(head.status)) { return }
            exchange.state = .answering(upstream)
            exchange.kept = []
            exchange.headAt = SystemClock.steady
            exchange.cache = head.cacheStatus.flatMap {
                CacheOutcome(header: String(decoding: bytes[$0], as: UTF8.self))
            }
            if head.isEventStream {
                exchange.streamedAt = exchange.headAt
                exchange.capture = nil
            }
            exchange.capture?.begin(answer: head.status, fields, bytes)
            exchange.framing = framing(head, exchange)
            if traffic.isDraining || exchange.framing == .untilClose { exchange.isPersistent = false }
        }
        do {
            let answer = try ForwardedHead.answer(
                head,
                fields,
                bytes,
                from: exchange.implementation,
                framing: exchange.framing,
                closes: !exchange.isPersistent
            )
            exchange.answerBytes += answer.readableBytes
            context.write(wrapOutboundOut(answer), promise: nil)
        } catch {
            fail(exchange, MessageFault(.badGateway, "the service's answer is not HTTP"))
        }
    }

    func upstream(didReceive body: ByteBuffer) {
        guard let exchange, let upstream = exchange.upstream, let context else { return }
        exchange.answerBytes += body.readableBytes
        exchange.capture?.add(answer: body)
        if exchange.streamedAt != nil { exchange.streamedAt = SystemClock.steady }
        if exchange.framing == .chunked {
            for piece in Self.chunk(body) { context.write(wrapOutboundOut(piece), promise: nil) }
        } else {
            context.write(wrapOutboundOut(body), promise: nil)
        }
        if !context.channel.isWritable {
            context.flush()
            if !context.channel.isWritable {
                exchange.wasPaused = true
                upstream.setReading(false)
            }
        }
    }

    func upstreamDidPause() { context?.flush() }

    func upstreamDidEnd(trailers: ByteBuffer?) {
        guard let exchange, let context else { return }
        let isWhole = exchange.isRequestComplete
        let closes = !exchange.isPersistent || !isWhole
        let framing = exchange.framing
        if isWhole { copy(exchange) }
        finish(exchange, outcome: outcome(exchange.status), keepsUpstream: exchange.upstreamIsPersistent && isWhole)
        if framing == .chunked { context.write(wrapOutboundOut(Self.lastChunk(trailers)), promise: nil) }
        if traffic.isDraining {
            // The gateway does not stop before this has gone out.
            traffic.began()
            let traffic = traffic
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in traffic.ended() }
        }
        if closes {
            close()
        } else {
            context.flush()
            awaitedSince = SystemClock.steady
            advance()
        }
    }

    func upstreamDidClose(_ error: (any Error)?) {
        guard let exchange else { return }
        switch exchange.state {
        case .connecting, .done: break
        case .sending(let upstream): lost(exchange, upstream, error)
        case .answering:
            // Its head is on the way: only a broken connection tells the client that the rest will not come.
            finish(exchange, outcome: .failed, keepsUpstream: false)
            close()
        }
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) { updateReading() }

    private func framing(_ head: AnswerHead, _ exchange: Exchange) -> BodyFraming {
        switch head.body {
        case .none, .length: head.body
        case .chunked, .untilClose: exchange.isOld ? .untilClose : .chunked
        }
    }

    private func outcome(_ status: Int) -> Outcome { status == 504 ? .timedOut : status >= 500 ? .failed : .answered }

    /// A kept connection that ends before a word may only have been idle too long: an idempotent request is sent once more.
    private func lost(_ exchange: Exchange, _ upstream: Upstream, _ error: (any Error)?) {
        // Such an end may also be a reset, or a TLS connection that says no goodbye.
        guard upstream.hasServed, exchange.isRepeatable, !exchange.isRetried, !(error is MessageFault) else {
            loop.pool.report(upstream.address, isFailure: true)
            let reason =
                error is MessageFault ? "the service's answer is not HTTP" : "the service closed the connection"
            return fail(exchange, MessageFault(.badGateway, reason))
        }
        exchange.isRetried = true
        exchange.state = .connecting
        connect(exchange, isFresh: true)
    }

    private func timeIsUp(_ exchange: Exchange) {
        guard !exchange.isDone else { return }
        let limit = exchange.entry.service.timeout
        if let last = exchange.streamedAt {
            // A stream may last as long as it says something.
            let rest = limit - (SystemClock.steady - last)
            if rest > .zero { return schedule(exchange, in: rest) }
        }
        // A client that has not sent its request, or does not take the answer, is not the service's failure.
        if !exchange.isRequestComplete, exchange.upstream?.isWritable ?? false { return giveUp() }
        if exchange.isAnswering, exchange.wasPaused {
            finish(exchange, outcome: nil, keepsUpstream: false)
            return close()
        }
        loop.pool.report(exchange.entry.address(exchange.implementation), isFailure: true)
        fail(
            exchange,
            MessageFault(.gatewayTimeout, "the service did not answer within \(limit)"),
            outcome: .timedOut
        )
    }

    /// The client did not send its whole request in time.
    private func giveUp() {
        let isAnswering = exchange?.isAnswering ?? false
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        if isAnswering || phase == .dropping { return close() }
        refuse(MessageFault(.requestTimeout, "the request did not come in time"), isPersistent: false)
    }

    /// Sends a request that the candidate failed to legacy, where the plan says so; the failure counts as the candidate's.
    private func fallBack(_ exchange: Exchange, _ outcome: Outcome) -> Bool {
        guard exchange.implementation == .candidate, exchange.entry.service.fallsBack == true,
            exchange.isRepeatable, !exchange.isAnswering, outcome != .timedOut
        else { return false }
        count(exchange, outcome)
        traffic.fellBack()
        if let upstream = exchange.upstream { upstream.close() }
        exchange.isFallback = true
        exchange.isRetried = false
        exchange.timeout?.cancel()
        schedule(exchange, in: exchange.entry.service.timeout)
        exchange.implementation = .legacy
        exchange.state = .connecting
        connect(exchange)
        return true
    }

    /// Ends an exchange whose service failed: with an answer while there is none, by closing once there is half of one.
    private func fail(_ exchange: Exchange, _ fault: MessageFault, outcome: Outcome = .failed) {
        if fallBack(exchange, outcome) { return }
        let hasBegun = exchange.isAnswering
        let isWhole = exchange.isRequestComplete
        exchange.status = Int(fault.status.code)
        finish(exchange, outcome: outcome, keepsUpstream: false)
        guard !hasBegun else { return close() }
        refuse(fault, isPersistent: exchange.isPersistent && isWhole, from: exchange.implementation)
        advance()
    }

    /// Counts an exchange and lets go of its connection.
    private func finish(_ exchange: Exchange, outcome: Outcome?, keepsUpstream: Bool) {
        let upstream = exchange.upstream
        exchange.state = .done
        exchange.timeout?.cancel()
        exchange.timeout = nil
        self.exchange = nil
        traffic.ended()
        if let upstream {
            upstream.setReading(true)
            if keepsUpstream { loop.pool.give(back: upstream) } else { upstream.close() }
        }
        // A fallback was counted when the candidate failed, and is none of legacy's own requests.
        if let outcome, !exchange.isFallback { count(exchange, outcome) }
        loop.accessLog?.write(exchange, outcome)
    }

    private func count(_ exchange: Exchange, _ outcome: Outcome) {
        let end = exchange.streamedAt == nil ? SystemClock.steady : exchange.headAt ?? SystemClock.steady
        traffic.meter.count(
            service: exchange.entry.index,
            exchange.implementation,
            outcome,
            latency: end - exchange.startedAt,
            cache: exchange.cache,
            user: exchange.user,
            at: SystemClock.now
        )
    }

    private func malformed(_ fault: MessageFault) {
        let isAnswering = exchange?.isAnswering ?? false
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        if isAnswering || phase == .dropping { return close() }
        phase = .dropping
        refuse(fault, isPersistent: false)
    }

    private func refuseBody() {
        refuse(
            MessageFault(.payloadTooLarge, "the body is larger than \(settings.largestBody) bytes"),
            isPersistent: false
        )
    }

    /// An answer of the gateway's own.
    private func refuse(_ fault: MessageFault, isPersistent: Bool, from implementation: Implementation? = nil) {
        guard let context else { return }
        if fault.status.code < 500 { traffic.refused() }
        let text = fault.reason.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let body = "{\"error\":{\"status\":\"\(fault.status.reasonPhrase)\",\"message\":\"\(text)\"}}"
        var lines = "HTTP/1.1 \(fault.status.code) \(fault.status.reasonPhrase)\r\ncontent-type: application/json\r\n"
        lines += "content-length: \(body.utf8.count)\r\nvia: 1.1 migrate\r\n"
        if let implementation { lines += "\(ForwardedHead.implementation): \(implementation.rawValue)\r\n" }
        if !isPersistent { lines += "connection: close\r\n" }
        context.write(wrapOutboundOut(ByteBuffer(string: lines + "\r\n" + (isHead ? "" : body))), promise: nil)
        if isPersistent { context.flush() } else { close() }
    }

    /// Ends the connection once all that was written has gone out. A client that may still be sending is listened to for a moment.
    private func close() {
        guard let context else { return }
        let isSending = phase != .head || inbox.readableBytes > 0
        phase = .closing
        awaitedSince = SystemClock.steady
        inbox.clear()
        if !isReading {
            isReading = true
            setReading(true)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            self.hasLeft = true
            self.awaitedSince = SystemClock.steady
            channel.close(mode: isSending && self.client.canHalfClose ? .output : .all, promise: nil)
        }
    }
}
