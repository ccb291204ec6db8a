import Gateway
import Hummingbird
import Logging
import MigrationCore
import NIOCore
import ServiceLifecycle

/// What a data plane's follower says of itself: `GET /health`, 503 with the reason where the data plane cannot be asked or told, and `GET /metrics`.
struct PlaneAdmin: ServiceLifecycle.Service {
    let name: String
    let environment: String
    let listen: Address
    let record: PlaneRecord
    let keeper: PlaneKeeper
    let logger: Logger

    func run() async throws {
        let router = Router()
        router.get("health") { [record] _, _ -> Response in
            let fault = record.fault
            return Response(
                status: fault == nil ? .ok : .serviceUnavailable,
                headers: [.contentType: "text/plain; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: "\(fault ?? "ok")\n"))
            )
        }
        router.get("metrics") { [self] _, _ -> Response in
            let text = record.text(router: name, environment: environment, table: await keeper.table)
            return Response(
                status: .ok,
                headers: [.contentType: OpenMetrics.contentType],
                body: .init(byteBuffer: ByteBuffer(string: text))
            )
        }
        var quiet = logger
        quiet.logLevel = .warning
        try await Application(
            router: router,
            configuration: .init(address: .hostname(listen.host, port: listen.port)),
            logger: quiet
        ).run()
    }
}
