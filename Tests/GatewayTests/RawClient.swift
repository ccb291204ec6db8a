import NIOCore
import NIOPosix

/// A client that sends bytes as they are and keeps what comes back, for what no HTTP library would say.
enum RawClient {
    /// Sends a text and reads until the other side closes.
    ///
    /// - Throws: ``TimedOut`` when the other side has not closed after the bound.
    static func talk(_ url: String, _ text: String, within bound: TimeAmount = .seconds(20)) async throws -> String {
        let answer = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Listener(answer, bound))
                }
            }
            .connect(host: "127.0.0.1", port: port(url)).get()
        // The other side may have closed already: then what it said before that is the answer.
        try? await channel.writeAndFlush(ByteBuffer(string: text))
        return try await answer.futureResult.get()
    }

    /// Whether somebody listens there.
    static func canConnect(_ url: String) async -> Bool {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port(url)).get()
        try? await channel?.close()
        return channel != nil
    }

    private static func port(_ url: String) -> Int { url.split(separator: ":").last.flatMap { Int($0) } ?? 0 }

    struct TimedOut: Error {
        var heard: String
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: EventLoopPromise<String>
        private let bound: TimeAmount
        private var heard = ""

        init(_ answer: EventLoopPromise<String>, _ bound: TimeAmount) {
            self.answer = answer
            self.bound = bound
        }

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            context.eventLoop.assumeIsolated().scheduleTask(in: bound) {
                self.answer.fail(TimedOut(heard: self.heard))
                channel.close(promise: nil)
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            heard += String(buffer: unwrapInboundIn(data))
        }
        func channelInactive(context: ChannelHandlerContext) { answer.succeed(heard) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }
    }
}
