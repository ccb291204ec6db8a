import ArgumentParser
import DataPlanes
import Foundation
import MigrationCore

struct RouteConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract:
            "Writes a ready-made configuration of a data plane for a plan; until it is told otherwise, it serves legacy.",
        subcommands: [HAProxy.self]
    )

    struct HAProxy: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "haproxy",
            abstract: "HAProxy 2.6 or later: haproxy.cfg and route.map in a folder of their own.",
            discussion: """
                Example: migrate route config haproxy examples/recommendations.yaml --environment production \
                --listen 127.0.0.1:8080 --folder /var/lib/migrate/haproxy
                """
        )
        @OptionGroup var plan: PlanOptions
        @Option(help: "The environment that it serves.") var environment: String
        @Option(help: "Where clients are accepted.") var listen: ListenArgument
        @OptionGroup var haproxy: HAProxyOptions

        func run() throws {
            let plan = try plan.plan()
            guard plan.environments.contains(environment) else {
                throw Failure(
                    .refused,
                    "\(plan.name) has no environment “\(environment)”",
                    mend: "it has: \(plan.environments.joined(separator: ", "))"
                )
            }
            let folder = HAProxyFolder(haproxy.folder)
            let configuration = try HAProxyConfiguration(
                plan: plan,
                host: listen.host,
                port: listen.port,
                folder: folder,
                logPort: haproxy.logPort
            )
            do {
                try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
                try Data(configuration.map.utf8).write(to: folder.map, options: .atomic)
                try Data(configuration.text.utf8).write(to: folder.configuration, options: .atomic)
            } catch {
                throw Failure(.failed, "\(folder.url.path) cannot be written: \(error.localizedDescription)")
            }
            Output.line("wrote \(folder.configuration.path) and \(folder.map.path)")
            Output.line("next:")
            Output.line("  haproxy -f \(folder.configuration.path)")
            Output.line(
                "  migrate haproxy --migration \(plan.name) --environment \(environment) --folder \(folder.url.path)"
            )
        }
    }
}
