import ArgumentParser
import AsyncHTTPClient
import Cache
import Callable
import Foundation
import HTTPTypes
import Hummingbird
import LanguageModel
import Logging
import NIOCore
import Postgres
import ServiceLifecycle
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the four operations over the callable protocol.",
        discussion: """
            Every setting comes from the command line, else from the environment (RECOMMENDATIONS_PORT), else from the file, else it is the usual one; \
            --print-config prints them all with where they came from.
            Example: recommendations --implementation candidate --port 9201 --admin-port 9202 --database postgresql:///jobs \
            --token-keys file:///var/lib/issuer/certificates.json
            """
    )
    @Option(help: "legacy or candidate.") var implementation: String?
    @Option(help: "The address to listen on.") var host: String?
    @Option(help: "The port to listen on.") var port: String?
    @Option(help: "The port of /metrics and of the candidate's switches.") var adminPort: String?
    @Option(help: "A libpq connection string or URI.") var database: String?
    @Option(help: "The project whose ID tokens are taken.") var project: String?
    @Option(help: "Where the keys of ID tokens are: https://, http:// or file://.") var tokenKeys: String?
    @Option(help: "Legacy: how long every answer takes, in milliseconds.") var delay: String?
    @Option(help: "Legacy: how many of a thousand requests run into the time limit.") var timeouts: String?
    @Option(help: "Legacy: its time limit, in milliseconds.") var timeLimit: String?
    @Option(help: "Any setting: NAME=VALUE.") var set: [String] = []
    @Option(help: "A YAML file of settings.") var config: String?
    @Flag(help: "Prints the settings and ends.") var printConfig = false

    func run() async throws {
        let settings: ServiceSettings
        let configuration: Configuration
        do throws(ConfigurationFault) {
            configuration = try Configuration(
                options: try options(),
                environment: ProcessInfo.processInfo.environment,
                file: config
            )
            if printConfig {
                print(configuration.printed, terminator: "")
                return
            }
            settings = try ServiceSettings(configuration)
        } catch {
            throw ValidationError(error.description)
        }
        OpenFiles.raiseLimit()
        try await RecommendationsServer(settings).run()
    }

    private func options() throws(ConfigurationFault) -> [String: String] {
        let named = [
            ("implementation", implementation), ("host", host), ("port", port), ("admin-port", adminPort),
            ("database", database), ("project", project), ("token-keys", tokenKeys), ("delay", delay),
            ("timeouts", timeouts), ("time-limit", timeLimit),
        ]
        var options = Dictionary(named.compactMap { name, value in value.map { (name, $0) } }) { first, _ in first }
        for setting in set {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { throw ConfigurationFault("--set \(setting): must be NAME=VALUE") }
            options[parts[0]] = parts[1]
        }
        return options
    }
}

/// The settings of a service, read and found to be whole.
struct ServiceSettings: Sendable {
    let implementation: String
    let host: String
    let port: Int
    let adminHost: String
    let adminPort: Int?
    let database: String
    let connections: Int
    let authenticator: Authenticator
    let callable: CallableServer.Settings
    let callsPerMinute: Int
    let cache: CacheSettings
    let hasTier: Bool
    let model: (wire: any ModelWire, settings: HTTPModel.Settings)?
    let legacy: LegacyService.Settings
    let logLevel: Logger.Level

    init(_ from: Configuration) throws(ConfigurationFault) {
        implementation = try from.choice("implementation", ["legacy", "candidate"])
        host = try from.text("host")
        port = try from.int("port", 1...65_535)
        adminHost = try from.text("admin-host")
        adminPort = from.optional("admin-port") == nil ? nil : try from.int("admin-port", 1...65_535)
        database = try from.text("database")
        connections = try from.int("database-connections", 1...16)
        let schemes = ["https://", "http://", "file:///"]
        let keys = KeySource(try from.address("token-keys", schemes))
        var appCheck: Authenticator.AppCheck?
        if let project = from.optional("app-check-project") {
            appCheck = .init(project: project, keys: KeySource(try from.address("app-check-keys", schemes)))
        }
        authenticator = Authenticator(project: try from.text("project"), keys: keys, appCheck: appCheck)
        var callable = CallableServer.Settings()
        callable.largestBody = try from.int("largest-body", 1_024...16 << 20)
        callable.mostCalls = try from.int("most-calls", 1...100_000)
        let origins = try from.text("origins")
        if origins != "*" { callable.origins = Set(origins.split(separator: ",").map { $0.filter { $0 != " " } }) }
        self.callable = callable
        callsPerMinute = try from.int("calls-per-minute", 0...1_000_000)
        var cache = CacheSettings()
        cache.capacity = try from.int("cache-capacity", 0...1 << 40)
        cache.fresh = .seconds(try from.int("cache-fresh", 1...86_400))
        cache.whileRevalidating = .seconds(try from.int("cache-while-revalidating", 0...86_400))
        cache.ifError = .seconds(try from.int("cache-if-error", 0...604_800))
        self.cache = cache
        hasTier = try from.choice("cache-tier", ["postgres", "none"]) == "postgres"
        model = try Self.model(from)
        legacy = LegacyService.Settings(
            delay: .milliseconds(try from.int("delay", 0...600_000)),
            timeouts: try from.int("timeouts", 0...1_000),
            timeLimit: .milliseconds(try from.int("time-limit", 0...600_000))
        )
        guard let level = Logger.Level(rawValue: try from.text("log-level")) else {
            throw from.fault("log-level", "is no level of a log")
        }
        logLevel = level
    }

