import Foundation
import Gateway
import MigrationCore
import Routing
import TestSupport
import Testing

@Suite("What a router begins with")
struct GatewayHeadTests {
    @Test(
        "what is kept of another environment or migration is refused before anybody is served by it",
        arguments: [("shop", "staging"), ("other", "production")]
    )
    func foreign(_ migration: String, _ environment: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "head-\(UUID().uuidString.prefix(8))"
        )
        defer { try? FileManager.default.removeItem(at: folder) }
        let table = RouteTable(
            logID: "l",
            migration: migration,
            environment: environment,
            revision: 12,
            hash: "00",
            weights: ["a": .all]
        )
        let state = folder.appendingPathComponent("state.json")
        try RouteStore(file: state).write(RouteStore.Kept(plan: SamplePlan.plan(), table: table))
        let own = ["--migration", "shop", "--environment", "production"]
        for rest in [
            ["gateway", "--listen", "127.0.0.1:0", "--state", state.path],
            ["haproxy", "--folder", folder.path],
        ] {
            if rest[0] == "haproxy" {
                // Where its follower keeps it.
                try? FileManager.default.copyItem(at: state, to: folder.appendingPathComponent("route.json"))
            }
            let result = try Program.run([rest[0]] + own + rest.dropFirst(), database: "host=/nowhere")
            #expect(result.code == 3, "\(result.text)")
            #expect(result.text.contains("is of \(migration) in \(environment)"), "\(result.text)")
        }
    }
}
