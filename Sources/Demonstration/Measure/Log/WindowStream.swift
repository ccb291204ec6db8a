import Foundation
import MigrationCore
import MigrationLog

/// Makes the commits of a migration that has sealed windows for a long time, each decided by the rules on a clock of its own: what a log of
/// any size is nearly all made of.
struct WindowStream {
    private(set) var state = MigrationState.initial
    private(set) var head: [UInt8] = []
    private let log: UUID
    private let name: String
    private let plan: Plan

    static let window = TimeSpan.seconds(1)

    /// - Parameters:
    ///   - log: the ID of the log that it is for.
    ///   - since: when it was started; windows from then on can be sealed.
    init(_ name: String, log: UUID, since: Timestamp) throws {
        self.log = log
        self.name = name
        plan = Self.plan(name)
        rows = []
        let hash = try CommitHash.hash(of: plan)
        try append(.plan(plan: plan, hash: hash), by: "ana", at: since)
        try append(.registerRouter(router: "r1", environment: "production"), by: "worker:w", at: since)
        try append(.start(reason: nil), by: "ana", at: since)
        try append(.acknowledge(router: "r1", revision: 3), by: "worker:w", at: since)
    }

    /// The rows that nobody has taken yet.
    private var rows: [CommitRow]

    mutating func take() -> [CommitRow] {
        defer { rows = [] }
        return rows
    }

    /// Seals the next windows.
    mutating func seal(_ count: Int) throws {
        for _ in 0..<count {
            guard let command = Self.next(state) else { return }
            let k = state.migration?.nextWindow ?? 0
            try append(command, by: "worker:w", at: plan.clock.end(of: k) + plan.grace)
        }
    }

    /// The command that seals the next window of a state.
    static func next(_ state: MigrationState) -> Command? {
        guard let k = state.migration?.nextWindow else { return nil }
        return .sealWindow(
            window: Window(
                k: k,
                environments: [
                    EnvironmentWindow(
                        environment: "production",
                        routers: ["r1"],
                        services: [ServiceWindow(legacy: counts(k, 3), candidate: counts(k, 1))]
                    )
                ]
            )
        )
    }

    private static func counts(_ k: Int64, _ seed: Int64) -> Counts {
        var counts = Counts()
        counts.requests = 400 + Int((k &* 7 &+ seed) % 50)
        counts.errors = Int((k &+ seed) % 4)
        counts.probesUp = 5
        counts.latency = LatencyHistogram(
            (0..<14).map { place in
                LatencyHistogram.Bucket(micros: 2_000 + place * 1_800 + Int(k % 7), count: 20 + place)
            }
        )
        return counts
    }

    private static func plan(_ name: String) -> Plan {
        func condition(_ metric: Metric, _ side: Condition.Side, _ threshold: Int) -> Condition {
            Condition(metric: metric, side: side, threshold: threshold)
        }
        return Plan(
            name: name,
            services: [
                Service(
                    name: "search",
                    path: "/search",
                    legacy: "http://127.0.0.1:1",
                    candidate: "http://127.0.0.1:2",
                    timeout: .seconds(1)
                )
            ],
            stickyBy: [.header(name: "x-user-id")],
            window: window,
            grace: window,
            stages: [
                MigrationCore.Stage(
                    name: "production",
                    environment: "production",
                    services: [0],
                    steps: [.all],
                    bake: .days(3_600)
                )
            ],
            criteria: [
                Criterion(condition: condition(.errorRate, .below, 50_000)),
                Criterion(condition: condition(.latency(permille: 950), .below, 900_000)),
            ],
            triggers: [
                Trigger(
                    condition: condition(.errorRate, .above, 50_000),
                    duration: .seconds(30),
                    exit: 40_000,
                    maxGap: .seconds(20),
                    noData: nil
                )
            ],
            watch: .seconds(60),
            expires: .days(3_650),
            rollbackLimit: .minutes(1)
        )
    }

    private mutating func append(_ command: Command, by actor: String, at: Timestamp) throws {
        let at = max(at, state.decidedAt)
        let events = try state.decideRecorded(command, by: actor, at: at)
        let commit = Commit(
            version: state.version + 1,
            actor: actor,
            decidedAt: at,
            command: command,
            events: events
        )
        var row = CommitRow(
            version: commit.version,
            incarnation: 1,
            commandID: UUID(),
            actor: actor,
            at: at + .milliseconds(1),
            body: try CommitCodec.encode(command: command, decidedAt: at, events: events),
            prev: head,
            hash: []
        )
        row.hash = CommitHash.hash(log: log, stream: name, row: row)
        state = try state.folding(commit)
        head = row.hash
        rows.append(row)
    }
}
