import Cache
import Callable
import Foundation
import LanguageModel
import Logging

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
    /// The databases of the cache's second tier: the one that is read, and one that is written too; none without a tier.
    let tierDatabases: [String]
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
        let hasTier = try from.choice("cache-tier", ["postgres", "none"]) == "postgres"
        let tier = from.optional("cache-database") ?? database
        let also = from.optional("cache-also-written")
        guard also != tier else {
            throw from.fault("cache-also-written", "must be another database than the one that the cache reads")
        }
        tierDatabases = hasTier ? [tier] + [also].compactMap { $0 } : []
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
