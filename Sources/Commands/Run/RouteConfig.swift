import ArgumentParser
import DataPlanes
import Foundation
import MigrationCore

struct RouteConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract:
            "Writes a ready-made configuration of a data plane for a plan; until it is told otherwise, it serves legacy.",
        subcommands: [HAProxy.self, Envoy.self, Nginx.self, Etcd.self, Kubernetes.self]
    )

    /// What every data plane has to be told.
    struct Place: ParsableArguments {
        @OptionGroup var plan: PlanOptions
        @Option(help: "The environment that it serves.") var environment: String

        /// The plan, which has the environment.
        func checked() throws -> Plan {
            let plan = try plan.plan()
            guard plan.environments.contains(environment) else {
                throw Failure(
                    .refused,
                    "\(plan.name) has no environment “\(environment)”",
                    mend: "it has: \(plan.environments.joined(separator: ", "))"
                )
            }
            return plan
        }

        /// What has to be there besides: the certificates by which services are checked, where they are reached over TLS.
        func missing(_ trust: UpstreamTrustOptions, _ plan: Plan) -> [String] {
            let file = (trust.file ?? PlaneTrust.system).path
            let isSecure = plan.services.contains { [$0.legacy, $0.candidate].contains { $0.hasPrefix("https:") } }
            guard isSecure, !FileManager.default.isReadableFile(atPath: file) else { return [] }
            return ["put the certificates to trust into \(file), which is not there yet (--trust names another file)"]
        }

        /// Writes the files, and says what comes next.
        func write(_ files: [PlaneFile], then next: [String]) throws {
            for file in files {
                do {
                    try file.write()
                } catch {
                    throw Failure(.failed, "\(file.url.path) cannot be written: \(error.localizedDescription)")
                }
            }
            Output.line("wrote \(files.map(\.url.path).joined(separator: ", "))")
            Output.line("next:")
            for line in next { Output.line("  \(line)") }
        }
    }

    struct HAProxy: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "haproxy",
            abstract: "HAProxy 2.6 or later: haproxy.cfg and route.map in a folder of their own.",
            discussion: """
                Example: migrate route config haproxy examples/recommendations.yaml --environment production \
                --listen 127.0.0.1:8080 --folder /var/lib/migrate/haproxy
                """
        )
        @OptionGroup var place: Place
        @Option(help: "Where clients are accepted.") var listen: ListenArgument
        @OptionGroup var haproxy: LoggedPlaneOptions
        @Option(help: "Where a Prometheus is answered at /metrics; nowhere without it.") var scrape: ListenArgument?
        @OptionGroup var trust: UpstreamTrustOptions

        func run() throws {
            let plan = try place.checked()
            let folder = HAProxyFolder(haproxy.folder)
            let configuration = try HAProxyConfiguration(
                plan: plan,
                host: listen.host,
                port: listen.port,
                folder: folder,
                logPort: haproxy.logPort,
                scrape: scrape?.address,
                trust: trust.file ?? PlaneTrust.system
            )
            try place.write(
                configuration.files,
                then: place.missing(trust, plan) + [
                    "haproxy -f \(folder.configuration.path)",
                    "migrate haproxy --migration \(plan.name) --environment \(place.environment) --folder \(folder.url.path)\(trust.text)",
                ]
            )
        }
    }

    struct Nginx: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "nginx",
            abstract:
                "nginx 1.22 or later: nginx.conf, routes.conf and a program that starts it, in a folder of their own.",
            discussion: """
                Each change is a reload, which costs what a reload costs: docs/reference.md says how much.

                Example: migrate route config nginx examples/recommendations.yaml --environment production \
                --listen 127.0.0.1:8080 --folder /var/lib/migrate/nginx
                """
        )
        @OptionGroup var place: Place
        @Option(help: "Where clients are accepted.") var listen: ListenArgument
        @OptionGroup var nginx: LoggedPlaneOptions
        @OptionGroup var trust: UpstreamTrustOptions

        func run() throws {
            let plan = try place.checked()
            let folder = NginxFolder(nginx.folder)
            let configuration = try NginxConfiguration(
                plan: plan,
                host: listen.host,
                port: listen.port,
                folder: folder,
                logPort: nginx.logPort,
                trust: trust.file ?? PlaneTrust.system
            )
            try place.write(
                configuration.files,
                then: place.missing(trust, plan) + [
                    folder.start.path,
                    "migrate nginx --migration \(plan.name) --environment \(place.environment) --folder \(folder.url.path)\(trust.text)",
                ]
            )
        }
    }

    struct Envoy: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "envoy",
            abstract:
                "Envoy: envoy.json, routes.json and a program that starts it, in a folder of their own.",
            discussion: """
                Example: migrate route config envoy examples/recommendations.yaml --environment production \
                --listen 127.0.0.1:8080 --folder /var/lib/migrate/envoy
                """
        )
        @OptionGroup var place: Place
        @Option(help: "Where clients are accepted.") var listen: ListenArgument
        @OptionGroup var envoy: EnvoyOptions
        @Option(help: "Where a Prometheus is answered at /stats/prometheus; nowhere without it.")
        var scrape: ListenArgument?
        @OptionGroup var trust: UpstreamTrustOptions

        func run() throws {
            let plan = try place.checked()
            for (name, value) in [("admin", envoy.admin), ("scrape", scrape)] {
                guard let value, !value.address.isNumeric else { continue }
                throw Failure(
                    .refused,
                    "Envoy binds to an IP address, and --\(name) is \(value.host)",
                    mend: "give its address, such as 10.0.0.7:\(value.port)"
                )
            }
            let folder = envoy.place
            let configuration = try EnvoyConfiguration(
                plan: plan,
                host: listen.host,
                port: listen.port,
                folder: folder,
                discovery: envoy.discovery?.address,
                scrape: scrape?.address,
                trust: trust.file ?? PlaneTrust.system
            )
            let rest = [("discovery", envoy.discovery), ("admin", envoy.admin)].compactMap { name, value in
                value.map { " --\(name) \($0.host):\($0.port)" }
            }
            try place.write(
                configuration.files(),
                then: place.missing(trust, plan) + [
                    envoy.discovery == nil ? folder.start.path : "envoy -c \(folder.configuration.path)",
                    "migrate envoy --migration \(plan.name) --environment \(place.environment) --folder \(folder.url.path)\(rest.joined())\(trust.text)",
                ]
            )
        }
    }

    struct Etcd: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "etcd",
            abstract:
                "Services that resolve their peers themselves by a key in etcd: resolver.json, which says by which.",
            discussion: """
                What a resolver has to do is in docs/reference.md.

                Example: migrate route config etcd examples/recommendations.yaml --environment production --folder /var/lib/migrate/etcd
                """
        )
        @OptionGroup var place: Place
        @OptionGroup var etcd: EtcdOptions

        func run() throws {
            let plan = try place.checked()
            let folder = EtcdFolder(etcd.log.folder)
            let configuration = try EtcdConfiguration(
                plan: plan,
                environment: place.environment,
                endpoint: etcd.endpoint,
                keys: etcd.keys(plan.name, place.environment),
                logPort: etcd.log.logPort
            )
            try place.write(
                [PlaneFile(folder.configuration, configuration.text())],
                then: [
                    "start each resolver with \(folder.configuration.path)",
                    "migrate etcd --migration \(plan.name) --environment \(place.environment) --folder \(folder.url.path) --endpoint \(etcd.endpoint)",
                ]
            )
        }
    }

    struct Kubernetes: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "kubernetes",
            abstract: "A Gateway of Kubernetes (gateway.networking.k8s.io/v1): httproute.json, for kubectl apply.",
            discussion: """
                The plan's addresses are services of the cluster, such as http://NAME.NAMESPACE:PORT. Users do not stay where they are.

                Example: migrate route config kubernetes plan.yaml --environment production --namespace shop --gateway web --folder /var/lib/migrate/kubernetes
                """
        )
        @OptionGroup var place: Place
        @OptionGroup var route: KubernetesOptions
        @Option(help: "The Gateway that the HTTPRoute belongs to, in its namespace.") var gateway: String

        func run() throws {
            let plan = try place.checked()
            let folder = KubernetesFolder(route.folder)
            let configuration = try KubernetesConfiguration(
                plan: plan,
                place: route.place(plan.name, place.environment),
                gateway: gateway
            )
            let name = route.route.map { " --route \($0)" } ?? ""
            try place.write(
                [PlaneFile(folder.manifest, configuration.text())],
                then: [
                    "kubectl apply -f \(folder.manifest.path)",
                    "migrate kubernetes --migration \(plan.name) --environment \(place.environment) --namespace \(route.namespace)\(name) --folder \(folder.url.path) --gateway-url http://GATEWAY",
                ]
            )
        }
    }
}
