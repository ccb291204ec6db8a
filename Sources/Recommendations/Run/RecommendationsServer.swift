import Cache
import Callable
import Hummingbird
import LanguageModel
import Logging
import NIOCore
import Postgres
import ServiceLifecycle
import UnixSignals

/// A service with everything that runs beside it, and its end.
struct RecommendationsServer {
    private let settings: ServiceSettings
    private let logger: Logger

    init(_ settings: ServiceSettings) {
        self.settings = settings
        var logger = Logger(label: "recommendations.\(settings.implementation)") { JSONLog(label: $0) }
        logger.logLevel = settings.logLevel
        self.logger = logger
    }

    func run() async throws {
        let pool = PostgresPool(
            settings.database,
            name: "recommendations \(settings.implementation)",
            limit: settings.connections,
            mayLeave: true
        )
        let store = JobStore(pool: pool)
        try await store.install()
        let faults = RehearsedFaults()
        let metrics = Metrics(implementation: settings.implementation)
        let quality = QualityRecord(implementation: settings.implementation, pool: pool, logger: logger)
        var health = Health(implementation: settings.implementation, store: store)
        let service: any RecommendationService
        var services: [any ServiceLifecycle.Service] = [quality]
        var tiers: [PostgresTier] = []
        if settings.implementation == "candidate" {
            tiers = self.tiers()
            let tier = Self.tier(tiers)
            let (candidate, cache) = CandidateService.make(
                store: store,
                cache: settings.cache,
                tier: tier,
                model: settings.model.map { HTTPModel($0.wire, $0.settings) },
                callsPerMinute: settings.callsPerMinute,
                metrics: metrics
            )
            service = candidate
            health.cache = cache
            health.tier = tier
            health.breaker = settings.model?.settings.breaker
            services += tiers.map { TierKeeper(tier: $0, age: settings.cache.fresh * 2, logger: logger) }
        } else {
            service = LegacyService(store: store, settings: settings.legacy)
        }
        let rehearsed = RehearsedService(service, store: store, faults: faults)
        services.append(application(rehearsed, health, metrics, quality))
        if let port = settings.adminPort {
            services.append(
                AdminServer(faults: faults, metrics: metrics, cache: health.cache).application(
                    host: settings.adminHost,
                    port: port,
                    logger: logger
                )
            )
        }
        try await ServiceGroup(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
        for tier in tiers { await tier.close() }
        await pool.close()
    }

    /// The stores of the cache's second tier; what keeps them makes their tables, so that nothing waits for one that is away.
    private func tiers() -> [PostgresTier] {
        settings.tierDatabases.map { database in
            PostgresTier(
                pool: PostgresPool(
                    database,
                    name: "recommendations cache",
                    limit: settings.connections,
                    mayLeave: true
                )
            )
        }
    }

    /// One tier; two while the second takes the first one's place.
    private static func tier(_ tiers: [PostgresTier]) -> (any CacheTier)? {
        guard let read = tiers.first else { return nil }
        return tiers.count > 1 ? DualTier(reading: read, writing: tiers[1]) : read
    }

    private func application(
        _ service: any RecommendationService,
        _ health: Health,
        _ metrics: Metrics,
        _ quality: QualityRecord
    ) -> some ApplicationProtocol {
        let logger = logger
        let server = CallableServer(
            Functions.all(of: service, health: health) { operation, judged in
                metrics.count(operation, judged)
                quality.count(operation, judged)
            },
            authenticator: settings.authenticator,
            settings: settings.callable
        ) { record in
            metrics.count(record)
            let level: Logger.Level = record.note == nil ? .info : .warning
            logger.log(
                level: level,
                "call",
                metadata: [
                    "function": "\(record.function)", "status": "\(record.status)",
                    "milliseconds": "\(Int(record.took / .milliseconds(1)))",
                    "cache": "\(record.fields[Functions.cacheStatus] ?? "")", "note": "\(record.note ?? "")",
                ]
            )
        }
        let router = Router()
        server.addRoutes(to: router)
        router.get("health") { _, _ in
            do {
                _ = try await health.check()
                return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "ok\n")))
            } catch {
                return Response(
                    status: .serviceUnavailable,
                    body: .init(byteBuffer: ByteBuffer(string: "unavailable\n"))
                )
            }
        }
        return Application(
            router: router,
            // A connection on which nothing is asked is not kept for ever.
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: .init(address: .hostname(settings.host, port: settings.port), backlog: 1024),
            logger: logger
        )
    }
}
