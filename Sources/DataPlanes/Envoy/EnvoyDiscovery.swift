import Foundation
import HTTPTypes
import Hummingbird
package import Logging
package import MigrationCore
import NIOCore
package import Routing
import ServiceLifecycle
import Synchronization
import TimeLimits

/// Gives an Envoy its routes when it asks for them, by REST: `POST /v3/discovery:routes` with the version that it has is answered as soon as there is another, or
/// by 304 when there was none for a while.
///
/// What it gives is what the folder's file says, so that a program that begins anew gives what was told last, and legacy before anybody was told anything.
///
/// Source: `https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol`, the REST-JSON polling subscriptions.
package final class EnvoyDiscovery: ServiceLifecycle.Service {
    /// How long one waits that has just refused what there is.
    private static let pause = Duration.seconds(1)

    private struct State {
        var version = ""
        var routes: [UInt8] = []
        /// The version that was given last, and what Envoy had by then; nil once it has said anything else.
        var given: (version: String, has: String)?
        /// Whether Envoy was given the version that there is, and asked again without having it.
        var isRefused = false
        var waiting: [UUID: CheckedContinuation<Void, Never>] = [:]
        var isOver = false
    }

    private let folder: EnvoyFolder
    private let listen: Address
    private let hold: Duration
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter hold: how long a question is held; Envoy gives one up after ten seconds (``EnvoyConfiguration``).
    /// - Throws: a ``RoutingError`` for a folder whose file has no routes.
    package init(
        folder: EnvoyFolder,
        listen: Address,
        hold: Duration = .seconds(8),
        logger: Logger
    ) throws(RoutingError) {
        self.folder = folder
        self.listen = listen
        self.hold = hold
        self.logger = logger
        try publish()
    }

    /// Whether Envoy has refused what the file says: it is in Envoy's log why.
    var isRefused: Bool { state.withLock { $0.isRefused } }

    /// Gives what the file says from now on.
    func publish() throws(RoutingError) {
        let (version, data) = try EnvoyRoutes.read(folder)
        publish(version, data)
    }

    /// Gives other routes from now on.
    func publish(_ version: String, _ data: Data) {
        let waiting = state.withLock { state -> Dictionary<UUID, CheckedContinuation<Void, Never>>.Values in
            guard state.version != version else { return [:].values }
            state.version = version
            state.routes = Array(data)
            state.isRefused = false
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    package func run() async throws {
        let router = Router()
        router.post("v3/**") { [self] request, _ in try await answer(request) }
        var quiet = logger
        quiet.logLevel = .warning
        let application = Application(
            router: router,
            configuration: .init(address: .hostname(listen.host, port: listen.port)),
            logger: quiet
        )
        state.withLock { $0.isOver = false }
        try await withGracefulShutdownHandler {
            try await application.run()
        } onGracefulShutdown: { [self] in
            let waiting = state.withLock { state in
                state.isOver = true
                defer { state.waiting = [:] }
                return state.waiting.values
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    /// What an Envoy asks: which routes, and the version that it has. By REST it does not say that it has refused any.
    private struct Question: Decodable {
        enum CodingKeys: String, CodingKey { case version = "version_info", names = "resource_names" }
        var version: String?
        var names: [String]?
    }

    private func answer(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        guard request.uri.path == "/v3/discovery:routes",
            let question = try? JSONDecoder().decode(Question.self, from: Data(body.readableBytesView)),
            question.names == [EnvoyRoutes.name]
        else { throw HTTPError(.notFound, message: "only the routes “\(EnvoyRoutes.name)” are discovered here") }
        let has = question.version ?? ""
        let refused = state.withLock { state -> String? in
            // Whoever has the same as before, and not what it was given, has refused it; or has begun anew, and then it had nothing.
            guard let given = state.given, given.version != has, given.has == has else {
                state.given = nil
                state.isRefused = false
                return nil
            }
            state.isRefused = given.version == state.version
            return given.version
        }
        if let refused {
            logger.error("Envoy does not take its routes, and its log says why", metadata: ["version": "\(refused)"])
            await wait(past: refused, Self.pause)
        }
        // Who has a later route of the same log is not given an older one: whoever tells it decides that.
        let isLater = state.withLock { Self.isOlder($0.version, than: has) ? $0.version : nil }
        await wait(past: isLater ?? has, hold)
        let routes = state.withLock { state -> [UInt8]? in
            guard state.version != has, !Self.isOlder(state.version, than: has) else { return nil }
            state.given = (state.version, has)
            return state.routes
        }
        guard let routes else { return Response(status: .notModified) }
        return Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: routes))
        )
    }

    /// Whether a version is an earlier route than another, of the same log or of none.
    private static func isOlder(_ version: String, than other: String) -> Bool {
        let mine = version.split(separator: ":"), theirs = other.split(separator: ":")
        guard mine.count > 3, mine.count == theirs.count, let one = Int64(mine[0]), let two = Int64(theirs[0]) else {
            return false
        }
        return one < two && (one == 0 || mine[1] == theirs[1])
    }

    /// Returns when there is another version, when so long has passed, or at the end.
    private func wait(past version: String, _ limit: Duration) async {
        _ = try? await TimeLimit.within(limit) { [self] in
            let id = UUID()
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let waits = state.withLock { state in
                        guard state.version == version, !state.isOver, !Task.isCancelled else { return false }
                        state.waiting[id] = continuation
                        return true
                    }
                    if !waits { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
            }
        }
    }
}
