import ArgumentParser
import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import ServiceLifecycle
import UnixSignals
import Worker

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Carries migrations out: seals windows, decides, tells routers; several share the work.",
        discussion: "Example: migrate worker --name worker-1"
    )
    @Option(help: "A name of its own among the workers; else the host's and the process's.") var name: String?
    @Option(help: "After how long a silent worker is taken for dead.") var lease: DurationArgument = .init(seconds: 10)
    @Option(help: "The file of a key with the role checkpoint: the order is vouched for with it.")
    var checkpointKey: String?
    @Option(help: "How often.") var checkpointEvery: DurationArgument = .init(seconds: 60)
    @Option(
        help:
            "Where checkpoints go, out of the reach of the database's owner: a folder, or http://… or https://…; may be given more than once."
    )
    var checkpointTo: [String] = []
    @OptionGroup var database: DatabaseOptions

    private func checkpoints() throws -> CheckpointPolicy? {
        guard let checkpointKey else { return nil }
        let sinks = checkpointTo.map { place in
            place.hasPrefix("http://") || place.hasPrefix("https://")
                ? CheckpointPolicy.Sink.http(place) : .folder(URL(fileURLWithPath: place, isDirectory: true))
        }
        return CheckpointPolicy(key: try KeyFile.read(checkpointKey), every: checkpointEvery.span, sinks: sinks)
    }

    func validate() throws {
        if !checkpointTo.isEmpty, checkpointKey == nil {
            throw ValidationError("--checkpoint-to needs --checkpoint-key")
        }
        if checkpointEvery.span < .milliseconds(100) { throw ValidationError("checkpoints are at least 100ms apart") }
        if lease.span < .milliseconds(500) { throw ValidationError("a lease lasts at least 500ms") }
    }

    /// Opens the log; a database that is away is waited for, since whoever looks after workers starts them in any order.
    private func reach(_ name: String, _ logger: Logger) async throws -> LogAccess {
        while true {
            do {
                return try await LogAccess(database, name: "migrate worker \(name)")
            } catch let error as LogError where error.cause?.code == .unreachable {
                logger.warning("the database is away", metadata: ["reason": "\(error.message)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    func run() async throws {
        let name = name ?? "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
        let logger = Logs.logger("migrate.worker")
        let checkpoints = try checkpoints()
        let access = try await reach(name, logger)
        let listener = LogListener(
            access.conninfo,
            name: "migrate worker \(name)",
            channels: [MigrationLog.routeChannel, MigrationLog.reportChannel]
        )
        let worker = Worker(
            name: name,
            log: access.log,
            listener: listener,
            leaseLife: lease.span,
            checkpoints: checkpoints,
            logger: logger
        )
        try await ServiceGroup(
            services: [worker],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
        await access.log.pool.close()
    }
}
