import ArgumentParser
import MigrationCore
import MigrationLog

/// Replays every migration of a log, two at a time: the gate that a new release has to pass before it is deployed.
struct ReplayAll {
    let log: MigrationLog
    let format: OutputFormat

    private struct Entry: Sendable {
        var name: String
        var report: Replay.Report
    }

    func run() async throws {
        let names = try await log.streams()
        let started = ContinuousClock.now
        let progress = Progress("migrations", of: names.count)
        var entries: [Entry] = []
        try await withThrowingTaskGroup(of: Entry.self) { group in
            var waiting = names[...]
            func begin(_ name: String) {
                group.addTask { Entry(name: name, report: try await Replay(name, of: log).run { _ in }) }
            }
            for _ in 0..<2 { if let name = waiting.popFirst() { begin(name) } }
            while let entry = try await group.next() {
                entries.append(entry)
                progress.reach(entries.count)
                if let name = waiting.popFirst() { begin(name) }
            }
        }
        progress.end()
        entries.sort { $0.name < $1.name }
        let broken = entries.filter { $0.report.divergence != nil }
        switch format {
        case .json: try Output.json(entries.map { ReplayReport($0.name, $0.report) })
        case .text: tell(entries, broken, ContinuousClock.now - started)
        }
        if !broken.isEmpty { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    private func tell(_ entries: [Entry], _ broken: [Entry], _ duration: Duration) {
        var table = TextTable([.left, .right, .left, .left])
        for entry in entries {
            let word = entry.report.divergence.map {
                "DIVERGES" + ($0.version.map { " at version \($0)" } ?? " in a projection")
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
        let commits = entries.reduce(0) { $0 + $1.report.commits }
        let micros = TimeSpan(rawValue: Int64(duration / .microseconds(1)))
        let verdict =
            broken.isEmpty
            ? "every chain whole, every decision the same, projections the same"
            : "\(broken.count) of \(entries.count) diverge"
        Output.line("")
        Output.line(
            "replayed \(commits) commits of \(entries.count) migrations in \(LocalTime.span(micros)): \(verdict)"
        )
    }
}
