import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals

// The request: from the client's bytes to an implementation.
extension FrontHandler {
    /// Goes on with what is there.
    func advance() {
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
    func step() throws(MessageFault) -> Bool {
        switch phase {
        case .closing:
            inbox.clear()
            return false
        case .head:
            // Whoever does not take his answers gets no more of them.
            guard exchange == nil, inbox.readableBytes > 0, takesAnswers else { return false }
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
            switch piece {
            case .bytes(let bytes):
                dropped += bytes.readableBytes
                if dropped > settings.largestBody { close() }
            case .end: phase = .head
            }
            return true
        }
    }

    func readHead() throws(MessageFault) -> Bool {
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

    func begin(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
        let head = try RequestHead(bytes, &fields)
        isHead = head.method == .head
        dropped = 0
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
        let forced = forcedSide(bytes)
        let (bucket, user) =
            forced.map { (Self.bucket(of: $0), nil) }
            ?? loop.snapshot.owner(fields, bytes, client: client, using: &loop.random)
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
        exchange.isForced = forced != nil
        exchange.awaitsLeave = !head.isOld && fields.all.contains { $0.role == .expect }
        if isCompared(exchange), !fields.all.contains(where: { ShadowCapture.isConditional(bytes, $0.name) }) {
            exchange.capture = ShadowCapture()
        }
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

    /// The side that somebody asks for who may.
    func forcedSide(_ bytes: UnsafeRawBufferPointer) -> Implementation? {
        guard let key = settings.forceKey, let place = fields.all.first(where: { $0.role == .force })?.value else {
            return nil
        }
        return key.side(String(decoding: bytes[place], as: UTF8.self), at: SystemClock.now)
    }

    /// The bucket that is at a side at every weight but the one at which nobody is: a candidate that has nobody has nobody who asks for it either.
    static func bucket(of side: Implementation) -> Int { side == .candidate ? Bucket.count - 1 : -1 }

    /// Whether a request is one of those that are sent to both sides.
    func isCompared(_ exchange: Exchange) -> Bool {
        guard let share = exchange.entry.service.shadow, exchange.entry.weight > .zero, loop.shadow != nil,
            !exchange.isForced, exchange.changesNothingTwice
        else { return false }
        return Int.random(in: 0..<Bucket.count, using: &loop.random) < share.rawValue
    }

    func copy(_ exchange: Exchange) {
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

    func schedule(_ exchange: Exchange, in span: TimeSpan) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundExchange = NIOLoopBound(exchange, eventLoop: context.eventLoop)
        exchange.timeout = context.eventLoop.scheduleTask(in: .microseconds(span.rawValue)) {
            bound.value.timeIsUp(boundExchange.value)
        }
    }

    func connect(_ exchange: Exchange, isFresh: Bool = false) {
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

    static func fault(_ refusal: UpstreamPool.Refusal) -> MessageFault {
        switch refusal {
        case .breakerOpen:
            MessageFault(
                .serviceUnavailable,
                "the service has failed too often in a row and is left alone for a moment"
            )
        case .full: MessageFault(.serviceUnavailable, "the service has no connection left")
        }
    }

    func send(_ exchange: Exchange, on upstream: Upstream) {
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

    func forward(_ bytes: ByteBuffer) {
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

    func endRequest(_ trailers: ByteBuffer?) {
        phase = .head
        guard let exchange else { return }
        exchange.isRequestComplete = true
        if !exchange.isAnswering {
            // The service has the whole request from now on: how long the client took for it is not its own time.
            exchange.startedAt = SystemClock.steady
            exchange.timeout?.cancel()
            schedule(exchange, in: exchange.entry.service.timeout)
        }
        pass(.end(trailers: trailers), exchange)
    }

    func pass(_ part: Exchange.Part, _ exchange: Exchange) {
        guard let upstream = exchange.upstream else {
            exchange.kept.append(part)
            if exchange.bodyBytes > Exchange.keptBody { exchange.isKeptCut = true }
            return
        }
        exchange.keep(part)
        write(part, exchange, to: upstream)
    }

    func write(_ part: Exchange.Part, _ exchange: Exchange, to upstream: Upstream) {
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
    func updateReading() {
        let isOn: Bool
        if let exchange {
            switch exchange.state {
            case .connecting: isOn = exchange.bodyBytes < Self.ahead && inbox.readableBytes < Self.ahead
            case .sending(let upstream), .answering(let upstream):
                isOn = (phase == .head || upstream.isWritable) && inbox.readableBytes < Self.ahead
            case .done: isOn = true
            }
        } else {
            isOn = phase == .closing || takesAnswers
        }
        guard isOn != isReading else { return }
        isReading = isOn
        let now = SystemClock.steady
        if isOn {
            // What it could not send meanwhile is not its own slowness.
            if let exchange, let since = heldSince { exchange.held = exchange.held + (now - since) }
            awaitedSince = now
        }
        heldSince = isOn ? nil : now
        setReading(isOn)
    }

    func setReading(_ isOn: Bool) {
        _ = try? context?.channel.syncOptions?.setOption(.autoRead, value: isOn)
        // A stream of HTTP/2 only remembers the option: it reads again when it is told to.
        if isOn { context?.read() }
    }

    static func chunk(_ bytes: ByteBuffer) -> [ByteBuffer] {
        var size = ByteBuffer()
        size.writeChunkSize(bytes.readableBytes)
        return [size, bytes, ByteBuffer(staticString: "\r\n")]
    }

    static func lastChunk(_ trailers: ByteBuffer?) -> ByteBuffer {
        var end = ByteBuffer(staticString: "0\r\n")
        if var trailers { end.writeBuffer(&trailers) }
        end.writeStaticString("\r\n")
        return end
    }
}
