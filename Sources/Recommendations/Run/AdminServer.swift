import Cache
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The admin port: what the service has seen and done, what its cache is to forget, and the switches of a rehearsal.
struct AdminServer: Sendable {
    let faults: RehearsedFaults
    let metrics: Metrics
    let cache: AnswerCache<Answer>?

    /// What `GET /requests` answers.
    struct Seen: ResponseEncodable {
        var requests: Int
        /// Microseconds since 1970; 0 never.
        var lastAt: Int
    }

    func application(host: String, port: Int, logger: Logger) -> some ApplicationProtocol {
        let router = Router()
        router.get("requests") { _, _ in Seen(requests: faults.seen, lastAt: faults.lastSeenAt) }
        router.get("metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: Metrics.contentType],
                body: .init(byteBuffer: ByteBuffer(string: metrics.text(cache: cache)))
            )
        }
        router.put("faults/:permille") { _, context in
            faults.failures = try Self.permille(context)
            return HTTPResponse.Status.noContent
        }
        router.put("inventions/:permille") { _, context in
            faults.inventions = try Self.permille(context)
            return HTTPResponse.Status.noContent
        }
        router.delete("cache/job/:job") { _, context in
            try await forget(CacheOperations.tag(job: try Self.name("job", context)))
        }
        router.delete("cache/user/:user") { _, context in
            try await forget(CacheOperations.tag(user: try Self.name("user", context)))
        }
        router.delete("cache/recommendation/:job/:recommendation") { _, context in
            let (job, recommendation) = (
                try Self.name("job", context), try Self.name("recommendation", context)
            )
            return try await forget(CacheOperations.tag(recommendation, of: job))
        }
        return Application(router: router, configuration: .init(address: .hostname(host, port: port)), logger: logger)
    }

    /// A name as it stands in the path, with what is written as `%2F` and the like.
    private static func name(_ parameter: String, _ context: BasicRequestContext) throws -> String {
        let text = try context.parameters.require(parameter)
        guard let name = text.removingPercentEncoding else {
            throw HTTPError(.badRequest, message: "“\(text)” is not percent-encoded UTF-8")
        }
        return name
    }

    private static func permille(_ context: BasicRequestContext) throws -> Int {
        guard let text = context.parameters.get("permille"), let permille = Int(text), (0...1_000).contains(permille)
        else { throw HTTPError(.badRequest, message: "a share is 0…1000 thousandths") }
        return permille
    }

    /// Forgets what is kept under a tag, in every process: an answer of 204 says that the second tier has taken it too.
    private func forget(_ tag: CacheTag) async throws -> HTTPResponse.Status {
        guard let cache else { throw HTTPError(.notFound, message: "this implementation has no cache") }
        do {
            try await cache.invalidate(tag)
        } catch {
            throw HTTPError(.badGateway, message: "forgotten here; the cache's second tier has not taken it: try again")
        }
        return .noContent
    }
}
