import AsyncHTTPClient
package import Logging
import MigrationCore
import Prometheus
import Signals

/// The counter by which a Gateway's programs tell a Prometheus what they have answered.
package struct GatewayCounter: Sendable {
    let address: String
    let selector: String
    let code: String
    let logger: Logger

    /// - Parameters:
    ///   - address: the Prometheus's, `http://HOST:PORT`.
    ///   - selector: of the counter's series for one side of one service, with `{backend}`, `{namespace}` and `{port}` (the cluster's service of that side),
    ///     `{service}`, `{rule}` (both of the plan, the latter from 0) and `{implementation}` to be filled in.
    ///   - code: the label that holds an answer's status: `503`, or `5xx`.
    ///   - logger: hears why a window was not measured.
    package init(address: String, selector: String, code: String, logger: Logger) {
        self.address = address
        self.selector = selector
        self.code = code
        self.logger = logger
    }

    /// The selector for one side of a service.
    func selector(_ rule: Int, _ service: Service, _ side: Implementation, in place: KubernetesPlace) throws -> String {
        let address = side == .legacy ? service.legacy : service.candidate
        let backEnd = try BackEndReference(address, in: place)
        return selector.replacing("{backend}", with: backEnd.name)
            .replacing("{namespace}", with: backEnd.namespace ?? place.namespace)
            .replacing("{port}", with: "\(backEnd.port)")
            .replacing("{service}", with: service.name)
            .replacing("{rule}", with: "\(rule)")
            .replacing("{implementation}", with: side.rawValue)
    }
}

/// Counts the difference between what a Prometheus knew at both ends of each window.
///
/// A range's rate would be extrapolated, and what is counted between two ranges would be in none of them. Here every request is in just one window: that of
/// the first scrape after its answer. A window is missing where a program of the Gateway came, went, began anew or could not be scraped, and where the last
/// scrape is older than half a window.
actor GatewayWindows: PlaneWindows {
    private let plan: Plan
    private let meter: Meter
    private let counter: GatewayCounter
    private let prometheus: PrometheusServer
    /// For each service legacy's selector, and the candidate's.
    private let selectors: [String]
    private var last: GatewayCounts?
    /// Why the last window was missing; nil where it was not.
    private var complaint: String?

    init(plan: Plan, place: KubernetesPlace, meter: Meter, counter: GatewayCounter, client: HTTPClient) throws {
        self.plan = plan
        self.meter = meter
        self.counter = counter
        prometheus = PrometheusServer(address: counter.address, client: client)
        selectors = try plan.services.enumerated().flatMap { rule, service in
            try [Implementation.legacy, .candidate].map { try counter.selector(rule, service, $0, in: place) }
        }
    }

    /// - Throws: a ``PrometheusError`` for a selector that is none; a Prometheus that is away is waited for.
    func check() async throws {
        do {
            _ = try await prometheus.query("\(selectors[0])[1s]", at: SystemClock.now, timeout: .seconds(5))
        } catch let error as PrometheusError where error.isOfQuery {
            throw error
        } catch {
            complain("\(error)")
        }
    }

    func begin() async {}

    func close() async {}

    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
        let probes = meter.take(from: first, before: k)
        let before = last
        last = nil
        do {
            let now = try await look(k, before)
            last = now
            guard let before, before.k == first, k - first == 1 else {
                throw Unmeasured("the window before it is missing")
            }
            var window = probes.first ?? MeasuredWindow(k: first, services: plan.services.map { _ in ServiceWindow() })
            for index in plan.services.indices {
                window.services[index].legacy = try window.services[index].legacy + now.counts(2 * index, since: before)
                window.services[index].candidate =
                    try window.services[index].candidate + now.counts(2 * index + 1, since: before)
            }
            if complaint != nil { counter.logger.info("windows are measured again") }
            complaint = nil
            return [window]
        } catch {
            complain("\(error)")
            return nil
        }
    }

    private func complain(_ reason: String) {
        if reason != complaint { counter.logger.warning("a window is not measured", metadata: ["reason": "\(reason)"]) }
        complaint = reason
    }

    /// What was known at a window's beginning.
    private func look(_ k: Int64, _ before: GatewayCounts?) async throws -> GatewayCounts {
        let moment = plan.clock.start(of: k)
        let range = "[\(max(1, plan.window.rawValue / 2_000))ms]"
        let prometheus = prometheus
        func ask(_ selector: String) async throws -> [PrometheusSeries] {
            try await prometheus.query(selector + range, at: moment, timeout: .seconds(5))
        }
        var counts = GatewayCounts(k: k, code: counter.code, sides: [], programs: [])
        for selector in selectors {
            var side: [[String: String]: Double] = [:]
            for series in try await ask(selector) {
                guard let value = series.values.last, value.isFinite, value >= 0 else {
                    throw Unmeasured("\(series.labels) has no count")
                }
                side[series.labels] = value
            }
            counts.sides.append(side)
        }
        let jobs = try counts.jobs().union(before?.jobs() ?? [])
        guard !jobs.isEmpty else {
            throw Unmeasured("no series of \(selectors[0]) or any other has a sample of the last half window")
        }
        for job in jobs.sorted() {
            let quoted = job.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            for series in try await ask("up{job=\"\(quoted)\"}") {
                let program = try GatewayCounts.Program(series.labels)
                guard series.values.last == 1 else { throw Unmeasured("\(program) cannot be scraped") }
                counts.programs.insert(program)
            }
        }
        return counts
    }
}

/// Why a window is missing.
private struct Unmeasured: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What a Gateway's programs had counted at one moment.
struct GatewayCounts {
    /// Who is scraped.
    struct Program: Hashable, CustomStringConvertible {
        let job: String
        let instance: String
        var description: String { "\(instance) of the job \(job)" }

        init(_ labels: [String: String]) throws {
            guard let job = labels["job"], let instance = labels["instance"] else {
                throw Unmeasured("\(labels) has no labels job and instance: sum up nothing")
            }
            self.job = job
            self.instance = instance
        }
    }

    var k: Int64
    let code: String
    /// By selector and series.
    var sides: [[[String: String]: Double]]
    /// All that were scraped.
    var programs: Set<Program>

    func jobs() throws -> Set<String> {
        try Set(sides.flatMap(\.keys).map { try Program($0).job })
    }

    /// What one side did since.
    func counts(_ side: Int, since before: GatewayCounts) throws -> Counts {
        guard programs == before.programs else {
            let changed = programs.symmetricDifference(before.programs).map(\.description).sorted()
            throw Unmeasured("came or went: \(changed.joined(separator: ", "))")
        }
        for labels in before.sides[side].keys where sides[side][labels] == nil {
            throw Unmeasured("\(labels) is counted no longer")
        }
        var counts = Counts()
        for (labels, value) in sides[side] {
            guard programs.contains(try Program(labels)) else {
                throw Unmeasured("\(labels) is of nobody that is scraped")
            }
            // One that was not there has counted nothing: its program was scraped.
            let more = value - (before.sides[side][labels] ?? 0)
            guard let code = labels[code] else { throw Unmeasured("\(labels) has no label \(code)") }
            guard more >= 0, let number = Int(exactly: more.rounded()) else {
                throw Unmeasured("\(labels) has begun anew")
            }
            counts.requests += number
            switch code {
            case "504": counts.timeouts += number
            // No answer has a status like 0; what never had one is no health.
            case let code where !("1"..."4").contains(code.prefix(1)): counts.errors += number
            default: break
            }
        }
        return counts
    }
}
