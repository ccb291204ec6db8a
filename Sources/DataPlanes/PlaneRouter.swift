import AsyncHTTPClient
package import Foundation
package import Gateway
package import Logging
package import MigrationCore
import NIOCore
import NIOPosix
package import Routing
import ServiceLifecycle
import Signals
import Synchronization

/// A data plane as one router of one migration in one environment: follows the routes as the embedded gateway does, and measures.
package struct PlaneRouter: ServiceLifecycle.Service {
    /// How often what the data plane has is compared with what it was told.
    private static let glance = Duration.milliseconds(500)

    let name: String
    let environment: String
    let plan: Plan
    let plane: any DataPlane
    let source: any RouteSource
    let sink: any SignalSink
    let logger: Logger
    let keeper: PlaneKeeper
    private let admin: Address?
    private let probing: HTTPClient.Configuration
    private let record: PlaneRecord

    /// - Parameters:
    ///   - name: the router's in the log; unique within the migration.
    ///   - first: the head of the log, where that is known already: nothing older is told, although it was kept.
    ///   - admin: where it says of itself how it does; nil nowhere.
    ///   - trust: the certificates (PEM) by which implementations with `https://` are checked when they are asked whether they are up; nil for the system's.
    package init(
        name: String,
        environment: String,
        plan: Plan,
        plane: any DataPlane,
        first: RouteTable? = nil,
        source: any RouteSource,
        sink: any SignalSink,
        admin: Address? = nil,
        trust: URL? = nil,
        logger: Logger
    ) throws {
        try plane.requireSuitable(plan)
        probing = try UpstreamTrust.client(trust, for: plan)
        self.admin = admin
        record = PlaneRecord(plan)
        self.name = name
        self.environment = environment
        self.plan = plan
        self.plane = plane
        self.source = source
        self.sink = sink
        self.logger = logger
        keeper = try PlaneKeeper(
            plane.adapter(router: name, plan: plan),
            plan: plan,
            state: plane.state,
            first: first,
            logger: logger
        )
    }

    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = HTTPClient(eventLoopGroup: group)
        let prober = HTTPClient(eventLoopGroup: group, configuration: probing)
        let meter = Meter(services: plan.services.count, clock: plan.clock)
        let result: Result<Void, any Error>
        do {
            let windows = try await plane.windows(plan, meter: meter, client: client)
            var services: [any ServiceLifecycle.Service] = [
                Follower(
                    source: source,
                    keeper: keeper,
                    record: record,
                    plane: plane.name,
                    logger: logger
                ),
                SignalPump(
                    name: name,
                    environment: environment,
                    clock: plan.clock,
                    source: CountedWindows(windows: windows, record: record),
                    sink: sink,
                    logger: logger
                ),
                Prober(plan: plan, meter: meter, client: prober),
            ]
            if let admin {
                services.append(
                    PlaneAdmin(
                        name: name,
                        environment: environment,
                        listen: admin,
                        record: record,
                        keeper: keeper,
                        logger: logger
                    )
                )
            }
            let members = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
            result = .success(try await ServiceGroup(configuration: .init(services: members, logger: logger)).run())
            await windows.close()
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        try await prober.shutdown()
        try await group.shutdownGracefully()
        try result.get()
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
        func set(_ isSet: Bool = true) { value.store(isSet, ordering: .sequentiallyConsistent) }
    }

    private struct Follower: ServiceLifecycle.Service {
        let source: any RouteSource
        let keeper: PlaneKeeper
        let record: PlaneRecord
        let plane: String
        let logger: Logger
        /// Whether the log hears what is in force.
        private let isTold = Flag()

        init(
            source: any RouteSource,
            keeper: PlaneKeeper,
            record: PlaneRecord,
            plane: String,
            logger: Logger
        ) {
            self.source = source
            self.keeper = keeper
            self.record = record
            self.plane = plane
            self.logger = logger
        }

        func run() async throws {
            await cancelWhenGracefulShutdown {
                await withDiscardingTaskGroup { group in
                    group.addTask {
                        while !Task.isCancelled {
                            await reassert()
                            await keeper.vouch()
                            try? await Task.sleep(for: PlaneRouter.glance)
                        }
                    }
                    var taking: (table: RouteTable, task: Task<Void, Never>, isOver: Flag)?
                    for await table in source.tables() {
                        if let taking, taking.table == table, !taking.isOver.isSet { continue }
                        // A newer one does not wait until the data plane has taken the older, or not.
                        taking?.task.cancel()
                        await keeper.giveWay(to: table)
                        let isOver = Flag()
                        let before = taking?.task
                        let task = Task {
                            await before?.value
                            await take(table)
                            isOver.set()
                        }
                        taking = (table, task, isOver)
                    }
                    taking?.task.cancel()
                    await taking?.task.value
                    group.cancelAll()
                }
            }
        }

        private func take(_ table: RouteTable) async {
            do {
                try await keeper.apply(table)
                await acknowledge(table)
                record.told(nil)
            } catch {
                // A newer one has come, or the end: nobody has refused anything.
                if Task.isCancelled { return }
                record.told(error)
                logger.error(
                    "route refused",
                    metadata: ["revision": "\(table.revision)", "reason": "\(error.message)"]
                )
                switch error.code {
                case .stale, .forked:
                    // The data plane knows more than the log, which has to hear of it: it went back in time.
                    await hear(of: table)
                default:
                    // What was in force once is not seen to be any more.
                    if await keeper.table == table { await lose() }
                }
            }
        }

        /// The data plane refuses what the log offers: what it has is the log's to hear, where that is another commit, and shown to be in force.
        private func hear(of offered: RouteTable) async {
            if let found = try? await keeper.beyond(offered) { return await acknowledge(found) }
            if await keeper.table == offered { await lose() }
        }

        private func acknowledge(_ table: RouteTable) async {
            isTold.set()
            await source.acknowledge(table)
        }

        private func lose() async {
            isTold.set(false)
            await source.lost()
        }

        private func reassert() async {
            do {
                guard let wasToldAgain = try await keeper.reassert() else { return }
                record.asked(nil, hadForgotten: wasToldAgain)
                // Whatever the log says now, it is to hear what is in force: it may have lost that.
                if !isTold.isSet, let kept = try await keeper.confirm() { await acknowledge(kept) }
            } catch {
                if Task.isCancelled { return }
                record.asked(error)
                await lose()
                logger.error("\(plane) cannot be asked", metadata: ["reason": "\(error.message)"])
            }
        }
    }
}
