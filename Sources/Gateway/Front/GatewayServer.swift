import Logging
import MigrationCore
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import ServiceLifecycle

/// Accepts clients, and lets the requests under way end when it is told to stop.
struct GatewayServer: ServiceLifecycle.Service {
    /// So many requests may be under way on one connection of HTTP/2.
    private static let streams = 100
    /// For so long nothing may have been under way before a stop ends the connections that are left.
    private static let quiet = Duration.milliseconds(250)

    let group: MultiThreadedEventLoopGroup
    let loops: Loops
    let settings: GatewaySettings
    let traffic: TrafficRecord
    let certificate: CertificateKeeper?
    /// The longest that a service may take.
    let longest: TimeSpan
    let logger: Logger
    let didBind: @Sendable (Int) -> Void
    private let shared = SharedConnections()

    func run() async throws {
        let traffic = traffic, mostClients = settings.mostClients
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                guard traffic.connected(most: mostClients) else { return channel.close() }
                channel.closeFuture.whenComplete { _ in traffic.disconnected() }
                return configure(channel)
            }
            .bind(host: settings.host, port: settings.port)
            .get()
        let port = server.localAddress?.port ?? settings.port
        logger.info(
            "accepting",
            metadata: ["host": "\(settings.host)", "port": "\(port)", "environment": "\(settings.environment)"]
        )
        didBind(port)
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await server.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            traffic.drain()
            server.close(promise: nil)
            shared.sayGoodbye()
        }
        try await drain()
    }

    /// Speaks HTTP/1.1 in the clear; over TLS whichever of HTTP/2 and HTTP/1.1 the client prefers.
    private func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let certificate else { return addFront(to: channel, isSecure: false) }
        return channel.eventLoop.makeCompletedFuture {
            // Who does not even agree on a key is not waited for longer than for a head.
            let limit = channel.eventLoop.scheduleTask(in: .microseconds(settings.headTimeout.rawValue)) {
                channel.close(promise: nil)
            }
            let negotiation = ApplicationProtocolNegotiationHandler { result in
                limit.cancel()
                guard case .negotiated("h2") = result else { return addFront(to: channel, isSecure: true) }
                return addStreams(to: channel)
            }
            try channel.pipeline.syncOperations.addHandlers([
                NIOSSLServerHandler(context: certificate.context), negotiation,
            ])
        }
    }

    private func addStreams(to channel: any Channel) -> EventLoopFuture<Void> {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: Self.streams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: settings.largestHead),
        ]
        // Nothing that a service may still answer is cut off.
        let silence = TimeAmount.microseconds(
            max(settings.idleTimeout, longest).rawValue + settings.idleTimeout.rawValue
        )
        do {
            try channel.pipeline.syncOperations.addHandlers([IdleStateHandler(allTimeout: silence), IdleCloser()])
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        return channel.configureHTTP2Pipeline(
            mode: .server,
            connectionConfiguration: connection,
            streamConfiguration: .init()
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandlers([HTTP2Translator(), try front(stream, isSecure: true)])
            }
        }.map { _ in shared.add(channel) }
    }

    private func addFront(to channel: any Channel, isSecure: Bool) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(try front(channel, isSecure: isSecure))
        }
    }

    private func front(_ channel: any Channel, isSecure: Bool) throws -> FrontHandler {
        guard let loop = loops.state(of: channel.eventLoop) else { throw ChannelError.eof }
        let client = ClientAddress(channel.remoteAddress, isSecure: isSecure)
        return FrontHandler(loop: loop, settings: settings, traffic: traffic, client: client)
    }

    private func drain() async throws {
        let limit = settings.drainTimeout ?? max(longest, .seconds(10))
        let end = ContinuousClock.now + .microseconds(limit.rawValue)
        // What clients had sent before they heard of the end is still on its way when nothing is under way for the first time.
        var quietSince = ContinuousClock.now
        while ContinuousClock.now < end, ContinuousClock.now - quietSince < Self.quiet {
            if traffic.underWay > 0 { quietSince = ContinuousClock.now }
            try await Task.sleep(for: .milliseconds(10))
        }
        if traffic.underWay > 0 {
            logger.warning("stopping with requests under way", metadata: ["requests": "\(traffic.underWay)"])
        }
    }
}

/// Ends a connection on which nothing has happened for as long as the handler before it says.
private final class IdleCloser: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
