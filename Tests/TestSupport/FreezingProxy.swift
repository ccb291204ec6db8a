import NIOCore
import NIOPosix
import Synchronization

/// A port before a socket of this host that passes everything on, until it is frozen: from then on it accepts, and nothing is said any more, as of a server that
/// is stopped or cut off.
package final class FreezingProxy: Sendable {
    private let channel: any Channel
    private let state = State()
    package let port: Int

    private final class State: Sendable {
        let isFrozen = Atomic<Bool>(false)
        let channels = Mutex<[any Channel]>([])
    }

    /// - Parameter path: the socket's.
    package init(before path: String) async throws {
        let state = state
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                state.channels.withLock { $0.append(channel) }
                return ClientBootstrap(group: channel.eventLoop).connect(unixDomainSocketPath: path).flatMap { other in
                    state.channels.withLock { $0.append(other) }
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Pipe(to: other, state))
                        try other.pipeline.syncOperations.addHandler(Pipe(to: channel, state))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        self.port = port
    }

    package func freeze() { state.isFrozen.store(true, ordering: .sequentiallyConsistent) }

    package func close() async {
        try? await channel.close()
        for channel in state.channels.withLock({ $0 }) { try? await channel.close() }
    }

    private final class Pipe: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let state: State

        init(to other: any Channel, _ state: State) {
            self.other = other
            self.state = state
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !state.isFrozen.load(ordering: .sequentiallyConsistent) else { return }
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            guard !state.isFrozen.load(ordering: .sequentiallyConsistent) else { return }
            other.close(promise: nil)
        }
    }
}
