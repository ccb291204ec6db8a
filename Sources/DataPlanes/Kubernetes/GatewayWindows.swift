import AsyncHTTPClient
import Logging
import MigrationCore
import Prometheus
import Routing
import Signals
import TimeLimits

/// Counts the difference between what a Gateway's programs told a Prometheus after one window's end and after the next.
///
/// A range's rate would be extrapolated, and what is counted between two ranges would be in none of them. Here every request is in just one window: that
/// before the first scrape after its answer and after an end. A window is missing where a program came, went, began anew or could not be scraped, where one was not scraped
/// within half a window of the end, and where a series is gone or back.
actor GatewayWindows: PlaneWindows {
    private let plan: Plan
    private let meter: Meter
    private let counter: GatewayCounter
    private let prometheus: PrometheusServer
    private let told: Told
    /// For each service legacy's selector, and the candidate's.
    private let selectors: [String]
    /// Whose programs are asked for: a job is not forgotten because nobody hears of it.
    private var jobs: Set<String> = []
    /// Every series that there ever was, by selector.
    private var ever: [Set<[String: String]>]
    private var last: GatewayCounts?
    /// Why the last window was missing; nil where it was not.
    private var complaint: String?

    /// - Parameter told: the services of which requests may have gone to the candidate.
    init(
        plan: Plan,
        place: KubernetesPlace,
        meter: Meter,
        counter: GatewayCounter,
        client: HTTPClient,
        told: Told
    ) throws {
        self.plan = plan
        self.meter = meter
        self.counter = counter
        self.told = told
        prometheus = PrometheusServer(address: counter.address, client: client)
        selectors = try counter.selectors(plan, in: place)
        ever = selectors.map { _ in [] }
    }

    /// - Throws: a ``PrometheusError`` for a selector that is none; a Prometheus that is away is waited for.
    func check() async throws {
        do {
            _ = try await prometheus.query("\(selectors[0])[1s]", at: SystemClock.now, timeout: .seconds(2))
        } catch let error as PrometheusError where error.isOfQuery {
            throw error
        } catch {
            complain("\(error)")
        }
    }

    func begin() async {
        meter.restart()
        last = nil
    }

    func close() async {}

    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
        let probes = meter.take(from: first, before: k)
        let before = last
        last = nil
        do {
            let limit = Duration.microseconds(plan.window.rawValue * 3 / 4)
            let now = try await TimeLimit.within(limit) { [self] in try await look(k, before) }
            last = now
            guard let before, before.k == first, k - first == 1 else {
                throw Unmeasured("the window before it is missing")
            }
            var window = probes.first ?? MeasuredWindow(k: first, services: plan.services.map { _ in ServiceWindow() })
            for (index, service) in plan.services.enumerated() {
                let legacy = try now.counts(2 * index, since: before)
                let candidate = try now.counts(2 * index + 1, since: before)
                // A service that nobody asks for has a series on neither side.
                let isDoubtful = now.sides[2 * index + 1].isEmpty && !now.sides[2 * index].isEmpty
                guard !isDoubtful || !told.contains(service.name) else {
                    throw Unmeasured("\(selectors[2 * index + 1]) has no series, and requests were sent there")
                }
                window.services[index].legacy = window.services[index].legacy + legacy
                window.services[index].candidate = window.services[index].candidate + candidate
            }
            if complaint != nil {
                let never = zip(selectors, ever).filter(\.1.isEmpty).map(\.0)
                counter.logger.info(
                    "windows are measured",
                    metadata: ["without a series yet": "\(never.joined(separator: ", "))"]
                )
            }
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

    // MARK: What a Prometheus knows

    /// What was counted when a window had ended, by each program's first scrape after that.
    private func look(_ k: Int64, _ before: GatewayCounts?) async throws -> GatewayCounts {
        let end = plan.clock.start(of: k)
        try await compareClocks()
        if jobs.isEmpty {
            for series in try await ask(selectors).flatMap(\.self) {
                jobs.insert(try GatewayProgram(series.labels).job)
            }
            guard !jobs.isEmpty else { throw Unmeasured("there is no series of \(selectors[0]) or any other") }
        }
        var scrapes = try await scrapes(after: end)
        while let late = scrapes.late.first {
            guard SystemClock.now < end + TimeSpan(rawValue: plan.window.rawValue / 2) else {
                throw Unmeasured("\(late) was not scraped within half a window of the end")
            }
            try await Task.sleep(for: .microseconds(max(20_000, plan.window.rawValue / 20)))
            scrapes = try await self.scrapes(after: end)
        }
        guard !scrapes.ends.isEmpty else {
            throw Unmeasured("nobody is scraped: \(jobs.sorted().joined(separator: ", "))")
        }
        let heard = Set(scrapes.ends.keys.map(\.job))
        guard jobs.isSubset(of: heard) else {
            throw Unmeasured("nobody is scraped of \(jobs.subtracting(heard).sorted().joined(separator: ", "))")
        }
        // What had been scraped is there: a scrape's samples are written together.
        var counts = GatewayCounts(k: k, code: counter.code, asksForTimeouts: asksForTimeouts, ends: scrapes.ends)
        for (place, series) in try await ask(selectors.map { $0 + range(back: end) }).enumerated() {
            counts.sides.append(try counted(series, scrapes.ends, before, place))
        }
        let all = counts.sides.flatMap(\.keys)
        guard !all.isEmpty else { throw Unmeasured("there is no series of \(selectors[0]) or any other") }
        guard Set(all).count == all.count else { throw Unmeasured("two selectors of --counter have the same series") }
        counts.news = zip(counts.sides, ever).map { Set($0.keys).subtracting($1) }
        for index in ever.indices { ever[index].formUnion(counts.sides[index].keys) }
        return counts
    }

    /// Windows are cut by this host's clock, and scrapes are timed by the Prometheus's.
    private func compareClocks() async throws {
        let tolerance = TimeSpan(rawValue: max(100_000, plan.window.rawValue / 10))
        let before = SystemClock.now
        let answer = try await prometheus.query("vector(time())", at: nil, timeout: .seconds(5))
        let after = SystemClock.now
        guard let seconds = answer.first?.samples.first?.value, (0...1e11).contains(seconds) else {
            throw Unmeasured("Prometheus does not say what time it is")
        }
        let theirs = Timestamp(rawValue: Int64(seconds * 1e6))
        guard theirs >= before - tolerance, theirs <= after + tolerance else {
            throw Unmeasured("this host's clock and the Prometheus's differ by more than \(tolerance)")
        }
    }

    private var asksForTimeouts: Bool {
        plan.stages.indices.contains { stage in
            plan.criteria(at: stage).contains { $0.condition.metric == .timeoutRate }
                || plan.triggers(at: stage).contains { $0.condition.metric == .timeoutRate }
        }
    }

    /// From a window and a half before the end until now.
    private func range(back end: Timestamp) -> String {
        let span = (SystemClock.now - end).rawValue + plan.window.rawValue * 3 / 2
        return "[\(max(1, span / 1_000))ms]"
    }

    private func ask(_ queries: [String]) async throws -> [[PrometheusSeries]] {
        let prometheus = prometheus, now = SystemClock.now
        return try await withThrowingTaskGroup(of: (Int, [PrometheusSeries]).self) { group in
            for (index, query) in queries.enumerated() {
                group.addTask { (index, try await prometheus.query(query, at: now, timeout: .seconds(5))) }
            }
            var answers = queries.map { _ in [PrometheusSeries]() }
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }

    /// When each program was first scraped after a window's end, and who was not yet.
    private func scrapes(after end: Timestamp) async throws -> (
        ends: [GatewayProgram: Timestamp], late: [GatewayProgram]
    ) {
        let ups = jobs.sorted().map { job in
            "up{job=\"\(job.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"}"
        }
        let range = range(back: end)
        let answers = try await ask(ups.map { $0 + range } + ups)
        var ends: [GatewayProgram: Timestamp] = [:], late: [GatewayProgram] = []
        for series in answers.prefix(ups.count).flatMap(\.self) {
            let program = try GatewayProgram(series.labels)
            guard series.samples.allSatisfy({ $0.value == 1 }) else {
                throw Unmeasured("\(program) could not be scraped")
            }
            if let first = series.samples.first(where: { $0.at >= end }) {
                ends[program] = first.at
            } else {
                late.append(program)
            }
        }
        // Whoever is scraped so seldom that the range has nothing of them.
        for series in answers.dropFirst(ups.count).flatMap(\.self) {
            let program = try GatewayProgram(series.labels)
            guard ends[program] != nil || late.contains(program) else {
                throw Unmeasured("\(program) is scraped too seldom")
            }
        }
        return (ends, late.sorted { $0.description < $1.description })
    }

    /// What series of one selector had counted when their programs were scraped after the end.
    private func counted(
        _ list: [PrometheusSeries],
        _ ends: [GatewayProgram: Timestamp],
        _ before: GatewayCounts?,
        _ place: Int
    ) throws -> GatewayCounts.Side {
        var side: GatewayCounts.Side = [:]
        for series in list {
            let program = try GatewayProgram(series.labels)
            guard let end = ends[program] else {
                let isNew = jobs.insert(program.job).inserted
                throw Unmeasured(
                    isNew
                        ? "\(program.job) is a job that was not known" : "\(series.labels) is of nobody that is scraped"
                )
            }
            guard !series.samples.isEmpty else { throw Unmeasured("\(series.labels) is no plain counter") }
            let begin = before?.ends[program]
            let samples = series.samples.filter { $0.at <= end && $0.at >= begin ?? end }
            // It began after that.
            if samples.isEmpty, series.samples.allSatisfy({ $0.at > end }) { continue }
            guard let last = samples.last, last.at == end else {
                // It had ended before the window began.
                if samples.isEmpty, before?.sides[place][series.labels] == nil { continue }
                throw Unmeasured("\(series.labels) is counted no longer")
            }
            guard samples.allSatisfy({ $0.value.isFinite && $0.value >= 0 && $0.value <= Double(Counts.largest) })
            else {
                throw Unmeasured("\(series.labels) has no count")
            }
            guard zip(samples, samples.dropFirst()).allSatisfy({ $0.value <= $1.value }) else {
                throw Unmeasured("\(series.labels) has begun anew")
            }
            side[series.labels] = last.value
        }
        for labels in before?.sides[place].keys.map(\.self) ?? [] where side[labels] == nil {
            throw Unmeasured("\(labels) is counted no longer")
        }
        return side
    }
}
