import ArgumentParser
import Commands
import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Routing
import Signals

struct RoutingBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routing",
        abstract:
            "Measures the ways to the services in one run: requests a second beside the service alone, processor time, and how soon a rollback holds."
    )
    @Option(help: "An empty folder for everything that is started.") var folder: String
    @Option(help: "Envoy's program.") var envoy: String
    @Option(help: "How long each rate is measured, in seconds.") var seconds = 4
    @Option(help: "How often each rate is measured; the median counts.") var rounds = 3
    @Option(help: "How many rollbacks of each.") var switches = 20
    @Option(help: "How long the gateway is loaded to see whether its memory grows, in seconds.") var soak = 0

    func run() async throws {
        try await Interruption.play(in: folder) { stage in
            try await stage.startLog()
            let peers = try RoutingPeers(stage: stage, envoy: envoy)
            let doors = try await peers.open()
            try await rates(doors, stage)
            try memory(doors, stage)
            guard switches > 0 else { return }
            try stage.start(
                "worker",
                "migrate",
                ["worker", "--name", "worker", "--database", stage.conninfo]
            )
            Output.line("")
            Output.line(
                "A rollback under load: from its commit in the log to the last request that the candidate got, over \(switches) of each; beside a bare insert with a NOTIFY under the same load"
            )
            let floor = try await BareCommit(stage)
            for load in Load.allCases {
                Output.line(load.text)
                for door in doors where door.migration != nil {
                    try await latencies(door, under: load, stage, peers, beside: floor)
                }
            }
            await floor.close()
        }
    }

    /// Requests a second of each door in turn, so that what disturbs the machine disturbs them all.
    private func rates(_ doors: [RoutingDoor], _ stage: Stage) async throws {
        var found: [String: [(figures: LoadFigures, micros: Double)]] = [:]
        for _ in 0..<rounds {
            for door in doors {
                let pids = door.actors.compactMap { stage.pid(of: $0) }
                for actor in door.actors { try stage.requireRunning(actor) }
                let before = ProcessorTime.of(pids)
                let (figures, requests) = try LoadFigures.measure(door.url + "/a", seconds: seconds, in: stage.folder)
                let used = Double(ProcessorTime.of(pids) - before) / Double(max(1, requests))
                found[door.name, default: []].append((figures, used))
            }
        }
        Output.line(
            "1 KB answers over 32 connections, \(rounds) rounds of \(seconds) s each, median ratio to the service alone in the same round"
        )
        let alone = found[doors[0].name] ?? []
        var ratios: [String: Double] = [:]
        for door in doors {
            let own = found[door.name] ?? []
            let ratio = Quantile.median(zip(own, alone).map { $0.figures.perSecond / $1.figures.perSecond })
            ratios[door.name] = ratio
            let failed = own.map(\.figures.failed).reduce(0, +)
            Output.line(
                "  \(door.name): \(Self.text(ratio)) (\(Int(Quantile.median(own.map(\.figures.perSecond)))) requests/s), "
                    + "p50 \(own.last?.figures.p50 ?? "?"), p99 \(own.last?.figures.p99 ?? "?"), "
                    + "\(Self.text(Quantile.median(own.map(\.micros)))) µs of processor a request, \(failed) failed"
            )
        }
        if let gateway = ratios["gateway"], let envoy = ratios["Envoy"], envoy > 0 {
            Output.line(
                "  the gateway is at \(Self.text(gateway)) of the service alone (goal ≥ 0.30, aim 0.40) and at \(Self.text(gateway / envoy)) of Envoy (goal ≥ 1.50)"
            )
        }
    }

    /// The gateway's memory after each tenth of a long load; what it takes to warm up is in the first.
    private func memory(_ doors: [RoutingDoor], _ stage: Stage) throws {
        guard soak > 0, let gateway = doors.first(where: { $0.name == "gateway" }),
            let pid = gateway.actors.first.flatMap({ stage.pid(of: $0) })
        else { return }
        var found: [String] = []
        var requests = 0
        for _ in 0..<10 {
            requests += try LoadFigures.measure(gateway.url + "/a", seconds: max(1, soak / 10), in: stage.folder)
                .requests
            found.append("\(ResidentMemory.of(pid) >> 20)")
        }
        Output.line("")
        Output.line(
            "The gateway's memory in each tenth of \(soak) s, \(requests) requests: \(found.joined(separator: ", ")) MiB"
        )
    }

    /// What goes on while it is rolled back.
    private enum Load: CaseIterable, Sendable {
        case paced, full

        var text: String {
            switch self {
            case .paced: "about a thousand requests a second, one by one:"
            case .full: "as many requests as 32 connections carry, which leaves nothing of the machine to anybody:"
            }
        }

        /// Goes on for a second.
        ///
        /// - Returns: how many requests were answered, and how many failed.
        func run(_ url: String, in folder: URL) throws -> (answered: Int, failed: Int) {
            let (figures, requests) = try LoadFigures.measure(url, pause: pause, seconds: 1, in: folder)
            return (requests, figures.failed)
        }

        /// What each of the 32 connections waits before a request, in milliseconds.
        private var pause: Int {
            switch self {
            case .paced: 31
            case .full: 0
            }
        }
    }

    private func latencies(
        _ door: RoutingDoor,
        under kind: Load,
        _ stage: Stage,
        _ peers: RoutingPeers,
        beside floor: BareCommit
    ) async throws {
        guard let migration = door.migration else { return }
        var found: [Int64] = [], bare: [Int64] = [], answered: [Int64] = []
        var failed = 0
        _ =
            switch try await stage.log.load(migration).state.migration?.phase {
            case .rolledBack: try await stage.log.perform(.restart(reason: "measured"), on: migration, by: "bench")
            default: try await stage.log.perform(.start(reason: nil), on: migration, by: "bench")
            }
        for turn in 0..<switches {
            try await wait("\(door.name) to send to the candidate", seconds: 60) {
                try await stage.log.load(migration).state.migration?.phase.step?.bake != nil
            }
            let url = door.url, folder = stage.folder
            let begun = ContinuousClock.now, loadedUntil = SystemClock.now + .seconds(1)
            let load = Task.detached { try kind.run(url + "/a", in: folder) }
            try await Task.sleep(for: .milliseconds(400))
            guard let done = try await stage.log.perform(.rollBack(reason: "measured"), on: migration, by: "bench")
            else {
                throw StageError("the rollback of \(migration) was not taken")
            }
            let revision = done.commit.version
            try await wait("the acknowledgement of \(door.name)", seconds: 30) {
                (try await stage.log.reports(of: migration).first?.revision ?? 0) >= revision
            }
            let bareTime = try await floor.time()
            // Under the same load, or not at all.
            if ContinuousClock.now - begun < .seconds(1) { bare.append(bareTime) }
            let carried = try await load.value
            failed += carried.failed
            answered.append(Int64(carried.answered))
            let row = try await stage.log.rows(migration, after: revision - 1).first
            // Of a commit that came after the load nobody can say how long it took.
            if let at = row?.at, at < loadedUntil { found.append(max(0, peers.lastCandidateAt() - at.rawValue)) }
            try await wait("the rollback of \(door.name) to be confirmed", seconds: 60) {
                if case .rolledBack? = try await stage.log.load(migration).state.migration?.phase { return true }
                return false
            }
            if turn + 1 < switches {
                _ = try await stage.log.perform(.restart(reason: "measured"), on: migration, by: "bench")
            }
        }
        Output.line(
            "  \(door.name): p50 \(Self.milliseconds(found, 50)), at most \(Self.milliseconds(found, 100)); "
                + "the bare one: p50 \(Self.milliseconds(bare, 50)), at most \(Self.milliseconds(bare, 100)); "
                + "\(Quantile.of(answered, 50)) requests/s answered, \(failed) failed"
        )
    }

    private static func milliseconds(_ micros: [Int64], _ percent: Int) -> String {
        micros.isEmpty ? "not seen" : Decimals.text(Int(Quantile.of(micros, percent) / 100), scale: 10) + " ms"
    }

    private static func text(_ value: Double) -> String { Decimals.text(Int((value * 100).rounded()), scale: 100) }
}
