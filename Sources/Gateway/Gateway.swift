import AsyncHTTPClient
package import Logging
package import MigrationCore
import NIOCore
import NIOPosix
package import Routing
import ServiceLifecycle
import Signals

/// The embedded gateway: one router of one migration in one environment.
package struct Gateway: ServiceLifecycle.Service {
    package let keeper: RouteKeeper
    package let traffic: TrafficRecord

    private let settings: GatewaySettings
    private let plan: Plan
    private let loops: Loops
    private let group: MultiThreadedEventLoopGroup
    private let source: any RouteSource
    private let sink: any SignalSink
    private let logger: Logger
    private let certificate: CertificateKeeper?
    private let accessLog: AccessLog?
    private let client: HTTPClient
    private let shadow: ShadowCopier?
    private let didBind: @Sendable (Int) -> Void

    /// Prepares a gateway that serves `first` from its first request on.
    ///
    /// - Parameters:
    ///   - settings: where it listens and what it bears.
    ///   - plan: the services.
    ///   - kept: what the state file holds; served until the source says something newer.
    ///   - first: the head of the log, where it could be read; in force before anything is accepted.
    ///   - didBind: told the port once clients are accepted.
    /// - Throws: ``RoutingError`` for a certificate that cannot be used, and for a first table that cannot be kept.
    package init(
        settings: GatewaySettings,
        plan: Plan,
        kept: RouteTable?,
        first: RouteTable?,
        source: any RouteSource,
        sink: any SignalSink,
        logger: Logger,
        didBind: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        self.settings = settings
        self.plan = plan
        self.source = source
        self.sink = sink
        self.logger = logger
        self.didBind = didBind
        certificate = try settings.certificate.map { files in try CertificateKeeper(files, logger: logger) }
        accessLog = settings.accessLog.map { AccessLog($0, logger: logger) }
        let tls = try UpstreamTrust.context(settings.trust, for: plan)
        let asking = try UpstreamTrust.client(settings.trust, for: plan)
        group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        client = HTTPClient(eventLoopGroup: group, configuration: asking)
        traffic = TrafficRecord(meter: Meter(services: plan.services.count, clock: plan.clock))
        let isCompared = plan.services.contains { $0.shadow ?? .zero > .zero }
        shadow = isCompared ? ShadowCopier(client: client, meter: traffic.meter) : nil
        loops = try await Loops(
            group: group,
            snapshot: RouteSnapshot(plan: plan, weights: kept?.weights ?? [:]),
            settings: settings,
            tls: tls,
            accessLog: accessLog,
            shadow: shadow
        )
        keeper = RouteKeeper(
            plan: plan,
            kept: kept,
            store: RouteStore(file: settings.stateFile),
            loops: loops,
            traffic: traffic
        )
        guard let first else { return }
        do {
            _ = try await keeper.apply(first)
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    /// Serves until it is told to stop.
    package func run() async throws {
        var services: [any ServiceLifecycle.Service] = [
            RouteFollower(source: source, keeper: keeper, logger: logger),
            SignalPump(
                name: settings.name,
                environment: settings.environment,
                clock: plan.clock,
                source: MeterWindows(meter: traffic.meter),
                sink: sink,
                logger: logger
            ),
            Prober(plan: plan, meter: traffic.meter, client: client),
            GatewayServer(
                group: group,
                loops: loops,
                settings: settings,
                traffic: traffic,
                certificate: certificate,
                longest: plan.services.map(\.timeout).max() ?? .zero,
                logger: logger,
                didBind: didBind
            ),
        ]
        if let certificate { services.append(certificate) }
        if let accessLog { services.insert(accessLog, at: 0) }
        if let port = settings.adminPort {
            let admin = AdminAPI(
                settings: settings,
                port: port,
                keeper: keeper,
                traffic: traffic,
                plan: plan,
                loops: loops,
                accessLog: accessLog,
                shadow: shadow,
                logger: logger
            )
            services.append(admin.application())
        }
        let result: Result<Void, any Error>
        do {
            let members = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
            try await ServiceGroup(configuration: .init(services: members, logger: logger)).run()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        try await group.shutdownGracefully()
        try result.get()
    }
}
