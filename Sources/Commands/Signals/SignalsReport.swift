import Logging
import MigrationCore
import MigrationLog
import Worker

/// What a migration would be judged by now.
struct SignalsReport: Encodable {
    struct Row: Encodable {
        var service: String
        var metric: String
        /// As people read them; nil where there is nothing to measure.
        var candidate: String?
        var candidateOf: Int?
        var legacy: String?
        var legacyOf: Int?
    }

    struct Source: Encodable {
        var name: String
        var candidate: String?
        var candidateOf: Int?
        var legacy: String?
        var legacyOf: Int?
        /// Why it has said nothing.
        var failure: String?
    }

    var migration: String
    var environment: String
    /// The last window that was sealed, and how long ago it ended, in microseconds; nil where none was.
    var window: Int64?
    var endedMicros: Int64?
    /// The routers that reported it.
    var routers: [String] = []
    var rows: [Row] = []
    var sources: [Source] = []

    /// How many of the last commits are looked through for a window.
    private static let depth: Int64 = 200

    /// - Throws: a ``Failure`` for an environment that the plan does not have.
    init(_ name: String, _ environment: String?, _ log: MigrationLog) async throws {
        let stream = try await Status.load(name, log)
        guard let migration = stream.state.migration else { throw Failure(.failed, "\(name) is no migration") }
        let plan = migration.plan
        let wanted = environment ?? migration.guardedEnvironment ?? plan.environments.last ?? ""
        guard plan.environments.contains(wanted) else {
            throw Failure(
                .refused,
                "\(name) has no environment “\(wanted)”",
                mend: "it has: \(plan.environments.joined(separator: ", "))"
            )
        }
        self.migration = name
        self.environment = wanted
        if let sealed = try await Self.lastWindow(of: name, in: wanted, stream.state.version, log) {
            window = sealed.k
            endedMicros = max(0, (stream.now - plan.clock.end(of: sealed.k)).rawValue)
            routers = sealed.window.routers
            rows = Self.rows(sealed.window, plan)
        }
        sources = await Self.ask(plan, wanted, at: stream.now)
    }

    private static func lastWindow(
        of name: String,
        in environment: String,
        _ version: Int64,
        _ log: MigrationLog
    ) async throws -> (k: Int64, window: EnvironmentWindow)? {
        for row in try await log.rows(name, after: max(0, version - depth)).reversed() {
            let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
            if case .sealWindow(let window) = commit.command,
                let found = window.environments.first(where: { $0.environment == environment })
            {
                return (window.k, found)
            }
        }
        return nil
    }

    private static func rows(_ window: EnvironmentWindow, _ plan: Plan) -> [Row] {
        zip(plan.services, window.services).flatMap { service, counts in
            Metric.common.compactMap { metric -> Row? in
                func measured(_ side: Implementation) -> Measurement? {
                    metric.measure(Sample(counts[side], side, span: plan.window))
                }
                let (candidate, legacy) = (measured(.candidate), measured(.legacy))
                guard candidate != nil || legacy != nil else { return nil }
                return Row(
                    service: service.name,
                    metric: metric.name,
                    candidate: candidate.map { Narrator.value($0, metric) },
                    candidateOf: metric.unit == .rate ? nil : candidate?.of,
                    legacy: legacy.map { Narrator.value($0, metric) },
                    legacyOf: metric.unit == .rate ? nil : legacy?.of
                )
            }
        }
    }

    private static func ask(_ plan: Plan, _ environment: String, at now: Timestamp) async -> [Source] {
        var quiet = Logger(label: "migrate.signals")
        quiet.logLevel = .critical
        let reader = SourceReader(plan: plan, k: plan.clock.index(of: now) - 1, environment: environment, logger: quiet)
        return await withTaskGroup(of: (Int, Source).self) { group in
            for (index, source) in plan.sources.enumerated() {
                group.addTask {
                    let (said, failure) = await reader.answer(source)
                    let (candidate, legacy) = (said.reading.candidate, said.reading.legacy)
                    return (
                        index,
                        Source(
                            name: source.name,
                            candidate: candidate.map { Narrator.value($0, source.metric) },
                            candidateOf: candidate?.of,
                            legacy: legacy.map { Narrator.value($0, source.metric) },
                            legacyOf: legacy?.of,
                            failure: failure
                        )
                    )
                }
            }
            var found: [(Int, Source)] = []
            for await answer in group { found.append(answer) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    var lines: [String] {
        var lines: [String] = []
        if let endedMicros {
            lines.append(
                "\(migration), \(environment): the last window that was sealed ended \(LocalTime.span(TimeSpan(rawValue: endedMicros))) ago; \(routers.isEmpty ? "no router" : routers.joined(separator: ", ")) reported it"
            )
            var table = TextTable([.left, .left, .right, .left, .right, .left])
            table.add("service", "metric", "candidate", "of", "legacy", "of")
            for row in rows {
                table.add(
                    row.service,
                    row.metric,
                    row.candidate ?? "–",
                    row.candidateOf.map(String.init) ?? "",
                    row.legacy ?? "–",
                    row.legacyOf.map(String.init) ?? ""
                )
            }
            lines += rows.isEmpty ? ["  nothing was measured in it"] : table.lines(indent: 2)
        } else {
            lines.append("\(migration), \(environment): no window was sealed lately")
        }
        guard !sources.isEmpty else { return lines }
        lines.append("sources, asked now for the last window that is over")
        var table = TextTable([.left, .right, .left, .right, .left])
        table.add("source", "candidate", "of", "legacy", "of")
        for source in sources where source.failure == nil {
            table.add(
                source.name,
                source.candidate ?? "–",
                source.candidateOf.map(String.init) ?? "",
                source.legacy ?? "–",
                source.legacyOf.map(String.init) ?? ""
            )
        }
        if sources.contains(where: { $0.failure == nil }) { lines += table.lines(indent: 2) }
        for source in sources {
            if let failure = source.failure { lines.append("  \(source.name) failed: \(failure)") }
        }
        return lines
    }
}
