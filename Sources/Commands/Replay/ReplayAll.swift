import ArgumentParser
import MigrationCore
import MigrationLog

/// Replays every migration of a log, two at a time, and verifies the order over all of them: the gate that a new release has to pass before
/// it is deployed.
struct ReplayAll {
    let log: MigrationLog
    let isJSON: Bool
    let checkpoint: Checkpoint?

    private struct Entry: Sendable {
        var name: String
        var report: Replay.Report
    }

    /// The result for programs.
    private struct Result: Encodable {
        struct Order: Encodable {
            var commits: Int64
            var checkpoints: Int
            var message: String?
        }
        var format = 2
        var whole: Bool
        var migrations: [ReplayReport]
        var order: Order
        /// Of which there are projections and no commits.
        var strays: [String]
    }

    func run() async throws {
        let started = ContinuousClock.now
        let heads = try await log.heads()
        let progress = Progress("commits", of: Int(heads.reduce(0) { $0 + $1.version }))
        let entries = try await replay(heads.map(\.name), progress)
        progress.end()
        let numbers = Progress("numbers of the order", of: Int(try await log.orderHead().size))
        let order = try await OrderAudit(log).run(against: checkpoint) { numbers.reach(Int($0)) }
        numbers.end()
        let broken = entries.filter { $0.report.divergence != nil }
        let strays = try await log.strayProjections()
        let isWhole = broken.isEmpty && order.divergence == nil && strays.isEmpty
        if isJSON {
            try Output.json(
                Result(
                    whole: isWhole,
                    migrations: entries.map { ReplayReport($0.name, $0.report) },
                    order: Result.Order(
                        commits: order.size,
                        checkpoints: order.checkpoints,
                        message: order.divergence?.message
                    ),
                    strays: strays
                )
            )
        } else {
            for name in strays {
                Output.line("there are projections of \(name), and the log has no such migration: migrate doctor")
            }
            tell(entries, broken, order, ContinuousClock.now - started)
        }
        if !isWhole { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    private func replay(_ names: [String], _ progress: Progress) async throws -> [Entry] {
        var entries: [Entry] = []
        try await withThrowingTaskGroup(of: Entry.self) { group in
            var waiting = names[...]
            func begin(_ name: String) {
                group.addTask {
                    Entry(name: name, report: try await Replay(name, of: log).run { _ in progress.add(1) })
                }
            }
            for _ in 0..<2 { if let name = waiting.popFirst() { begin(name) } }
            while let entry = try await group.next() {
                entries.append(entry)
                if let name = waiting.popFirst() { begin(name) }
            }
        }
        return entries.sorted { $0.name < $1.name }
    }

    private func tell(_ entries: [Entry], _ broken: [Entry], _ order: OrderAudit.Report, _ duration: Duration) {
        var table = TextTable([.left, .right, .left, .left])
        for entry in entries {
            let word = entry.report.divergence.map {
                "DIVERGES" + ($0.version.map { " at version \($0)" } ?? " beside its commits")
            }
            table.add(
                entry.name,
                "\(entry.report.commits) commits",
                word ?? "whole",
                entry.report.state.migration?.phase.name ?? ""
            )
        }
        for line in table.lines() { Output.line(line) }
        for entry in broken {
            guard let divergence = entry.report.divergence else { continue }
            Output.line("")
            Output.line("\(entry.name):")
            for line in ReplayText.divergence(divergence) { Output.line("  " + line) }
        }
        Output.line("")
        let checkpoints = order.checkpoints == 1 ? "1 checkpoint" : "\(order.checkpoints) checkpoints"
        Output.line(
            order.divergence.map { "the order DIVERGES: \($0.message)" }
                ?? "the order of \(order.size) commits is whole, and so are the tree over it and \(checkpoints)"
        )
        let commits = entries.reduce(0) { $0 + $1.report.commits }
        let micros = TimeSpan(rawValue: Int64(duration / .microseconds(1)))
        let verdict =
            broken.isEmpty
            ? "every chain whole, every decision the same, projections the same"
            : "\(broken.count) of \(entries.count) diverge"
        Output.line(
            "replayed \(commits) commits of \(entries.count) migrations in \(LocalTime.span(micros)): \(verdict)"
        )
    }
}
