import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An upstream that reads with SwiftNIO's own parser, counts what it finds, and answers with what it was sent: body and trailers in chunks, and the
/// head's fields under names that begin with `got-`. Asked for `?stream`, it sends one event, and the second when the test releases it; asked for
/// `?break`, it closes after half of its answer.
final class EchoUpstream: Sendable {
    private let channel: any Channel
    private let found: Found
    let port: Int

    private final class Found: Sendable {
        let heads = Atomic<Int>(0)
        let garbage = Atomic<Int>(0)
        let released = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
    }

    /// Requests of clients; the gateway's probes are not among them.
    var heads: Int { found.heads.load(ordering: .relaxed) }
    /// Connections that broke on what is no HTTP.
    var garbage: Int { found.garbage.load(ordering: .relaxed) }

    /// Lets the second event go.
    func release() { found.released.succeed() }

    init() async throws {
        let found = Found()
        self.found = found
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
                    try pipeline.addHandler(Echo(found))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        self.port = port
    }

    func close() async {
        found.released.succeed()
        try? await channel.close()
    }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let found: Found
        private var uri = ""

        init(_ found: Found) { self.found = found }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): begin(head, context)
            case .body(let bytes): write(.body(.byteBuffer(bytes)), context)
            case .end(let trailers): end(trailers, context)
            }
        }

        private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
            uri = head.uri
            if uri != "/health" { found.heads.wrappingAdd(1, ordering: .relaxed) }
            if head.headers.first(name: "expect") == "100-continue" {
                write(.head(HTTPResponseHead(version: .http1_1, status: .continue)), context)
            }
            var headers: HTTPHeaders = ["transfer-encoding": "chunked", "cache-status": "echo; hit"]
            for (name, value) in head.headers { headers.add(name: "got-\(name)", value: value) }
            if uri.hasSuffix("?stream") { headers.add(name: "content-type", value: "text/event-stream") }
            let status: HTTPResponseStatus = uri.hasSuffix("?fail") ? .internalServerError : .ok
            write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)), context)
        }

        private func end(_ trailers: HTTPHeaders?, _ context: ChannelHandlerContext) {
            if uri.hasSuffix("?break") {
                write(.body(.byteBuffer(ByteBuffer(string: "half"))), context)
                return context.close(promise: nil)
            }
            guard uri.hasSuffix("?stream") else { return write(.end(trailers), context) }
            write(.body(.byteBuffer(ByteBuffer(string: "data: 1\n\n"))), context)
            found.released.futureResult.hop(to: context.eventLoop).assumeIsolated().whenComplete { _ in
                self.write(.body(.byteBuffer(ByteBuffer(string: "data: 2\n\n"))), context)
                self.write(.end(trailers), context)
            }
        }

        private func write(_ part: HTTPServerResponsePart, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(part), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            switch error as? HTTPParserError {
            // A method that this parser does not know is a head all the same.
            case .invalidMethod?: found.heads.wrappingAdd(1, ordering: .relaxed)
            // The end of a connection in the middle of a request is a client that left.
            case .invalidEOFState?, nil: break
            case _?: found.garbage.wrappingAdd(1, ordering: .relaxed)
            }
            context.close(promise: nil)
        }
    }
}
