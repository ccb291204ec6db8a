import ArgumentParser
package import Gateway
import MigrationCore

/// What a gateway bears of its clients and asks of services.
package struct GatewayLimits: ParsableArguments {
    @Option(help: "How many clients may be connected.") var mostClients: Int = 10_000
    @Option(help: "The largest request body, in bytes.") var largestBody: Int = 10 * 1_024 * 1_024
    @Option(help: "How long a request's head may take.") var headTimeout: DurationArgument = .init(seconds: 10)
    @Option(help: "How long a client may be silent in the middle of a body.")
    var bodyTimeout: DurationArgument = .init(seconds: 30)
    @Option(help: "How long a client may be silent between two requests.")
    var idleTimeout: DurationArgument = .init(seconds: 75)
    @Option(help: "How long a connection to a service may take.")
    var connectTimeout: DurationArgument = .init(seconds: 2)
    @Option(help: "How many connections to one address are made, for each thread.") var mostConnections: Int = 512
    @Option(help: "How many idle ones of those are kept, for each thread.") var keptConnections: Int = 64
    @Option(help: "How long; less than the service keeps them.")
    var keepFor: DurationArgument = .init(seconds: 4)
    @Option(help: "After so many failures in a row a service's address is left alone for a second; 0 never.")
    var breaker: Int = 20
    @Option(
        help:
            "How long requests under way may go on after a stop; else the longest time limit of the plan, and ten seconds at least."
    )
    var drainTimeout: DurationArgument?

    package init() {}

    package func validate() throws {
        let counts = [("most-clients", mostClients, 1), ("largest-body", largestBody, 0), ("breaker", breaker, 0)]
        let connections = [("most-connections", mostConnections, 1), ("kept-connections", keptConnections, 0)]
        for (name, count, least) in counts + connections where count < least {
            throw ValidationError("--\(name) is at least \(least)")
        }
        let spans = [
            ("head-timeout", headTimeout), ("body-timeout", bodyTimeout), ("idle-timeout", idleTimeout),
            ("connect-timeout", connectTimeout), ("keep-for", keepFor), ("drain-timeout", drainTimeout),
        ]
        for (name, value) in spans {
            guard let span = value?.span, span <= .zero || span > .hours(24) else { continue }
            throw ValidationError("--\(name) is more than nothing and at most a day")
        }
    }

    package func apply(to settings: inout GatewaySettings) {
        settings.mostClients = mostClients
        settings.largestBody = largestBody
        settings.headTimeout = headTimeout.span
        settings.bodyTimeout = bodyTimeout.span
        settings.idleTimeout = idleTimeout.span
        settings.connectTimeout = connectTimeout.span
        settings.mostUpstreamConnections = mostConnections
        settings.keptUpstreamConnections = keptConnections
        settings.upstreamIdleTimeout = keepFor.span
        settings.breakerFailures = breaker
        settings.drainTimeout = drainTimeout?.span ?? settings.drainTimeout
    }
}
