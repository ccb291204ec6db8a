import ArgumentParser
import DataPlanes
import Foundation
import MigrationCore

/// Which HTTPRoute, and where this program keeps what it has told.
struct KubernetesOptions: ParsableArguments {
    @Option(help: "The folder with the HTTPRoute to begin with, and what was told last.") var folder: String
    @Option(help: "The HTTPRoute's namespace.") var namespace = "default"
    @Option(help: "The HTTPRoute's name; else MIGRATION-ENVIRONMENT.") var route: String?

    func validate() throws {
        for (option, name) in [("--namespace", namespace), ("--route", route ?? "a")] {
            guard name.wholeMatch(of: /[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/) != nil else {
                throw ValidationError("\(option) is a name of Kubernetes, and is “\(name)”")
            }
        }
    }

    func place(_ migration: String, _ environment: String) -> KubernetesPlace {
        KubernetesPlace(namespace: namespace, name: route, migration: migration, environment: environment)
    }
}

struct KubernetesRun: AsyncParsableCommand {
    /// What a pod finds of its service account.
    private static let account = "/var/run/secrets/kubernetes.io/serviceaccount"

    static let configuration = CommandConfiguration(
        commandName: "kubernetes",
        abstract: "Has a Gateway of Kubernetes follow the log, by the weights of an HTTPRoute.",
        discussion: """
            The Gateway carries the requests; this changes the weights, only over what it has read, and acknowledges a route when every controller says that it
            has taken it and the Gateway shows it. What the Gateway does is measured by a counter of its own programs in a Prometheus; without --prometheus nothing
            is, and nothing advances by itself. In a pod the account's token and certificates are used, which may get and update that HTTPRoute; elsewhere
            `kubectl proxy` is a way.

            Example:
              migrate route config kubernetes plan.yaml --environment production --namespace shop --gateway web --folder /var/lib/migrate/kubernetes
              migrate kubernetes --migration recommendations --environment production --namespace shop --folder /var/lib/migrate/kubernetes --gateway-url http://web.shop --prometheus http://prometheus:9090 --counter 'gateway_requests_total{route="{service}",backend="{backend}"}' --code code
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(
        help:
            "A name of its own among the migration's routers, which no other process has; else kubernetes-ENVIRONMENT."
    ) var name: String?
    @OptionGroup var route: KubernetesOptions
    @Option(help: "Where clients reach the Gateway, http://HOST:PORT.") var gatewayURL: String
    @Option(help: "The Host to ask the Gateway for, where it serves several.") var gatewayHost: String?
    @Option(
        help:
            "How long the Gateway lets a connection to a service come about: a rollback to 0 is acknowledged so much later than it is in force, as no Gateway says which requests still wait for theirs."
    )
    var connectTimeout = DurationArgument(seconds: 10)
    @Option(help: "The API server; else the pod's.") var server: String?
    @Option(help: "The file with the bearer token; else the pod's, and none where --server is given.") var token:
        String?
    @Option(
        help:
            "The file with the certificates that the API server's is held against; else the pod's, or the system's where --server is given."
    )
    var authority: String?
    @Option(help: "The Prometheus that scrapes the Gateway's programs, http://HOST:PORT.") var prometheus: String?
    @Option(
        help:
            "The selector of the counter's series for one side of a service, with {backend}, {namespace}, {port}, {service}, {rule} and {implementation} to be filled in."
    )
    var counter: String?
    @Option(help: "The label that holds an answer's status, 503 or 5xx.") var code: String?
    @OptionGroup var follower: FollowerOptions

    func validate() throws {
        let together = [prometheus, counter, code].compactMap(\.self).count
        guard [0, 3].contains(together) else {
            throw ValidationError("--prometheus, --counter and --code belong together: give all of them, or none")
        }
        let urls = [
            ("--gateway-url", gatewayURL), ("--server", server ?? "https://in.the.pod"),
            ("--prometheus", prometheus ?? "http://not.asked"),
        ]
        guard connectTimeout.span > .zero, connectTimeout.span <= .minutes(10) else {
            throw ValidationError("--connect-timeout is more than nothing and at most ten minutes")
        }
        for (option, text) in urls {
            guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host != nil, url.path.isEmpty
            else { throw ValidationError("\(option) is http://HOST:PORT or https://HOST:PORT, and is “\(text)”") }
        }
    }

    private func access() throws -> KubernetesAccess {
        let gateway = (url: gatewayURL, host: gatewayHost)
        let token = token.map { URL(fileURLWithPath: $0) }
        let authority = authority.map { URL(fileURLWithPath: $0) }
        if let server { return KubernetesAccess(server: server, token: token, authority: authority, gateway: gateway) }
        let pod = ProcessInfo.processInfo.environment
        guard let host = pod["KUBERNETES_SERVICE_HOST"], let port = pod["KUBERNETES_SERVICE_PORT"] else {
            throw Failure(
                .refused,
                "this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set",
                mend: "say where the API server is: --server, with --token and --authority"
            )
        }
        return KubernetesAccess(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            token: token ?? URL(fileURLWithPath: "\(Self.account)/token"),
            authority: authority ?? URL(fileURLWithPath: "\(Self.account)/ca.crt"),
            gateway: gateway
        )
    }

    private var measured: GatewayCounter? {
        guard let prometheus, let counter, let code else { return nil }
        return GatewayCounter(
            address: prometheus,
            selector: counter,
            code: code,
            logger: Logs.logger("migrate.kubernetes")
        )
    }

    func run() async throws {
        let plane = KubernetesPlane(
            folder: KubernetesFolder(route.folder),
            place: route.place(migration, environment),
            access: try access(),
            connectTimeout: connectTimeout.span,
            counter: measured
        )
        try await PlaneRun(migration: migration, environment: environment, options: follower).run(
            plane,
            name: name ?? "kubernetes-\(environment)"
        )
    }
}
