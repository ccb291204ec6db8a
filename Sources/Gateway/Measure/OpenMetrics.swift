package import MigrationCore
package import Routing
import Signals

/// What a router counts, in the OpenMetrics text format (version 1.0.0): counters end in `_total`, times are in seconds, and the text ends in `# EOF`.
package struct OpenMetrics {
    package static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private let plan: Plan
    private let router: String
    private let environment: String
    private var text = ""

    /// - Parameter router: the name in the log.
    package init(plan: Plan, router: String, environment: String) {
        self.plan = plan
        self.router = router
        self.environment = environment
    }

    /// - Parameters:
    ///   - table: what is in force; nil before the first.
    ///   - upstreams: by address.
    ///   - dropped: lines of the access log.
    static func render(
        plan: Plan,
        settings: GatewaySettings,
        table: RouteTable?,
        traffic: TrafficRecord,
        upstreams: [String: Loops.Condition],
        dropped: Int64
    ) -> String {
        var metrics = OpenMetrics(plan: plan, router: settings.name, environment: settings.environment)
        metrics.services(traffic.meter)
        metrics.routes(table)
        metrics.family("migrate_gateway_requests_under_way", "gauge", "Requests that are not answered yet.")
        metrics.sample("migrate_gateway_requests_under_way", [:], "\(traffic.underWay)")
        metrics.family("migrate_gateway_clients", "gauge", "Clients that are connected.")
        metrics.sample("migrate_gateway_clients", [:], "\(traffic.clientsConnected)")
        for (name, help, value) in [
            ("clients_turned_away", "Clients that found no room.", traffic.clientsTurnedAway),
            ("requests_refused", "Requests that were answered by the gateway itself.", traffic.requestsRefused),
            ("fallbacks", "Requests that the candidate failed and legacy answered.", traffic.requestsFallenBack),
            ("requests_forced", "Requests for which people asked for a side; in no window.", traffic.requestsForced),
            ("access_log_dropped", "Lines that the access log did not take.", dropped),
        ] {
            metrics.family("migrate_gateway_\(name)", "counter", help)
            metrics.sample("migrate_gateway_\(name)_total", [:], "\(value)")
        }
        metrics.family("migrate_gateway_upstream_connections", "gauge", "Connections to an address.")
        for (address, condition) in upstreams.sorted(by: { $0.key < $1.key }) {
            metrics.sample("migrate_gateway_upstream_connections", ["address": address], "\(condition.connections)")
        }
        metrics.family(
            "migrate_gateway_connect_failures",
            "counter",
            "Connections to an address that did not come about."
        )
        for (address, condition) in upstreams.sorted(by: { $0.key < $1.key }) {
            metrics.sample("migrate_gateway_connect_failures_total", ["address": address], "\(condition.failures)")
        }
        metrics.family("migrate_gateway_breakers_open", "gauge", "Threads that leave an address alone.")
        for (address, condition) in upstreams.sorted(by: { $0.key < $1.key }) {
            metrics.sample("migrate_gateway_breakers_open", ["address": address], "\(condition.openBreakers)")
        }
        return metrics.finished
    }

    /// The whole text, when nothing comes any more.
    package var finished: String { text + "# EOF\n" }

    private mutating func services(_ meter: Meter) {
        let all = plan.services.enumerated().flatMap { index, service in
            Implementation.allCases.map { side in
                (
                    labels: ["service": service.name, "implementation": side.rawValue],
                    totals: meter.totals(service: index, side)
                )
            }
        }
        let counters: [(String, String, (Totals) -> Int)] = [
            ("requests", "Requests that ended.", { $0.requests }),
            ("errors", "Requests that the service failed, but for those below.", { $0.errors }),
            ("timeouts", "Requests that were not answered in time.", { $0.timeouts }),
            ("cache_hits", "Answers that came from the service's cache.", { $0.cacheHits }),
            ("cache_misses", "Answers that did not.", { $0.cacheMisses }),
            (
                "given_up", "Requests whose client went away before there was any answer; none of those above.",
                { $0.givenUp }
            ),
        ]
        for (name, help, value) in counters {
            family("migrate_\(name)", "counter", help)
            for (labels, totals) in all { sample("migrate_\(name)_total", labels, "\(value(totals))") }
        }
        family("migrate_latency_seconds", "histogram", "From a request's head to the last byte of its answer.")
        for (labels, totals) in all {
            var sum = 0
            for (index, count) in totals.latencies.enumerated() {
                sum += count
                let bound = index < Totals.bounds.count ? "\(Double(Totals.bounds[index]) / 1e6)" : "+Inf"
                sample("migrate_latency_seconds_bucket", labels.merging(["le": bound]) { $1 }, "\(sum)")
            }
            sample("migrate_latency_seconds_count", labels, "\(totals.requests)")
            sample("migrate_latency_seconds_sum", labels, "\(Double(totals.latencySum.rawValue) / 1e6)")
        }
    }

    /// - Parameter table: what is in force; nil before the first.
    package mutating func routes(_ table: RouteTable?) {
        guard let table else { return }
        family("migrate_weight_ratio", "gauge", "The candidate's share of a service's traffic that is in force.")
        for service in plan.services {
            let share = Double(table.weight(of: service.name).rawValue) / 10_000
            sample("migrate_weight_ratio", ["service": service.name], "\(share)")
        }
        family("migrate_route_revision", "gauge", "The version of the commit that set the weights in force.")
        sample("migrate_route_revision", [:], "\(table.revision)")
    }

    package mutating func family(_ name: String, _ kind: String, _ help: String) {
        text += "# TYPE \(name) \(kind)\n# HELP \(name) \(help)\n"
    }

    package mutating func sample(_ name: String, _ labels: [String: String], _ value: String) {
        let own = ["migration": plan.name, "environment": environment, "router": router]
        let pairs = own.merging(labels) { $1 }.sorted { $0.key < $1.key }
        text += "\(name){\(pairs.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ","))} \(value)\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
