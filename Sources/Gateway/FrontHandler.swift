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
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let loop: LoopState
    private let settings: GatewaySettings
    private let traffic: TrafficRecord
    private var context: ChannelHandlerContext?
    private var exchange: Exchange?
    /// Whether the request under way wants no body for an answer.
    private var isHead = false
    /// The rest of a request that was answered before its end is read and dropped.
    private var isDropping = false

    init(loop: LoopState, settings: GatewaySettings, traffic: TrafficRecord) {
        self.loop = loop
        self.settings = settings
        self.traffic = traffic
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let bytes): forward(bytes)
        case .end(let trailers): endRequest(trailers)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.upstream?.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstream?.setReading(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The client has gone: what the service would have answered was not seen, and is not counted.
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent, exchange.map({ !$0.isRequestComplete }) ?? true {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, exchange == nil, !isDropping {
            refuse(.badRequest, "the request is not HTTP", isPersistent: false)
        } else {
            context.close(promise: nil)
        }
    }
}

// MARK: - The request

extension FrontHandler {
    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isDropping = false
        isHead = head.method == .HEAD
        let path = head.uri.prefix { $0 != "?" }
        guard let entry = loop.snapshot.entries[String(path)] else {
            isDropping = true
            return refuse(.notFound, "no service has the path \(path.prefix(200))", isPersistent: head.goesOn)
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > settings.largestBody {
            isDropping = true
            return refuse(
                .payloadTooLarge,
                "the body is larger than \(settings.largestBody) bytes",
                isPersistent: false
            )
        }
        let key = RequestKey.find(loop.snapshot.stickyBy, head.headers, client: context.remoteAddress)
        let bucket = key.map { Bucket.of($0, migration: loop.snapshot.migration) } ?? Int.random(in: 0..<Bucket.count)
        let exchange = Exchange(
            head: head,
            entry: entry,
            bucket: bucket,
            user: key.map { XXHash64.hash($0) },
            implementation: Bucket.implementation(bucket, weight: entry.weight),
            startedAt: SystemClock.steady
        )
        self.exchange = exchange
        traffic.began()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundExchange = NIOLoopBound(exchange, eventLoop: context.eventLoop)
        exchange.timeout = context.eventLoop.scheduleTask(in: .microseconds(entry.service.timeout.rawValue)) {
            bound.value.timedOut(boundExchange.value)
        }
        connect(exchange)
    }

    private func connect(_ exchange: Exchange, isFresh: Bool = false) {
        setReading(false)
        let address = exchange.entry.address(exchange.implementation)
        loop.pool.take(address, isFresh: isFresh).whenComplete { result in
            guard !exchange.isDone else {
                if case .success(let upstream) = result { self.loop.pool.give(back: upstream) }
                return
            }
            switch result {
            case .success(let upstream): self.send(exchange, on: upstream)
            case .failure: self.fail(exchange, .badGateway, "the service refused the connection")
            }
        }
    }

    private func send(_ exchange: Exchange, on upstream: Upstream) {
        let weight = loop.snapshot.entries[exchange.entry.service.path]?.weight ?? .zero
        let implementation = Bucket.implementation(exchange.bucket, weight: weight)
        guard implementation == exchange.implementation else {
            loop.pool.give(back: upstream)
            exchange.implementation = implementation
            return connect(exchange)
        }
        exchange.state = .sending(upstream)
        upstream.delegate = self
        traffic.sent(to: implementation)
        upstream.write(.head(ForwardedHeaders.request(exchange.head, client: context?.remoteAddress)))
        for part in exchange.waiting { write(part, to: upstream) }
        // Kept only for a retry, which a request with a body never gets.
        exchange.waiting = []
        upstream.flush()
        setReading(upstream.isWritable)
    }

    private func forward(_ bytes: ByteBuffer) {
        guard !isDropping, let exchange else { return }
        exchange.bodyBytes += bytes.readableBytes
        guard exchange.bodyBytes <= settings.largestBody else {
            isDropping = true
            let isAnswering = exchange.isAnswering
            finish(exchange, outcome: nil, keepsUpstream: false)
            // Half an answer is on its way: only a broken connection ends it.
            if isAnswering {
                context?.close(promise: nil)
                return
            }
            return refuse(
                .payloadTooLarge,
                "the body is larger than \(settings.largestBody) bytes",
                isPersistent: false
            )
        }
        pass(.body(bytes), exchange)
    }

    private func endRequest(_ trailers: HTTPHeaders?) {
        guard !isDropping, let exchange else { return }
        exchange.isRequestComplete = true
        pass(.end(trailers), exchange)
    }

    private func pass(_ part: HTTPServerRequestPart, _ exchange: Exchange) {
        guard let upstream = exchange.upstream else {
            exchange.waiting.append(part)
            return
        }
        write(part, to: upstream)
        if !upstream.isWritable { setReading(false) }
    }

    private func write(_ part: HTTPServerRequestPart, to upstream: Upstream) {
        switch part {
        case .head: break
        case .body(let bytes): upstream.write(.body(.byteBuffer(bytes)))
        case .end(let trailers): upstream.write(.end(trailers))
        }
    }

    private func setReading(_ isOn: Bool) { _ = try? context?.channel.syncOptions?.setOption(.autoRead, value: isOn) }
}

// MARK: - The answer

