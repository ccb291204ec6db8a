import MigrationCore
import NIOCore
import NIOPosix
import NIOSSL
import Signals

/// One event loop's connections to the implementations: idle ones are used again, the latest first.
final class UpstreamPool {
    /// Why there is no connection.
    enum Refusal: Error {
        /// The address has failed too often in a row.
        case breakerOpen
        /// So many connections to it stand that no more are made.
        case full
    }

    /// What is known of one address.
    private final class Target {
        let tls: NIOSSLContext?
        /// The longest idle first, with since when.
        var idle: [(upstream: Upstream, since: TimeSpan)] = []
        /// Connections that stand or are being made.
        var open = 0
        /// Connections that did not come about.
        var failures = 0
        var breaker: Breaker

        init(tls: NIOSSLContext?, breaker: Breaker) {
            self.tls = tls
            self.breaker = breaker
        }
    }

    private let loop: any EventLoop
    private let settings: GatewaySettings
    private let tls: NIOSSLContext?
    private var targets: [Address: Target] = [:]

    /// - Parameter tls: whom to trust at addresses with `https://`.
    init(loop: any EventLoop, settings: GatewaySettings, tls: NIOSSLContext?) {
        self.loop = loop
        self.settings = settings
        self.tls = tls
    }

    /// A connection to an address: one that is idle, or a new one.
    ///
    /// - Parameter isFresh: whether an idle one will not do.
    func take(_ address: Address, isFresh: Bool = false) -> EventLoopFuture<Upstream>.Isolated {
        let target = target(address)
        guard target.breaker.admits(at: SystemClock.steady) else { return failed(.breakerOpen) }
        if !isFresh {
            while let (upstream, since) = target.idle.popLast() {
                if upstream.isOpen, SystemClock.steady - since < settings.upstreamIdleTimeout {
                    return succeeded(upstream)
                }
                upstream.close()
            }
        }
        guard target.open < settings.mostUpstreamConnections else { return failed(.full) }
        return connect(address, target)
    }

    /// Keeps a connection for the next request.
    func give(back upstream: Upstream) {
        upstream.release()
        let target = target(upstream.address)
        guard upstream.isOpen, target.idle.count < settings.keptUpstreamConnections else { return upstream.close() }
        target.idle.append((upstream, SystemClock.steady))
    }

    /// Closes what has been idle for too long, and lets go of what others have closed.
    func sweep(_ now: TimeSpan) {
        for target in targets.values {
            let isKept = { (upstream: Upstream, since: TimeSpan) in
                upstream.isOpen && now - since < self.settings.upstreamIdleTimeout
            }
            for (upstream, since) in target.idle where !isKept(upstream, since) { upstream.close() }
            target.idle.removeAll { !isKept($0.upstream, $0.since) }
        }
    }

    /// Hears how a request to an address went.
    func report(_ address: Address, isFailure: Bool) {
        let target = target(address)
        if isFailure { target.breaker.failed(at: SystemClock.steady) } else { target.breaker.succeeded() }
    }

    /// Connections that stand or are being made, those that did not come about, and whether the breaker lets requests through, by address.
    var condition: [(address: Address, connections: Int, failures: Int, isClosed: Bool)] {
        targets.map { ($0.key, $0.value.open, $0.value.failures, $0.value.breaker.isClosed) }
    }

    private func target(_ address: Address) -> Target {
        if let target = targets[address] { return target }
        let breaker = Breaker(limit: settings.breakerFailures, pause: settings.breakerPause)
        let target = Target(tls: address.isSecure ? tls : nil, breaker: breaker)
        targets[address] = target
        return target
    }

    private func connect(_ address: Address, _ target: Target) -> EventLoopFuture<Upstream>.Isolated {
        target.open += 1
        let promise = loop.makePromise(of: NIOLoopBound<Upstream>.self)
        var isCounted = true
        let gone = NIOLoopBound(
            {
                if isCounted { target.open -= 1 }
                isCounted = false
            },
            eventLoop: loop
        )
        let failed = NIOLoopBound({ target.failures += 1 }, eventLoop: loop)
        let limit = TimeAmount.microseconds(settings.connectTimeout.rawValue)
        let tls = target.tls
        ClientBootstrap(group: loop)
            .connectTimeout(.microseconds(settings.connectTimeout.rawValue))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        // A name for the certificate; addresses are checked as addresses.
                        let name = address.isNumeric ? nil : address.host
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try pipeline.addHandler(Upstream(channel: channel, address: address))
                }
            }
            .connect(host: address.host, port: address.port)
            .flatMapThrowing { channel in
                channel.closeFuture.whenComplete { _ in gone.value() }
                let upstream = try channel.pipeline.syncOperations.handler(type: Upstream.self)
                // Nor does it take a place while its end is on the way.
                upstream.didClose = { gone.value() }
                return NIOLoopBound(upstream, eventLoop: channel.eventLoop)
            }
            .flatMap { (upstream: NIOLoopBound<Upstream>) in
                let timeout = upstream.eventLoop.scheduleTask(in: limit) { upstream.value.close() }
                return upstream.value.ready.always { _ in timeout.cancel() }.map { upstream }
            }
            .flatMapErrorThrowing { error in
                gone.value()
                failed.value()
                throw error
            }
            .cascade(to: promise)
        return promise.futureResult.assumeIsolated().map { $0.value }
    }

    private func succeeded(_ upstream: Upstream) -> EventLoopFuture<Upstream>.Isolated {
        let bound = NIOLoopBound(upstream, eventLoop: loop)
        return loop.makeSucceededFuture(bound).assumeIsolated().map { $0.value }
    }

    private func failed(_ refusal: Refusal) -> EventLoopFuture<Upstream>.Isolated {
        let failed: EventLoopFuture<NIOLoopBound<Upstream>> = loop.makeFailedFuture(refusal)
        return failed.assumeIsolated().map { $0.value }
    }
}
