import Hummingbird
import Logging
import MigrationCore
import NIOCore
import Routing

/// What a gateway says of itself to those who look after it: `GET /health`, `GET /routes`, `GET /metrics`, `GET /shadow`.
struct AdminAPI: Sendable {
    let settings: GatewaySettings
    let port: Int
    let keeper: RouteKeeper
    let traffic: TrafficRecord
    let plan: Plan
    let loops: Loops
    let accessLog: AccessLog?
    let shadow: ShadowCopier?
    let logger: Logger

    /// What `GET /routes` answers.
    struct Routes: ResponseEncodable {
        var router: String
        var environment: String
        var table: RouteTable?
        var legacyRequests: Int64
        var candidateRequests: Int64
        var candidateRequestsSinceAcknowledgement: Int64
        /// Microseconds since 1970; 0 never.
        var lastCandidateAt: Int64
        var underWay: Int64
    }

    func application() -> some ApplicationProtocol {
        let router = Hummingbird.Router()
        router.get("health") { _, _ in "ok\n" }
        router.get("routes") { _, _ in
            Routes(
                router: settings.name,
                environment: settings.environment,
                table: await keeper.table,
                legacyRequests: traffic.legacyRequests,
                candidateRequests: traffic.candidateRequests,
                candidateRequestsSinceAcknowledgement: traffic.candidateRequestsSinceAcknowledgement,
                lastCandidateAt: traffic.lastCandidateAt,
                underWay: traffic.underWay
            )
        }
        router.get("metrics") { _, _ in
            let text = OpenMetrics.render(
                plan: plan,
                settings: settings,
                table: await keeper.table,
                traffic: traffic,
                upstreams: await loops.conditions(),
                dropped: accessLog?.dropped ?? 0
            )
            return Response(
                status: .ok,
                headers: [.contentType: OpenMetrics.contentType],
                body: .init(byteBuffer: ByteBuffer(string: text))
            )
        }
        router.get("shadow") { _, _ -> ShadowCopier.Report in
            guard let shadow else { throw HTTPError(.notFound, message: "the plan compares no answers") }
            return await shadow.report
        }
        var quiet = logger
        quiet.logLevel = .warning
        return Application(
            router: router,
            configuration: .init(address: .hostname(settings.adminHost, port: port)),
            logger: quiet
        )
    }
}

extension ShadowCopier.Report: ResponseEncodable {}
