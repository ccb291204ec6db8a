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
                return Source(
                    name: "\(service.name)_\(what)",
                    url: address,
                    // A counter that has counted nothing yet may not be there; whether there is data at all, the whole says.
                    query: .prometheus(value: "\(part) or vector(0)", of: whole(index, service)),
                    unit: .ratio,
                    isBadWhenHigh: true,
                    timeout: .seconds(5)
                )
            }
        }
    }

    var text: String { PlanFile.render(sources: sources) }

    private func part(_ index: Int, _ service: Service, isErrors: Bool) -> String? {
        switch kind {
        case .gateway: sum("migrate_\(isErrors ? "errors" : "timeouts")_total", gateway(service))
        case .haproxy:
            // 504 is among the 5xx, and HAProxy does not count it apart.
            isErrors
                ? sum("haproxy_backend_http_responses_total", "proxy=\"\(index).{implementation}\",code=\"5xx\"") : nil
        case .envoy:
            isErrors
                ? sum(
                    "envoy_cluster_{implementation}_upstream_rq_xx",
                    "\(cluster(index)),envoy_response_code_class=\"5\""
                )
                : sum("envoy_cluster_{implementation}_upstream_rq_timeout", cluster(index))
        }
    }

    private func whole(_ index: Int, _ service: Service) -> String {
        switch kind {
        case .gateway: sum("migrate_requests_total", gateway(service))
        case .haproxy: sum("haproxy_backend_http_responses_total", "proxy=\"\(index).{implementation}\"")
        case .envoy: sum("envoy_cluster_{implementation}_upstream_rq_completed", cluster(index))
        }
    }

    private func gateway(_ service: Service) -> String {
        "migration=\"\(plan.name)\",environment=\"{environment}\",service=\"\(service.name)\",implementation=\"{implementation}\""
    }

    /// Envoy takes a cluster's name up to its first dot for the name, and the rest for a part of the metric's.
    private func cluster(_ index: Int) -> String { "envoy_cluster_name=\"\(index)\"" }

    private func sum(_ name: String, _ labels: String) -> String { "sum(increase(\(name){\(labels)}[{window}]))" }
}
