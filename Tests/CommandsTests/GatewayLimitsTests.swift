import ArgumentParser
import Commands
import Foundation
import Gateway
import MigrationCore
import Testing

@Suite("The gateway's limits on the command line")
struct GatewayLimitsTests {
    private static let values: [(option: String, value: String, setting: @Sendable (GatewaySettings) -> String)] = [
        ("--most-clients", "11", { "\($0.mostClients)" }), ("--largest-body", "12", { "\($0.largestBody)" }),
        ("--head-timeout", "13s", { "\($0.headTimeout)" }), ("--body-timeout", "14s", { "\($0.bodyTimeout)" }),
        ("--idle-timeout", "15s", { "\($0.idleTimeout)" }), ("--connect-timeout", "16s", { "\($0.connectTimeout)" }),
        ("--most-connections", "17", { "\($0.mostUpstreamConnections)" }),
        ("--kept-connections", "18", { "\($0.keptUpstreamConnections)" }),
        ("--keep-for", "19s", { "\($0.upstreamIdleTimeout)" }), ("--breaker", "20", { "\($0.breakerFailures)" }),
        ("--drain-timeout", "21s", { $0.drainTimeout.map { "\($0)" } ?? "" }),
    ]

    private func settings(_ arguments: [String]) throws -> GatewaySettings {
        var settings = GatewaySettings(
            name: "g",
            environment: "p",
            host: "h",
            port: 1,
            adminPort: nil,
            stateFile: URL(fileURLWithPath: "/s")
        )
        try GatewayLimits.parse(arguments).apply(to: &settings)
        return settings
    }

    @Test("each is its own setting")
    func each() throws {
        let all = try settings(Self.values.flatMap { [$0.option, $0.value] })
        for (option, value, setting) in Self.values { #expect(setting(all) == value, "\(option)") }
    }

    @Test("one that is not given is as the gateway has it")
    func none() throws {
        let given = try settings([])
        let own = GatewaySettings(
            name: "g",
            environment: "p",
            host: "h",
            port: 1,
            adminPort: nil,
            stateFile: URL(fileURLWithPath: "/s")
        )
        for (option, _, setting) in Self.values { #expect(setting(given) == setting(own), "\(option)") }
    }

    @Test("one that makes no sense is refused", arguments: ["--most-clients=0", "--keep-for=0s", "--head-timeout=25h"])
    func refused(_ argument: String) {
        #expect(throws: (any Error).self) { try settings([argument]) }
    }
}
