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
        /// Whether the migration waits for it.
        var isRegistered: Bool
    }
    struct Service: Encodable {
        var service: String
        /// In basis points.
        var asked: Int
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
        let reports = try await log.reports(of: name)
        var all: [RouteReport] = []
        for traffic in migration.traffic {
            let decided = try await log.rows(name, after: traffic.revision - 1).first?.at
            all.append(RouteReport(traffic, migration, stream.now, decided, reports))
        }
        return all
    }

    private init(
        _ traffic: Traffic,
        _ migration: Migration,
        _ now: Timestamp,
        _ decided: Timestamp?,
        _ reports: [RouterReport]
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
            return Router(
                name: name,
                revision: report?.revision,
                silentMicros: report.map { max(0, (now - $0.seenAt).rawValue) },
                hasIt: report.map { ($0.revision ?? 0) == traffic.revision && !$0.isForked } ?? false,
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
        for router in routers {
            let word = router.revision.map { "revision \($0)\(router.hasIt ? "" : ", NOT what is asked")" } ?? "nothing"
            let waits = router.isRegistered ? "" : ", not waited for"
            table.add(router.name, word, "said so \(ago(router.silentMicros))\(waits)")
        }
        let shares = services.map { service in
            let share =
                service.observedTotal.map { total in
                    total == 0
                        ? "no request"
                        : "\(Narrator.value(Measurement(value: service.observedCandidate ?? 0, of: total), .errorRate)) of \(total)"
                } ?? "not seen"
            return "\(service.service) \(share)"
        }
        table.add("observed", "window that ended \(ago(observedMicros))", shares.joined(separator: ", "))
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
        abstract: "Names the routers that do not have what is asked, or are silent; exits 1 when there is one.",
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
        guard isDrifting else {
            return Output.line("every router has what is asked")
        }
        throw ExitCode(Failure.Code.failed.rawValue)
    }
}

struct RouteExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Why a user goes where he goes: the bucket of his key, and the weights in force.",
        discussion: "Example: migrate route explain recommendations user-1"
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "The key, as the requests have it.") var key: String
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let stream = try await Status.load(migration, LogAccess(database).log)
        guard let state = stream.state.migration else { return }
        let bucket = Bucket.of(key, migration: migration)
        Output.line(
            "\(key) has bucket \(bucket): xxHash64 of “\(migration):\(key)” modulo 10000; the key is the first that a request has of \(state.plan.stickyBy.map { PlanFile.text($0) }.joined(separator: ", "))"
        )
        for traffic in state.traffic {
            Output.line("\(traffic.environment), revision \(traffic.revision)")
            for (service, weight) in zip(state.plan.services, traffic.effective) {
                let side = Bucket.implementation(bucket, weight: weight)
                let from = weight == .zero ? "no bucket" : "buckets from \(Bucket.count - weight.rawValue) on"
                Output.line("  \(service.name) \(weight): the candidate has \(from), so \(side.rawValue)")
            }
        }
        Output.line("HAProxy and nginx hash otherwise, and so have other buckets (docs/reference.md)")
    }
}
