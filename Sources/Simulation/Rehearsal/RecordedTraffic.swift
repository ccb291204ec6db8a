package import MigrationCore
import Randomness

/// Windows that a real migration sealed, in their order.
package struct RecordedWindows: Sendable {
    package var migration: String
    package var length: TimeSpan
    package var services: [String]
    package var windows: [Window]

    package init(migration: String, length: TimeSpan, services: [String], windows: [Window]) {
        self.migration = migration
        self.length = length
        self.services = services
        self.windows = windows
    }
}

/// Traffic as it was recorded: window after window, from the beginning again at the end. How many requests go to the candidate follows the
/// plan that is rehearsed; how either does is drawn from what was seen of it, and of legacy where the candidate was not seen yet.
struct RecordedTraffic: Traffic {
    private let start: Timestamp
    private let length: TimeSpan
    /// By environment and service of the plan, what was seen; the candidate's filled up from before.
    private let seen: [String: [[ServiceWindow]]]
    /// By environment and window, what sources said.
    private let readings: [String: [[String: Reading]]]

    /// - Returns: nil when a service of the plan was not recorded, or one that is new never on the candidate's side.
    init?(_ recorded: RecordedWindows, plan: Plan, start: Timestamp) {
        let places = plan.services.map { recorded.services.firstIndex(of: $0.name) }
        guard places.allSatisfy({ $0 != nil }), !recorded.windows.isEmpty else { return nil }
        self.start = start
        length = recorded.length
        var seen: [String: [[ServiceWindow]]] = [:]
        for environment in plan.environments {
            let windows = recorded.windows.map { window in window.environments.first { $0.environment == environment } }
            var filled: [[ServiceWindow]] = []
            for (place, service) in zip(places, plan.services) {
                let own = windows.map { window in place.flatMap { window?.services[$0] } ?? ServiceWindow() }
                let first = own.first { $0.candidate.requests > 0 }?.candidate
                // Legacy, which has none, says nothing of it.
                if service.isNew == true, first == nil { return nil }
                filled.append(Self.filled(own, before: service.isNew == true ? first : nil))
            }
            seen[environment] = filled
        }
        self.seen = seen
        readings = Dictionary(
            plan.environments.map { environment in
                (
                    environment,
                    recorded.windows.map { window in
                        window.environments.first { $0.environment == environment }?.readings ?? [:]
                    }
                )
            }
        ) { first, _ in first }
    }

    /// - Parameter before: what the candidate is taken to do where it was not seen yet; nil as legacy did.
    private static func filled(_ windows: [ServiceWindow], before: Counts?) -> [ServiceWindow] {
        var last = before
        return windows.map { window in
            var window = window
            if window.candidate.requests > 0 {
                last = window.candidate
            } else {
                let probes = (window.candidate.probesUp, window.candidate.probesDown)
                window.candidate = last ?? window.legacy
                (window.candidate.probesUp, window.candidate.probesDown) = probes
            }
            return window
        }
    }

    func measure(_ stretch: Stretch, _ random: inout SplitMix) -> ServiceWindow {
        guard let windows = seen[stretch.environment]?[stretch.service], !windows.isEmpty else {
            return ServiceWindow()
        }
        let index = Int((stretch.from - start).rawValue / max(1, length.rawValue)) % windows.count
        let window = windows[max(0, index)]
        let total = (window.legacy.requests + window.candidate.requests) / max(1, stretch.routers)
        let candidate = random.successes(total, stretch.share)
        return ServiceWindow(
            legacy: Self.drawn(total - candidate, like: window.legacy, &random),
            candidate: Self.drawn(candidate, like: window.candidate, &random)
        )
    }

    func read(_ source: Source, in environment: String, from: Timestamp, _ random: inout SplitMix) -> SourceAnswer? {
        guard let windows = readings[environment], !windows.isEmpty else { return nil }
        let index = Int((from - start).rawValue / max(1, length.rawValue)) % windows.count
        return windows[max(0, index)][source.name].map { SourceAnswer(reading: $0, after: .milliseconds(100)) }
    }

    private static func drawn(_ requests: Int, like seen: Counts, _ random: inout SplitMix) -> Counts {
        var counts = Counts()
        func share(_ part: Int, _ whole: Int) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
        counts.requests = requests
        counts.errors = random.successes(requests, share(seen.errors, seen.requests))
        counts.timeouts = random.successes(requests - counts.errors, share(seen.timeouts, seen.requests))
        let lookups = random.successes(requests, share(seen.cacheHits + seen.cacheMisses, seen.requests))
        counts.cacheHits = random.successes(lookups, share(seen.cacheHits, seen.cacheHits + seen.cacheMisses))
        counts.cacheMisses = lookups - counts.cacheHits
        counts.compared = random.successes(requests, share(seen.compared, seen.requests))
        counts.different = random.successes(counts.compared, share(seen.different, seen.compared))
        counts.probesUp = seen.probesUp
        counts.probesDown = seen.probesDown
        // As many users for each request as there were.
        counts.users = min(requests, Int((Double(requests) * share(seen.users, seen.requests)).rounded(.up)))
        counts.usersWithErrors = random.successes(counts.users, share(seen.usersWithErrors, seen.users))
        counts.usersWithTimeouts = random.successes(counts.users, share(seen.usersWithTimeouts, seen.users))
        counts.latency = random.draws(requests, from: seen.latency)
        return counts
    }
}
