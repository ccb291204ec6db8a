import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals

// The answer: from an implementation, or the gateway's own, to the client.
extension FrontHandler: UpstreamDelegate {
    func upstream(didReceive head: AnswerHead, _ fields: FieldTable, _ bytes: UnsafeRawBufferPointer) {
        guard let exchange, let upstream = exchange.upstream, let context else { return }
        if head.isInterim {
            if head.status == 100, exchange.awaitsLeave {
                exchange.awaitsLeave = false
                awaitedSince = SystemClock.steady
            }
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
                exchange.isPaused = true
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
        if exchange.streamedAt != nil, let status = trailers.flatMap({ FieldTable.status(trailers: $0) }) {
            // The stream was one answer: it is counted as that, from the request to here.
            exchange.status = status
            exchange.streamedAt = nil
            if status >= 400 { exchange.cache = nil }
        }
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

    func framing(_ head: AnswerHead, _ exchange: Exchange) -> BodyFraming {
        switch head.body {
        case .none, .length: head.body
        case .chunked, .untilClose: exchange.isOld ? .untilClose : .chunked
        }
    }

    func outcome(_ status: Int) -> Outcome { status == 504 ? .timedOut : status >= 500 ? .failed : .answered }

    /// A kept connection that ends before a word may only have been idle too long: an idempotent request is sent once more.
    func lost(_ exchange: Exchange, _ upstream: Upstream, _ error: (any Error)?) {
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

    func timeIsUp(_ exchange: Exchange) {
        guard !exchange.isDone else { return }
        let limit = exchange.entry.service.timeout
        if let last = exchange.streamedAt {
            // A stream may last as long as it says something.
            let rest = limit - (SystemClock.steady - last)
            if rest > .zero { return schedule(exchange, in: rest) }
        }
        // A client that has not sent its request, or does not take the answer, is not the service's failure; one that was not told to go on has sent all that it may.
        let isAsked = exchange.isAwaitingLeave && !exchange.isAnswering
        if isAsked {
            // Clients send it without leave after a moment (curl: a second).
            let rest = limit + Self.leave - (SystemClock.steady - exchange.startedAt)
            if rest > .zero { return schedule(exchange, in: rest) }
        }
        if !exchange.isRequestComplete, !isAsked, exchange.upstream?.isWritable ?? false {
            let silent = settings.bodyTimeout - (SystemClock.steady - awaitedSince)
            let whole = settings.bodyTimeout + exchange.held + .seconds(Int64(exchange.bodyBytes / Self.slowest))
            let rest = min(silent, whole - (SystemClock.steady - exchange.startedAt))
            return rest > .zero ? schedule(exchange, in: rest) : giveUp()
        }
        // Once it has taken it for half of the time it is the service that is slow.
        let resumed = exchange.resumedAt.map { SystemClock.steady - $0 }
        if exchange.isAnswering, exchange.isPaused || resumed.map({ $0 + $0 < limit }) ?? false {
            finish(exchange, outcome: nil, keepsUpstream: false)
            return close()
        }
        // One that waits for a body that its client never sends is not out of order.
        if !isAsked { loop.pool.report(exchange.entry.address(exchange.implementation), isFailure: true) }
        fail(
            exchange,
            MessageFault(.gatewayTimeout, "the service did not answer within \(limit)"),
            outcome: .timedOut
        )
    }

    /// The client did not send its whole request in time.
    func giveUp() {
        let isAnswering = exchange?.isAnswering ?? false
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        if isAnswering || phase == .dropping { return close() }
        refuse(MessageFault(.requestTimeout, "the request did not come in time"), isPersistent: false)
    }

    /// Sends a request that the candidate failed to legacy, where the plan says so; the failure counts as the candidate's.
    func fallBack(_ exchange: Exchange, _ outcome: Outcome) -> Bool {
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
    func fail(_ exchange: Exchange, _ fault: MessageFault, outcome: Outcome = .failed) {
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
    func finish(_ exchange: Exchange, outcome: Outcome?, keepsUpstream: Bool) {
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

    func count(_ exchange: Exchange, _ outcome: Outcome) {
        guard !exchange.isForced else { return traffic.forced() }
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

    func malformed(_ fault: MessageFault) {
        let isAnswering = exchange?.isAnswering ?? false
        if let exchange { finish(exchange, outcome: nil, keepsUpstream: false) }
        if isAnswering || phase == .dropping { return close() }
        phase = .dropping
        refuse(fault, isPersistent: false)
    }

    func refuseBody() {
        refuse(
            MessageFault(.payloadTooLarge, "the body is larger than \(settings.largestBody) bytes"),
            isPersistent: false
        )
    }

    /// An answer of the gateway's own.
    func refuse(_ fault: MessageFault, isPersistent: Bool, from implementation: Implementation? = nil) {
        guard let context else { return }
        let isPersistent = isPersistent && !traffic.isDraining
        if fault.status.code < 500 { traffic.refused() }
        // One that has reached a service has a line of its own.
        if implementation == nil { loop.accessLog?.write(refusal: Int(fault.status.code)) }
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
    func close() {
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
