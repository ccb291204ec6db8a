package import ArgumentParser
import Foundation
import Hummingbird
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals

/// The command line of the recommendation services.
package struct RecommendationsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "recommendations",
        abstract: "The résumé-recommendation service: the old implementation, or the new one.",
        subcommands: [Serve.self, Seed.self],
        defaultSubcommand: Serve.self
    )

    package init() {}

    /// Runs the program.
    package static func start() async { await main() }
}

struct StoreOptions: ParsableArguments {
    @Option(help: "A libpq connection string or URI.") var database: String
}

struct Serve: AsyncParsableCommand {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case legacy, candidate }

    static let configuration = CommandConfiguration(
        abstract: "Serves the four operations over the callable protocol.",
        discussion:
            "Example: recommendations --implementation candidate --port 9201 --admin-port 9202 --database postgresql:///jobs"
    )
    @Option(help: "Which of the two.") var implementation: Kind
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on.") var port: Int
    @Option(help: "The candidate's admin port; none without it.") var adminPort: Int?
    @Option(help: "Legacy: how long every answer takes, in milliseconds.") var delay = 200
    @Option(help: "Legacy: how many of a thousand requests run into the time limit.") var timeouts = 150
    @Option(help: "Legacy: its time limit, in milliseconds.") var timeLimit = 1_000
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (0...1_000).contains(timeouts), delay >= 0, timeLimit >= 0 else {
            throw ValidationError("--timeouts is 0…1000, --delay and --time-limit are not negative")
        }
    }

    func run() async throws {
        OpenFiles.raiseLimit()
        var logger = Logger(label: "recommendations.\(implementation.rawValue)") {
            StreamLogHandler.standardError(label: $0)
        }
        logger.logLevel = .warning
        let store = JobStore(
            pool: PostgresPool(store.database, name: "recommendations \(implementation.rawValue)", limit: 8)
        )
        try await store.install()
        let faults = Faults()
        var services: [any ServiceLifecycle.Service] = []
        switch implementation {
        case .candidate:
            let service = CandidateService(store: store, faults: faults)
            services.append(Server(service: service, host: host, port: port, logger: logger).application())
            if let adminPort {
                services.append(AdminServer(faults: faults, host: host, port: adminPort, logger: logger).application())
            }
        case .legacy:
            let settings = LegacyService.Settings(
                delay: .milliseconds(delay),
                timeouts: timeouts,
                timeLimit: .milliseconds(timeLimit)
            )
            services.append(
                Server(service: LegacyService(store: store, settings: settings), host: host, port: port, logger: logger)
                    .application()
            )
        }
        try await ServiceGroup(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
    }
}

struct Seed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds jobs with made-up résumés: job-0 of user-0 and so on.",
        discussion: "Example: recommendations seed --users 3000 --database postgresql:///jobs"
    )
    @Option(help: "How many.") var users: Int
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (1...1_000_000).contains(users) else { throw ValidationError("--users is 1…1000000") }
    }

    func run() async throws {
        let store = JobStore(pool: PostgresPool(store.database, name: "recommendations seed"))
        try await store.install()
        try await store.add((0..<users).map { (Seeds.job($0), Seeds.user($0), Seeds.resume($0)) })
        print("\(users) jobs are there")
    }
}
