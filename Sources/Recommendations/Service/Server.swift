import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The operations over HTTP, as the callable protocol has them.
struct Server: Sendable {
    let service: any RecommendationService
    let host: String
    let port: Int
    let logger: Logger

    func application() -> some ApplicationProtocol {
        let router = Router()
        router.get("health") { _, _ in "ok\n" }
        for operation in Operation.allCases {
            router.post("\(operation.rawValue)") { request, _ in await respond(operation, request) }
        }
        return Application(
            router: router,
            configuration: .init(address: .hostname(host, port: port), backlog: 1024),
            logger: logger
        )
    }

    private func respond(_ operation: Operation, _ request: Request) async -> Response {
        do {
            let body = try await body(request)
            let call = try CallableRequest(
                contentType: request.headers[.contentType],
                authorization: request.headers[.authorization],
                body: body
            )
            let answer = try await service.answer(operation, call)
            let envelope: JSONValue = .object([
                "result": .object(["success": true, "data": .object(answer.data), "timestamp": .string(Operations.now)])
            ])
            return response(.ok, envelope, cacheStatus: answer.cacheStatus)
        } catch let error as CallableError {
            return failure(error)
        } catch {
            logger.error("unexpected", metadata: ["operation": "\(operation.rawValue)", "reason": "\(error)"])
            return failure(.unexpected)
        }
    }

    private func body(_ request: Request) async throws -> [UInt8] {
        do {
            let buffer = try await request.body.collect(upTo: CallableRequest.largestBody)
            return Array(buffer.readableBytesView)
        } catch {
            throw CallableError(
                .invalidArgument,
                "the body is larger than \(CallableRequest.largestBody) bytes, or was cut off"
            )
        }
    }

    private func failure(_ error: CallableError) -> Response {
        let body: JSONValue = .object([
            "error": .object(["status": .string(error.status.rawValue), "message": .string(error.message)])
        ])
        return response(.init(code: error.status.http), body, cacheStatus: nil)
    }

    private func response(_ status: HTTPResponse.Status, _ body: JSONValue, cacheStatus: String?) -> Response {
        var headers: HTTPFields = [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"]
        if let cacheStatus, let name = HTTPField.Name("Cache-Status") { headers[name] = cacheStatus }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body.bytes)))
    }
}

/// The candidate's admin port: what it has seen, and the switch that makes it fail.
struct AdminServer: Sendable {
    let faults: Faults
    let host: String
    let port: Int
    let logger: Logger

    /// What `GET /requests` answers.
    struct Seen: ResponseEncodable {
        var requests: Int
        /// Microseconds since 1970; 0 never.
        var lastAt: Int
    }

    func application() -> some ApplicationProtocol {
        let router = Router()
        router.get("requests") { _, _ in Seen(requests: faults.seen, lastAt: faults.lastSeenAt) }
        router.put("faults/:permille") { _, context in
            guard let text = context.parameters.get("permille"), let permille = Int(text),
                (0...1_000).contains(permille)
            else {
                throw HTTPError(.badRequest, message: "a share of failures is 0…1000 thousandths")
            }
            faults.rate = permille
            return HTTPResponse.Status.noContent
        }
        return Application(router: router, configuration: .init(address: .hostname(host, port: port)), logger: logger)
    }
}
