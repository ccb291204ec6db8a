import AsyncHTTPClient
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOSSL
import TestSupport
import Testing

/// A candidate that is reached over TLS, beside a legacy that is not.
enum SecureUpstream: CaseIterable {
    /// Its certificate is trusted, and has its name.
    case trusted
    /// The same, and it speaks the newest version of TLS alone, legacy over TLS too, and the plan writes the name in capitals.
    case newest
    /// Somebody else's certificates are trusted.
    case stranger
    /// Its certificate is trusted, and for another name.
    case elsewhere

    func staged(
        host: String = "localhost",
        _ body: (_ plan: Plan, _ trust: URL, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let certificate = try TestCertificate(
            self == .elsewhere ? "DNS:elsewhere.test,IP:127.0.0.2" : "DNS:localhost,IP:127.0.0.1"
        )
        let stranger = try TestCertificate()
        let least = self == .newest ? TLSVersion.tlsv13 : .tlsv12
        let legacy = try await TestUpstream(
            .answers("legacy"),
            certificate: self == .newest ? certificate : nil,
            least: least
        )
        let candidate = try await TestUpstream(.answers("candidate"), certificate: certificate, least: least)
        var plan = TestRoutes.plan(legacy: legacy.port, candidate: candidate.port)
        let written = self == .newest ? host.uppercased() : host
        plan.services[0].candidate = "https://\(written):\(candidate.port)"
        if self == .newest { plan.services[0].legacy = "https://\(written):\(legacy.port)" }
        try await body(plan, self == .stranger ? stranger.chain : certificate.chain, candidate)
        await legacy.close()
        await candidate.close()
        certificate.remove()
        stranger.remove()
    }

    private var isTrusted: Bool { self == .trusted || self == .newest }

    /// Sends it requests through a data plane: it gets them, and is found to be up, only where it is who it should be.
    func check(_ plane: some TestPlane, trust: URL, _ candidate: TestUpstream) async throws {
        let routes = TestRoutes()
        try await plane.follow(routes, trust: trust) {
            try await routes.untilMeasuring()
            #expect(try await SteadyLoad.side(plane.url, user: "u") == "legacy")
            routes.route(TestRoutes.table(1, .all))
            try await eventually("revision 1") { routes.acknowledged == [1] }
            for _ in 0..<3 {
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: plane.url + "/a"),
                    timeout: .seconds(5)
                )
                let text = String(buffer: try await response.body.collect(upTo: 10_000))
                #expect((response.status.code < 500) == isTrusted)
                #expect(text.hasPrefix("candidate") == isTrusted)
            }
            let isNumeric = Address(plane.plan.services[0].candidate)?.isNumeric ?? false
            #expect(Set(candidate.names.map { $0.lowercased() }) == [isNumeric ? "" : "localhost"])
            #expect(candidate.requests == (isTrusted ? 3 : 0))
            func total(_ implementation: Implementation) -> Counts {
                routes.signals.reduce(Counts()) { $0 + $1.services[0][implementation] }
            }
            try await eventually("all to be measured") {
                total(.candidate).requests == 3 && total(.candidate).probesUp + total(.candidate).probesDown > 2
            }
            #expect(total(.candidate).errors == (isTrusted ? 0 : 3))
            #expect((total(.candidate).probesUp > 0) == isTrusted)
            #expect(total(.legacy).probesUp > 0)
        }
    }
}
