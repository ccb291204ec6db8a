import AsyncHTTPClient
import Callable
import Foundation
import HTTPTypes
import Hummingbird
import JSON
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@Suite("An issuer's keys over HTTP")
struct KeySourceTests {
    final class Endpoint: Sendable {
        private let count = Atomic(0)
        private let health = Atomic(true)

        var asked: Int { count.load(ordering: .relaxed) }
        var isWell: Bool { health.load(ordering: .relaxed) }
        func ask() { count.wrappingAdd(1, ordering: .relaxed) }
        func forget() { count.store(0, ordering: .relaxed) }
        func fail() { health.store(false, ordering: .relaxed) }
    }

    @Test("are kept as long as they say, asked for once by many, and not for every unknown key; a failure is no key")
    func http() async throws {
        let folder = try TestFolder()
        let issuer = try DevelopmentIssuer(folder: folder.url, project: "demo")
        let keys = try Data(contentsOf: issuer.certificates)
        let endpoint = Endpoint()
        let router = Router()
        router.get("keys") { _, _ in
            endpoint.ask()
            guard endpoint.isWell else { throw HTTPError(.internalServerError) }
            return Response(
                status: .ok,
                headers: [.cacheControl: "public, max-age=600, must-revalidate"],
                body: .init(byteBuffer: ByteBuffer(bytes: keys))
            )
        }
        let port = try freePort()
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let server = Task { try await application.run() }
        defer { server.cancel() }
        let url = "http://127.0.0.1:\(port)/keys"
        try await eventually("the endpoint") {
            (try? await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(1))) != nil
        }
        endpoint.forget()
        let authenticator = Authenticator(project: "demo", keys: KeySource(url))
        let token = try issuer.token(user: "ana")
        try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<20 { group.addTask { try await authenticator.user("Bearer \(token)") } }
            for try await user in group { #expect(user == "ana") }
        }
        #expect(endpoint.asked == 1)
        // A key that nobody knows is not looked for again at once, and the others are there meanwhile.
        let unknown = try issuer.sign(["sub": "ana"], header: ["kid": "unknown"])
        for _ in 0..<5 { await #expect(throws: TokenFault.self) { try await authenticator.user("Bearer \(unknown)") } }
        #expect(try await authenticator.user("Bearer \(token)") == "ana")
        #expect(endpoint.asked == 1)
        endpoint.fail()
        let cold = Authenticator(project: "demo", keys: KeySource(url))
        let fault = await #expect(throws: TokenFault.self) { try await cold.user("Bearer \(token)") }
        #expect(fault?.description.contains("cannot be had") ?? false)
    }
}
