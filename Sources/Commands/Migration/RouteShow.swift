import ArgumentParser
import MigrationCore
import MigrationLog
import PlanFile
import Routing

/// What is asked of an environment's routers, what each says it has, and what was seen, each with its age.
struct RouteReport: Encodable {
    struct Router: Encodable {
        var name: String
        /// The revision that it says is in force; nil where it never said one of this log.
        var revision: Int64?
        /// How long ago it said anything, in microseconds; nil where it never did.
        var silentMicros: Int64?
        /// Whether it has what is asked.
        var hasIt: Bool
        /// How long ago the last window ended that it handed in, in microseconds, and what it saw in it, in the order of the services; nil where it
        /// handed in none.
        var observedMicros: Int64?
        var observed: [Share]?
        /// Whether the migration waits for it.
        var isRegistered: Bool
    }
    /// Requests that were sent to the candidate, of how many.
    struct Share: Encodable {
        var candidate: Int
        var total: Int
    }
    struct Service: Encodable {
        var service: String
        /// In basis points.
        var asked: Int
        /// What all routers saw together; nil where nothing was seen.
        var observedCandidate: Int?
        var observedTotal: Int?
    }

    var environment: String
    var revision: Int64
    /// How long ago that was decided, in microseconds.
    var askedMicros: Int64?
    /// How long ago the window ended in which traffic was seen last, in microseconds; nil where none was.
    var observedMicros: Int64?
    var services: [Service]
    var routers: [Router]

    /// Every environment of a migration.
    static func all(_ name: String, _ log: MigrationLog) async throws -> [RouteReport] {
        let stream = try await Status.load(name, log)
        guard let migration = stream.state.migration else { return [] }
        let reports = try await log.reports(of: name), observed = try await log.observed(of: name)
        var all: [RouteReport] = []
        for traffic in migration.traffic {
            let decided = try await log.rows(name, after: traffic.revision - 1).first?.at
            all.append(RouteReport(traffic, migration, stream.now, decided, reports, observed))
        }
        return all
    }

    private init(
        _ traffic: Traffic,
        _ migration: Migration,
        _ now: Timestamp,
        _ decided: Timestamp?,
        _ reports: [RouterReport],
        _ seenByEach: [String: MigrationLog.Observed]
    ) {
        let plan = migration.plan
        let judgement = migration.judgement
        let seen = judgement?.observed.first { $0.environment == traffic.environment }
        environment = traffic.environment
        revision = traffic.revision
        askedMicros = decided.map { max(0, (now - $0).rawValue) }
        observedMicros = seen == nil ? nil : judgement.map { max(0, (now - plan.clock.end(of: $0.k)).rawValue) }
        services = plan.services.indices.map { index in
            Service(
                service: plan.services[index].name,
                asked: traffic.effective[index].rawValue,
                observedCandidate: seen?.shares[index].value,
                observedTotal: seen?.shares[index].of
            )
        }
        let registered = migration.routers(in: traffic.environment).map(\.name)
        let heard = reports.filter { $0.environment == traffic.environment }
        routers = Set(registered + heard.map(\.router)).sorted().map { name in
            let report = heard.first { $0.router == name }
            // What another environment's router of that name saw is not its own.
            let own = report.flatMap { seenByEach[$0.router] }
            return Router(
                name: name,
                revision: report?.revision,
                silentMicros: report.map { max(0, (now - $0.seenAt).rawValue) },
                hasIt: report.map { ($0.revision ?? 0) == traffic.revision && !$0.isForked } ?? false,
                observedMicros: own.map { max(0, (now - plan.clock.end(of: $0.k)).rawValue) },
                observed: own?.shares.map { Share(candidate: $0.value, total: $0.of) },
                isRegistered: registered.contains(name)
            )
        }
    }

    /// The routers that do not have what is asked, or have said nothing for so long.
    func drifting(after silence: TimeSpan) -> [Router] {
        guard revision > 1 else { return [] }
        return routers.filter { !$0.hasIt || $0.silentMicros ?? .max > silence.rawValue }
    }

    func lines() -> [String] {
        func ago(_ micros: Int64?) -> String {
            micros.map { "\(LocalTime.span(TimeSpan(rawValue: $0))) ago" } ?? "never"
        }
        var table = TextTable([.left, .left, .left])
        let asked = services.map { "\($0.service) \(Weight(rawValue: $0.asked)?.description ?? "–")" }
        table.add("asked", "revision \(revision), \(ago(askedMicros))", asked.joined(separator: ", "))
        func seen(_ shares: [Share?]) -> String {
            zip(services, shares).map { service, share in
                let text =
                    share.map { share in
                        share.total == 0
                            ? "no request"
                            : "\(Narrator.value(Measurement(value: share.candidate, of: share.total), .errorRate)) of \(share.total)"
                    } ?? "not seen"
                return "\(service.service) \(text)"
            }.joined(separator: ", ")
        }
        let together = services.map { service in
            service.observedCandidate.flatMap { value in
                service.observedTotal.map { Share(candidate: value, total: $0) }
            }
        }
        for router in routers {
            let word = router.revision.map { "revision \($0)\(router.hasIt ? "" : ", NOT what is asked")" } ?? "nothing"
            let waits = router.isRegistered ? "" : ", not waited for"
            table.add(router.name, word, "said so \(ago(router.silentMicros))\(waits)")
            if let shares = router.observed {
                table.add("", "window that ended \(ago(router.observedMicros))", seen(shares))
            }
        }
        table.add("observed", "window that ended \(ago(observedMicros))", seen(together))
        return [environment] + table.lines(indent: 2)
    }
}

struct RouteShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "What is asked of the routers, what each says it has, and what was seen of the traffic, with the age of each.",
        discussion: "Example: migrate route show recommendations"
    )
    @Argument(help: "The migration.") var migration: String
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let reports = try await RouteReport.all(migration, LogAccess(database).log)
        switch format.format {
        case .json: try Output.json(reports)
        case .text: for report in reports { for line in report.lines() { Output.line(line) } }
        }
    }
}

struct RouteDrift: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drift",
        abstract:
            "Names the routers that do not have what is asked, or are silent; exits 1 when there is one, or no router at all.",
        discussion: "Example: migrate route drift recommendations --silent-for 30s"
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "A router that has said nothing for longer drifts, whatever it said last.")
    var silentFor: DurationArgument = .init(seconds: 30)
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let reports = try await RouteReport.all(migration, LogAccess(database).log)
        var isDrifting = false
        for report in reports {
            for router in report.drifting(after: silentFor.span) {
                isDrifting = true
                let has = router.revision.map { "has revision \($0)" } ?? "has none of this log"
                let silent = router.silentMicros.map { "silent for \(LocalTime.span(TimeSpan(rawValue: $0)))" }
                Output.line(
                    "\(router.name) in \(report.environment) \(has), and \(report.revision) is asked; \(silent ?? "it never said anything")"
                )
            }
        }
        guard isDrifting || reports.allSatisfy(\.routers.isEmpty) else {
            return Output.line("every router has what is asked")
        }
        if !isDrifting { Output.line("no router has ever said anything") }
        throw ExitCode(Failure.Code.failed.rawValue)
    }
}
