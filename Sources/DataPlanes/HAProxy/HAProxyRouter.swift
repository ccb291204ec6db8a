import AsyncHTTPClient
package import Gateway
package import Logging
package import MigrationCore
import NIOCore
import NIOPosix
import Routing
import ServiceLifecycle
import Signals

/// A HAProxy as one router of one migration in one environment: follows the routes as the embedded gateway does, and measures what HAProxy
/// tells of each request.
package struct HAProxyRouter: ServiceLifecycle.Service {
    /// How often what HAProxy has is compared with what it was told.
    private static let glance = Duration.milliseconds(500)

    let name: String
    let environment: String
    let plan: Plan
    let folder: HAProxyFolder
    let logPort: Int
    let source: any RouteSource
    let sink: any SignalSink
    let logger: Logger
    let keeper: HAProxyKeeper

    /// - Parameters:
    ///   - name: the router's in the log; unique within the migration.
    ///   - logPort: where HAProxy tells its requests, by UDP on this host.
    package init(
        name: String,
        environment: String,
        plan: Plan,
        folder: HAProxyFolder,
        logPort: Int,
        source: any RouteSource,
        sink: any SignalSink,
        logger: Logger
    ) throws {
        self.name = name
        self.environment = environment
        self.plan = plan
        self.folder = folder
        self.logPort = logPort
        self.source = source
        self.sink = sink
        self.logger = logger
        keeper = try HAProxyKeeper(router: name, plan: plan, folder: folder, logger: logger)
    }

    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = HTTPClient(eventLoopGroup: group)
        let meter = Meter(services: plan.services.count, clock: plan.clock)
        let result: Result<Void, any Error>
        do {
            let receiver = try await LogReceiver(
                port: logPort,
                services: plan.services.count,
                meter: meter,
                group: group
            )
            let record = HAProxyRecord(socket: RuntimeSocket(folder.socket), receiver: receiver)
            let services: [any ServiceLifecycle.Service] = [
                Follower(source: source, keeper: keeper, logger: logger),
                SignalPump(
                    name: name,
                    environment: environment,
                    clock: plan.clock,
                    meter: meter,
                    sink: sink,
                    isWhole: { await record.isWhole() },
                    logger: logger
                ),
                Prober(plan: plan, meter: meter, client: client),
            ]
            let members = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
            result = .success(try await ServiceGroup(configuration: .init(services: members, logger: logger)).run())
            await receiver.close()
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        try await group.shutdownGracefully()
        try result.get()
    }

    private struct Follower: ServiceLifecycle.Service {
        let source: any RouteSource
        let keeper: HAProxyKeeper
        let logger: Logger

        func run() async throws {
            await cancelWhenGracefulShutdown {
                await withDiscardingTaskGroup { group in
                    group.addTask {
                        while !Task.isCancelled {
                            await reassert()
                            try? await Task.sleep(for: HAProxyRouter.glance)
                        }
                    }
                    for await table in source.tables() { await take(table) }
                    group.cancelAll()
                }
            }
        }

        private func take(_ table: RouteTable) async {
            do {
                try await keeper.apply(table)
                await source.acknowledge(table)
            } catch {
                logger.error(
                    "route refused",
                    metadata: ["revision": "\(table.revision)", "reason": "\(error.message)"]
                )
            }
        }

        private func reassert() async {
            do {
                _ = try await keeper.reassert()
            } catch {
                logger.error("HAProxy cannot be asked", metadata: ["reason": "\(error.message)"])
            }
        }
    }
}

/// Whether everything that HAProxy did was told: it is the same process, it dropped no line, and the kernel lost none.
actor HAProxyRecord {
    private let socket: RuntimeSocket
    private let receiver: LogReceiver
    private var last: Mark?

    private struct Mark: Hashable {
        var process: Substring
        var dropped: Substring
        var lost: UInt32
    }

    init(socket: RuntimeSocket, receiver: LogReceiver) {
        self.socket = socket
        self.receiver = receiver
    }

    /// Whether all was told since this was asked last; false the first time.
    func isWhole() async -> Bool {
        let mark = await look()
        defer { last = mark }
        return mark != nil && mark == last
    }

    private func look() async -> Mark? {
        guard let answer = try? await socket.ask("show info"), let lost = await receiver.dropped() else { return nil }
        func value(_ name: String) -> Substring? {
            answer.split(separator: "\n").first { $0.hasPrefix(name + ": ") }?.dropFirst(name.count + 2)
        }
        guard let process = value("Pid"), let dropped = value("DroppedLogs") else { return nil }
        return Mark(process: process, dropped: dropped, lost: lost)
    }
}