extension FrontHandler: UpstreamDelegate {
    func upstream(didReceive part: HTTPClientResponsePart) {
        guard let exchange, let upstream = exchange.upstream, let context else { return }
        switch part {
        case .head(let head):
            exchange.state = .answering(upstream)
            exchange.status = head.status.code
            exchange.cacheStatus = head.headers.first(name: "cache-status")
            exchange.upstreamIsPersistent = head.isKeepAlive
            // An answer to HEAD without a length would be framed as if it had a body.
            exchange.isBare = isHead && !head.headers.contains(name: "content-length")
            if traffic.isDraining || exchange.isBare { exchange.isPersistent = false }
            let answer = ForwardedHeaders.response(
                head,
                from: exchange.implementation,
                isPersistent: exchange.isPersistent
            )
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
        case .body(let bytes):
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            if !context.channel.isWritable { upstream.setReading(false) }
        case .end(let trailers):
            complete(exchange, trailers, context)
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
            context?.close(promise: nil)
        }
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) { setReading(isWritable) }

    /// A kept connection that ends before a word may only have been idle too long: an idempotent request is sent once more.
    private func lost(_ exchange: Exchange, _ upstream: Upstream, _ error: (any Error)?) {
        let isIdempotent = [.GET, .HEAD, .OPTIONS].contains(exchange.head.method)
        guard upstream.hasServed, isIdempotent, exchange.bodyBytes == 0, exchange.isRequestComplete,
            !exchange.isRetried, error == nil
        else {
            return fail(
                exchange,
                .badGateway,
                error == nil ? "the service closed the connection" : "the service's answer is not HTTP"
            )
        }
        exchange.isRetried = true
        exchange.state = .connecting
        exchange.waiting = [.end(nil)]
        connect(exchange, isFresh: true)
    }

    private func complete(_ exchange: Exchange, _ trailers: HTTPHeaders?, _ context: ChannelHandlerContext) {
        let outcome: Outcome = exchange.status == 504 ? .timedOut : exchange.status >= 500 ? .failed : .answered
        let isWhole = exchange.isRequestComplete
        finish(exchange, outcome: outcome, keepsUpstream: exchange.upstreamIsPersistent && isWhole)
        isDropping = !isWhole
        end(trailers, isBare: exchange.isBare, closes: !exchange.isPersistent || !isWhole, context)
        setReading(true)
    }

    /// Ends an answer.
    ///
    /// - Parameters:
    ///   - isBare: the answer is a head of unknown length; its end would be written as an empty chunk, which is a body.
    ///   - closes: the connection ends with it.
    private func end(_ trailers: HTTPHeaders?, isBare: Bool, closes: Bool, _ context: ChannelHandlerContext) {
        let channel = context.channel
        let written =
            isBare
            ? context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer()))))
            : context.writeAndFlush(wrapOutboundOut(.end(trailers)))
        written.assumeIsolated().whenComplete { _ in
            if closes { channel.close(promise: nil) }
        }
    }

    private func timedOut(_ exchange: Exchange) {
        guard !exchange.isDone else { return }
        fail(
            exchange,
            .gatewayTimeout,
            "the service did not answer within \(exchange.entry.service.timeout)",
            outcome: .timedOut
        )
    }

    /// Ends an exchange whose service failed: with an answer while there is none, by closing once there is half of one.
    private func fail(_ exchange: Exchange, _ status: HTTPResponseStatus, _ message: String, outcome: Outcome = .failed)
    {
        let hasBegun: Bool
        if case .answering = exchange.state { hasBegun = true } else { hasBegun = false }
        finish(exchange, outcome: outcome, keepsUpstream: false)
        if hasBegun {
            context?.close(promise: nil)
        } else {
            isDropping = !exchange.isRequestComplete
            refuse(
                status,
                message,
                isPersistent: exchange.isPersistent && exchange.isRequestComplete,
                from: exchange.implementation
            )
        }
        setReading(true)
    }

    /// Counts an exchange and lets go of its connection.
    private func finish(_ exchange: Exchange, outcome: Outcome?, keepsUpstream: Bool) {
        let upstream = exchange.upstream
        exchange.state = .done
        exchange.timeout?.cancel()
        self.exchange = nil
        traffic.ended()
        if let upstream {
            upstream.delegate = nil
            upstream.setReading(true)
            if keepsUpstream { loop.pool.give(back: upstream) } else { upstream.close() }
        }
        guard let outcome else { return }
        let latency = SystemClock.steady - exchange.startedAt
        let cache = exchange.cacheStatus.flatMap { CacheOutcome(header: $0) }
        traffic.meter.count(
            service: exchange.entry.index,
            exchange.implementation,
            outcome,
            latency: latency,
            cache: cache,
            user: exchange.user,
            at: SystemClock.now
        )
    }

    /// An answer of the gateway's own.
    private func refuse(
        _ status: HTTPResponseStatus,
        _ message: String,
        isPersistent: Bool,
        from implementation: Implementation? = nil
    ) {
        guard let context else { return }
        let text = message.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let body = ByteBuffer(string: "{\"error\":{\"status\":\"\(status.reasonPhrase)\",\"message\":\"\(text)\"}}")
        var headers: HTTPHeaders = [
            "content-type": "application/json", "content-length": "\(body.readableBytes)", "via": "1.1 migrate",
        ]
        if let implementation { headers.add(name: ForwardedHeaders.implementation, value: implementation.rawValue) }
        if !isPersistent { headers.add(name: "connection", value: "close") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
            promise: nil
        )
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        end(nil, isBare: false, closes: !isPersistent, context)
    }
}