    private static func model(_ from: Configuration) throws(ConfigurationFault) -> (any ModelWire, HTTPModel.Settings)?
    {
        let wire: any ModelWire
        switch try from.choice("model", ["none", "anthropic", "openai"]) {
        case "anthropic": wire = AnthropicWire()
        case "openai": wire = OpenAIWire()
        default: return nil
        }
        let variable = try from.text("model-key-variable")
        guard !(ProcessInfo.processInfo.environment[variable] ?? "").isEmpty else {
            throw ConfigurationFault("the environment variable \(variable) is to hold the model's key, and is empty")
        }
        return (
            wire,
            HTTPModel.Settings(
                address: try from.address("model-address", ["https://", "http://"]),
                model: try from.text("model-name"),
                key: { ProcessInfo.processInfo.environment[variable] },
                budget: ModelBudget(
                    requests: try from.int("model-requests-per-minute", 1...1_000_000),
                    tokens: try from.int("model-tokens-per-minute", 1...1_000_000_000)
                ),
                breaker: ModelBreaker()
            )
        )
    }
}

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
        let faults = Faults()
        let metrics = Metrics(implementation: settings.implementation)
        let quality = QualityRecord(implementation: settings.implementation, pool: pool, logger: logger)
        var health = Health(implementation: settings.implementation, store: store)
        let service: any RecommendationService
        var services: [any ServiceLifecycle.Service] = [quality]
        if settings.implementation == "candidate" {
            let tier = settings.hasTier ? PostgresTier(pool: pool) : nil
            let (candidate, cache) = CandidateService.make(
                store: store,
                cache: settings.cache,
                tier: tier,
                model: settings.model.map { HTTPModel($0.wire, $0.settings) },
                callsPerMinute: settings.callsPerMinute,
                faults: faults
            )
            service = candidate
            health.cache = cache
            health.tier = tier
            health.breaker = settings.model?.settings.breaker
            if let tier { services.append(TierSweeper(tier: tier, age: settings.cache.fresh * 2, logger: logger)) }
        } else {
            service = LegacyService(store: store, settings: settings.legacy)
        }
        services.append(application(service, health, metrics, quality))
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
        await pool.close()
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
                    "cache": "\(record.fields["Cache-Status"] ?? "")", "note": "\(record.note ?? "")",
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

/// Removes what is too old from the cache's second tier, now and then.
struct TierSweeper: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(60)
    private static let most = 10_000

    let tier: PostgresTier
    let age: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    while try await tier.sweep(olderThan: age, most: Self.most) == Self.most, !Task.isCancelled {}
                } catch {
                    logger.warning("the cache's second tier was not swept", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }
}

/// The admin port: what the service has seen and done, and the switch that makes the candidate fail.
struct AdminServer: Sendable {
    let faults: Faults
    let metrics: Metrics
    let cache: AnswerCache<Answer>?

    /// What `GET /requests` answers.
    struct Seen: ResponseEncodable {
        var requests: Int
        /// Microseconds since 1970; 0 never.
        var lastAt: Int
    }

    func application(host: String, port: Int, logger: Logger) -> some ApplicationProtocol {
        let router = Router()
        router.get("requests") { _, _ in Seen(requests: faults.seen, lastAt: faults.lastSeenAt) }
        router.get("metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: Metrics.contentType],
                body: .init(byteBuffer: ByteBuffer(string: metrics.text(cache: cache?.counts)))
            )
        }
        router.put("faults/:permille") { _, context in
            guard let text = context.parameters.get("permille"), let permille = Int(text),
                (0...1_000).contains(permille)
            else {
                throw HTTPError(.badRequest, message: "a share of failures is 0…1000 thousandths")
            }
            faults.rate = permille
            return HTTPResponse.Status.noContent
        }
        return Application(router: router, configuration: .init(address: .hostname(host, port: port)), logger: logger)
    }
}
