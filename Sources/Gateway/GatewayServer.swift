import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Accepts clients, and lets the requests under way end when it is told to stop.
struct GatewayServer: ServiceLifecycle.Service {
    let group: MultiThreadedEventLoopGroup
    let loops: Loops
    let settings: GatewaySettings
    let traffic: TrafficRecord
    let logger: Logger
    let didBind: @Sendable (Int) -> Void

    func run() async throws {
        let loops = loops, settings = settings, traffic = traffic
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops.state(of: channel.eventLoop) else { throw ChannelError.eof }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: false)
                    try pipeline.addHandler(IdleStateHandler(readTimeout: .microseconds(settings.idleTimeout.rawValue)))
                    try pipeline.addHandler(FrontHandler(loop: loop, settings: settings, traffic: traffic))
                }
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
        }
        try await drain()
    }

    private func drain() async throws {
        let end = ContinuousClock.now + .microseconds(settings.drainTimeout.rawValue)
        while traffic.underWay > 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(10)) }
        if traffic.underWay > 0 {
            logger.warning("stopping with requests under way", metadata: ["requests": "\(traffic.underWay)"])
        }
    }
}
