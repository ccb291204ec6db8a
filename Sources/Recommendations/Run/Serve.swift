import ArgumentParser
import Foundation
import Postgres

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the four operations over the callable protocol.",
        discussion: """
            Every setting comes from the command line, else from the environment (RECOMMENDATIONS_PORT), else from the file, else it is the usual one; \
            --print-config prints them all with where they came from.
            Example: recommendations --implementation candidate --port 9201 --admin-port 9202 --database postgresql:///jobs \
            --token-keys file:///var/lib/issuer/certificates.json
            """
    )
    @Option(help: "legacy or candidate.") var implementation: String?
    @Option(help: "The address to listen on.") var host: String?
    @Option(help: "The port to listen on.") var port: String?
    @Option(help: "The port of /metrics, of the cache's invalidations and of a rehearsal's switches.") var adminPort:
        String?
    @Option(help: "A libpq connection string or URI.") var database: String?
    @Option(help: "The project whose ID tokens are taken.") var project: String?
    @Option(help: "Where the keys of ID tokens are: https://, http:// or file://.") var tokenKeys: String?
    @Option(help: "Legacy: how long every answer takes, in milliseconds.") var delay: String?
    @Option(help: "Legacy: how many of a thousand requests run into the time limit.") var timeouts: String?
    @Option(help: "Legacy: its time limit, in milliseconds.") var timeLimit: String?
    @Option(help: "Any setting: NAME=VALUE.") var set: [String] = []
    @Option(help: "A YAML file of settings.") var config: String?
    @Flag(help: "Prints the settings and ends.") var printConfig = false

    func run() async throws {
        let settings: ServiceSettings
        let configuration: Configuration
        do throws(ConfigurationFault) {
            configuration = try Configuration(
                options: try options(),
                environment: ProcessInfo.processInfo.environment,
                file: config
            )
            if printConfig {
                print(configuration.printed, terminator: "")
                return
            }
            settings = try ServiceSettings(configuration)
        } catch {
            throw ValidationError(error.description)
        }
        OpenFiles.raiseLimit()
        try await RecommendationsServer(settings).run()
    }

    private func options() throws(ConfigurationFault) -> [String: String] {
        let named = [
            ("implementation", implementation), ("host", host), ("port", port), ("admin-port", adminPort),
            ("database", database), ("project", project), ("token-keys", tokenKeys), ("delay", delay),
            ("timeouts", timeouts), ("time-limit", timeLimit),
        ]
        var options = Dictionary(named.compactMap { name, value in value.map { (name, $0) } }) { first, _ in first }
        for setting in set {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { throw ConfigurationFault("--set \(setting): must be NAME=VALUE") }
            options[parts[0]] = parts[1]
        }
        return options
    }
}
