import MigrationCore
import NIOCore
import NIOHTTP1
import NIOPosix

/// One event loop's connections to the implementations: idle ones are used again, the latest first.
final class UpstreamPool {
    private static let kept = 64

    private let loop: any EventLoop
    private let settings: GatewaySettings
    private var idle: [Address: [Upstream]] = [:]

    init(loop: any EventLoop, settings: GatewaySettings) {
        self.loop = loop
        self.settings = settings
    }

    /// A connection to an address: one that is idle, or a new one.
    ///
    /// - Parameter isFresh: whether an idle one will not do.
    func take(_ address: Address, isFresh: Bool = false) -> EventLoopFuture<Upstream>.Isolated {
        if !isFresh {
            while let upstream = idle[address]?.popLast() {
                if upstream.isOpen { return loop.makeSucceededIsolatedFuture(upstream) }
            }
        }
        return connect(address)
    }

    /// Keeps a connection for the next request.
    func give(back upstream: Upstream) {
        guard upstream.isOpen, idle[upstream.address, default: []].count < Self.kept else {
            upstream.close()
            return
        }
        upstream.hasServed = true
        idle[upstream.address, default: []].append(upstream)
    }

    func closeAll() {
        for upstream in idle.values.joined() { upstream.close() }
        idle = [:]
    }

    private func connect(_ address: Address) -> EventLoopFuture<Upstream>.Isolated {
        let promise = loop.makePromise(of: NIOLoopBound<Upstream>.self)
        ClientBootstrap(group: loop)
            .connectTimeout(.microseconds(settings.connectTimeout.rawValue))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(Upstream(channel: channel, address: address))
                }
            }
            .connect(host: address.host, port: address.port)
            .flatMapThrowing { channel in
                NIOLoopBound(
                    try channel.pipeline.syncOperations.handler(type: Upstream.self),
                    eventLoop: channel.eventLoop
                )
            }
            .cascade(to: promise)
        return promise.futureResult.assumeIsolated().map { $0.value }
    }
}

extension EventLoop {
    /// A future that is already there, on this loop.
    fileprivate func makeSucceededIsolatedFuture(_ upstream: Upstream) -> EventLoopFuture<Upstream>.Isolated {
        let bound = NIOLoopBound(upstream, eventLoop: self)
        return makeSucceededFuture(bound).assumeIsolated().map { $0.value }
    }
}
