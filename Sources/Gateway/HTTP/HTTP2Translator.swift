import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2

/// Lets one stream of HTTP/2 speak HTTP/1.1 to the front, both ways: so that a request is read by the same strict rules whichever way it came, and
/// nothing that HTTP/2 can carry and HTTP/1.1 cannot reaches an implementation (RFC 9113 §8.2, §10.3).
final class HTTP2Translator: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTP2Frame.FramePayload

    private enum Request {
        case awaited
        /// So many bytes of the announced length are still to come.
        case length(Int)
        case chunked
        case over
    }

    private enum Answer {
        case head
        case body(BodyReader)
        case over
    }

    private var request = Request.awaited
    private var answer = Answer.head
    private var isHead = false
    private var outbox = ByteBuffer()
    /// When the last frame has gone out.
    private var last: EventLoopFuture<Void>?
    /// How many frames have not: a client that opens no window takes none.
    private var waiting = 0
    private var scanner = HeadScanner(limit: 128 * 1_024)
    private var fields = FieldTable()

    // MARK: - From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let payload = unwrapInboundIn(data)
        do {
            switch payload {
            case .headers(let frame): try take(frame.headers, ends: frame.endStream, context)
            case .data(let frame):
                if case .byteBuffer(let bytes) = frame.data { try take(bytes, ends: frame.endStream, context) }
            default: break
            }
        } catch {
            reset(context)
        }
    }

    private func take(_ headers: HPACKHeaders, ends: Bool, _ context: ChannelHandlerContext) throws(MessageFault) {
        if case .awaited = request {
            try begin(headers, ends: ends, context)
        } else if ends {
            var trailers = ByteBuffer()
            for header in headers where try Self.isPlain(header.name, header.value) {
                trailers.writeString("\(header.name): \(header.value)\r\n")
            }
            try end(trailers, context)
        }
    }

    private func begin(_ headers: HPACKHeaders, ends: Bool, _ context: ChannelHandlerContext) throws(MessageFault) {
        let pseudo = try Pseudo(headers)
        isHead = pseudo.method == "HEAD"
        var head = ByteBuffer()
        head.writeString("\(pseudo.method) \(pseudo.path) HTTP/1.1\r\n")
        if let authority = pseudo.authority { head.writeString("host: \(authority)\r\n") }
        var length: Int?
        var cookies: [String] = []
        for header in headers where try Self.isPlain(header.name, header.value) {
            switch header.name {
            case "cookie": cookies.append(header.value)
            case "host" where pseudo.authority != nil: break
            case "te": break
            case "content-length":
                guard length == nil, header.value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let number = Int(header.value)
                else {
                    throw .bad("the content length is not a number")
                }
                length = number
                head.writeString("content-length: \(number)\r\n")
            default: head.writeString("\(header.name): \(header.value)\r\n")
            }
        }
        // One line of them, as HTTP/1.1 has it (RFC 9113 §8.2.3).
        if !cookies.isEmpty { head.writeString("cookie: \(cookies.joined(separator: "; "))\r\n") }
        guard !ends || length ?? 0 == 0 else { throw .bad("the body is shorter than it says") }
        if !ends, length == nil { head.writeStaticString("transfer-encoding: chunked\r\n") }
        head.writeStaticString("\r\n")
        request = ends ? .over : length.map { .length($0) } ?? .chunked
        context.fireChannelRead(wrapInboundOut(head))
    }

    private func take(_ bytes: ByteBuffer, ends: Bool, _ context: ChannelHandlerContext) throws(MessageFault) {
        switch request {
        case .awaited, .over: throw .bad("a body has no head")
        case .length(let rest):
            guard bytes.readableBytes <= rest else { throw .bad("the body is longer than it says") }
            request = .length(rest - bytes.readableBytes)
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
        case .chunked:
            guard bytes.readableBytes > 0 else { break }
            var chunk = ByteBuffer()
            chunk.writeChunkSize(bytes.readableBytes)
            chunk.writeImmutableBuffer(bytes)
            chunk.writeStaticString("\r\n")
            context.fireChannelRead(wrapInboundOut(chunk))
        }
        if ends { try end(ByteBuffer(), context) }
    }

    private func end(_ trailers: ByteBuffer, _ context: ChannelHandlerContext) throws(MessageFault) {
        switch request {
        case .awaited, .over: return
        case .length(let rest): guard rest == 0 else { throw .bad("the body is shorter than it says") }
        case .chunked:
            var last = ByteBuffer(staticString: "0\r\n")
            last.writeImmutableBuffer(trailers)
            last.writeStaticString("\r\n")
            context.fireChannelRead(wrapInboundOut(last))
        }
        request = .over
    }

    private func reset(_ context: ChannelHandlerContext) {
        request = .over
        answer = .over
        context.writeAndFlush(wrapOutboundOut(.rstStream(.protocolError)), promise: nil)
        context.close(promise: nil)
    }

    /// Whether a header goes on as a field; one that belongs to a connection has no place in HTTP/2.
    ///
    /// - Throws: for a name or value that HTTP/1.1 would read otherwise.
    private static func isPlain(_ name: String, _ value: String) throws(MessageFault) -> Bool {
        if name.hasPrefix(":") { return false }
        guard !name.isEmpty, name.utf8.allSatisfy({ Octet.isToken($0) && !(0x41...0x5A).contains($0) }),
            value.utf8.allSatisfy(Octet.isFieldText)
        else { throw .bad("a header is none of HTTP") }
        guard !["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"].contains(name) else {
            throw .bad("\(name) has no place in HTTP/2")
        }
        return true
    }

    /// What stands before the headers of a request (RFC 9113 §8.3.1).
    private struct Pseudo {
        var method: String
        var path: String
        var authority: String?

        init(_ headers: HPACKHeaders) throws(MessageFault) {
            let methods = headers[":method"], paths = headers[":path"]
            guard methods.count == 1, paths.count == 1, !methods[0].isEmpty, methods[0].utf8.allSatisfy(Octet.isToken),
                paths[0].hasPrefix("/") || paths[0] == "*", paths[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else { throw .bad("the request has no method or path") }
            method = methods[0]
            path = paths[0]
            authority = headers.first(name: ":authority")
            guard authority?.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) ?? true else {
                throw .bad("the request's authority is none")
            }
        }
    }

    // MARK: - To the client

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = unwrapOutboundIn(data)
        outbox.refill(&bytes)
        do {
            while try step(context) {}
            // What was said is said once its last frame has gone out, past all windows.
            guard let promise else { return }
            if let last { last.cascade(to: promise) } else { promise.succeed() }
        } catch {
            promise?.fail(error)
            reset(context)
        }
    }

    private func step(_ context: ChannelHandlerContext) throws(MessageFault) -> Bool {
        switch answer {
        case .over:
            outbox.clear()
            return false
        case .head:
            let length = try outbox.reading { bytes throws(MessageFault) in try scanner.end(in: bytes) }
            guard let length, let slice = outbox.readSlice(length: length) else { return false }
            try slice.reading { bytes throws(MessageFault) in try head(bytes, context) }
            return true
        case .body(var reader):
            let piece = try reader.next(&outbox)
            answer = .body(reader)
            guard let piece else { return false }
            switch piece {
            case .bytes(let bytes): write(.data(.init(data: .byteBuffer(bytes))), context)
            case .end(let trailers):
                answer = .over
                if let trailers {
                    write(.headers(.init(headers: Self.headers(trailers), endStream: true)), context)
                } else {
                    write(.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)), context)
                }
            }
            return true
        }
    }

    private func head(_ bytes: UnsafeRawBufferPointer, _ context: ChannelHandlerContext) throws(MessageFault) {
        let head = try AnswerHead(bytes, isHead: isHead, &fields)
        var headers = HPACKHeaders([(":status", "\(head.status)")])
        for field in fields.all {
            switch field.role {
            case .connection, .hopByHop, .transferEncoding, .upgrade: continue
            default:
                let name = String(decoding: bytes[field.name], as: UTF8.self).lowercased()
                headers.add(name: name, value: String(decoding: bytes[field.value], as: UTF8.self))
            }
        }
        let isOver = !head.isInterim && (head.body == .none || head.body == .length(0))
        if !head.isInterim { answer = isOver ? .over : .body(BodyReader(head.body)) }
        write(.headers(.init(headers: headers, endStream: isOver)), context)
    }

    private static func headers(_ lines: ByteBuffer) -> HPACKHeaders {
        var headers = HPACKHeaders()
        for line in String(buffer: lines).split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.add(name: parts[0].lowercased(), value: String(parts[1].drop { $0 == " " }))
        }
        return headers
    }

    private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        last = promise.futureResult
        waiting += 1
        promise.futureResult.assumeIsolated().whenComplete { _ in self.waiting -= 1 }
        context.write(wrapOutboundOut(payload), promise: promise)
    }

    /// A stream of which both sides have ended is over by itself; one whose client may still be sending is told that nothing is wrong (RFC 9113 §8.1).
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .over = answer, waiting == 0 {
            if case .over = request {
                promise?.succeed()
                return
            }
            context.writeAndFlush(wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
        context.close(mode: mode, promise: promise)
    }
}
