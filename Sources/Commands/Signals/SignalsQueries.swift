import ArgumentParser
import DataPlanes
import MigrationCore
import PlanFile

struct SignalsQueries: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queries",
        abstract: "Prints sources for a plan: ready queries of a Prometheus that scrapes a data plane.",
        discussion: """
            What a Prometheus knows comes as late as it scrapes, and a window needs at least two scrapes: what has to be fast is better counted by the router
            itself.

            Example: migrate signals queries envoy examples/recommendations.yaml --prometheus http://127.0.0.1:9090
            """
    )

    @Argument(help: "gateway, haproxy or envoy.") var kind: PrometheusQueries.Kind
    @OptionGroup var plan: PlanOptions
    @Option(help: "The Prometheus's address.") var prometheus: String

    func run() throws {
        Output.line(PrometheusQueries(plan: try plan.plan(), kind: kind, address: prometheus).text)
    }
}

/// Ready queries for what data planes let a Prometheus scrape, as sources of a plan.
struct PrometheusQueries {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case gateway, haproxy, envoy }

    let plan: Plan
    let kind: Kind
    let address: String

    /// A part and a whole for each service.
    var sources: [Source] {
        plan.services.enumerated().flatMap { index, service in
            [("errors", true), ("timeouts", false)].compactMap { what, isErrors -> Source? in
                guard let part = part(index, service, isErrors: isErrors) else { return nil }
                let whole = whole(index, service)
                return Source(
                    name: "\(service.name)_\(what)",
                    url: address,
                    query: .prometheus(value: Self.count(part: part, of: whole), of: Self.count(whole)),
                    unit: .ratio,
                    isBadWhenHigh: true,
                    timeout: .seconds(5)
                )
            }
        }
    }

    var text: String { labels + PlanFile.render(sources: sources) }

    /// How the Prometheus comes to know whose each data plane is; the gateway says that itself.
    private var labels: String {
        let path: String
        switch kind {
        case .gateway: return ""
        case .haproxy: path = "/metrics"
        case .envoy: path = "/stats/prometheus"
        }
        let environments = plan.environments.map { environment in
            "#         - { targets: [HOST:PORT], labels: { migration: \"\(plan.name)\", environment: \"\(environment)\" } }\n"
        }
        return """
            # The Prometheus has to know whose each data plane is:
            #   scrape_configs:
            #     - job_name: \(kind.rawValue)
            #       metrics_path: \(path)
            #       static_configs:
            \(environments.joined())
            """
    }

    /// How much of a counter came in a window, by the program that counts; one that began anew, and counts less than before, is left out, and
    /// so is one that was not scraped before the window.
    private static func counts(_ counter: String) -> String {
        "(sum by(instance) (\(counter)) - sum by(instance) (\(counter) offset {window})) >= 0"
    }

    private static func count(_ counter: String) -> String { "sum(\(counts(counter)))" }

    /// The same of what is a part of another counter, and may not be there before it has counted something for the first time: 0 then; of
    /// programs whose whole is counted alone.
    private static func count(part: String, of whole: String) -> String {
        let before = "(sum by(instance) (\(part) offset {window}) or 0 * sum by(instance) (\(whole) offset {window}))"
        let counts = "(sum by(instance) (\(part)) - \(before)) >= 0"
        return "sum((\(counts)) and on(instance) (\(Self.counts(whole)))) or vector(0)"
    }

    private func part(_ index: Int, _ service: Service, isErrors: Bool) -> String? {
        switch kind {
        case .gateway: "migrate_\(isErrors ? "errors" : "timeouts")_total{\(gateway(service))}"
        case .haproxy:
            // 504 is among the 5xx, and HAProxy does not count it apart.
            isErrors ? "haproxy_backend_http_responses_total{\(proxy(index)),code=\"5xx\"}" : nil
        case .envoy:
            isErrors
                ? "envoy_cluster_{implementation}_upstream_rq_xx{\(cluster(index)),envoy_response_code_class=\"5\"}"
                : "envoy_cluster_{implementation}_upstream_rq_timeout{\(cluster(index))}"
        }
    }

    private func whole(_ index: Int, _ service: Service) -> String {
        switch kind {
        case .gateway: "migrate_requests_total{\(gateway(service))}"
        case .haproxy: "haproxy_backend_http_responses_total{\(proxy(index))}"
        case .envoy: "envoy_cluster_{implementation}_upstream_rq_completed{\(cluster(index))}"
        }
    }

    private var whose: String { "migration=\"\(plan.name)\",environment=\"{environment}\"" }

    private func gateway(_ service: Service) -> String {
        "\(whose),service=\"\(service.name)\",implementation=\"{implementation}\""
    }

    private func proxy(_ index: Int) -> String { "\(whose),proxy=\"\(index).{implementation}\"" }

    /// Envoy takes a cluster's name up to its first dot for the name, and the rest for a part of the metric's.
    private func cluster(_ index: Int) -> String { "\(whose),envoy_cluster_name=\"\(index)\"" }
}
