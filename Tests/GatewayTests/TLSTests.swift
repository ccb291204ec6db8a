import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Postgres
import Routing
import Synchronization
import TestSupport
import Testing

@Suite("The gateway over TLS")
struct TLSTests {
    private let folder: URL
    private let files: CertificateFiles

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        files = CertificateFiles(
            chain: folder.appendingPathComponent("chain.pem"),
            key: folder.appendingPathComponent("key.pem")
        )
        try TestCertificate.issue(chain: files.chain, key: files.key)
    }

    private func client(trusting file: URL, isOld: Bool = false) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(file.path)
        configuration.tlsConfiguration = tls
        configuration.httpVersion = isOld ? .http1Only : .automatic
        return HTTPClient(configuration: configuration)
    }

    private func serve(
        _ gateway: TestGateway = TestGateway(),
        change: @escaping @Sendable (inout GatewaySettings) -> Void = { _ in },
        _ body: (String, EchoUpstream) async throws -> Void
    ) async throws {
        let upstream = try await EchoUpstream()
        let files = files
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, .zero),
            largestBody: 50_000_000,
            change: { settings in
                settings.certificate = files
                change(&settings)
            }
        ) { url in try await body("https" + url.dropFirst(4), upstream) }
        await upstream.close()
    }

    @Test("speaks HTTP/2 and HTTP/1.1, whichever the client prefers, with bodies both ways", arguments: [false, true])
    func versions(_ isOld: Bool) async throws {
        let client = client(trusting: files.chain, isOld: isOld)
        try await serve { url, upstream in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for turn in 0..<64 {
                    group.addTask {
                        var request = HTTPClientRequest(url: url + "/a")
                        request.method = .POST
                        request.headers.add(name: "x-user-id", value: "\(turn)")
                        request.headers.add(name: "cookie", value: "a=\(turn)")
                        let body = String(repeating: "\(turn),", count: 1_000)
                        request.body = .bytes(ByteBuffer(string: body))
                        let response = try await client.execute(request, timeout: .seconds(20))
                        #expect(response.version == (isOld ? .http1_1 : .http2))
                        #expect(response.headers.first(name: "got-forwarded") == "for=127.0.0.1;proto=https")
                        #expect(response.headers.first(name: "got-cookie") == "a=\(turn)")
                        #expect(response.headers.first(name: "x-migrate-implementation") == "legacy")
                        let back = try await response.body.collect(upTo: 100_000)
                        #expect(String(buffer: back) == body)
                    }
                }
                try await group.waitForAll()
            }
            #expect(upstream.heads == 64)
            var large = HTTPClientRequest(url: url + "/a")
            large.method = .POST
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
            large.body = .bytes(ByteBuffer(bytes: bytes))
            let answer = try await client.execute(large, timeout: .seconds(60))
            #expect(try await Array(answer.body.collect(upTo: 6_000_000).readableBytesView) == bytes)
            var head = HTTPClientRequest(url: url + "/a")
            head.method = .HEAD
            #expect(try await client.execute(head, timeout: .seconds(5)).status == .ok)
            #expect(
                try await client.execute(HTTPClientRequest(url: url + "/b"), timeout: .seconds(5)).status == .notFound
            )
            let stream = try await client.execute(HTTPClientRequest(url: url + "/a?stream"), timeout: .seconds(20))
            var pieces = stream.body.makeAsyncIterator()
            #expect(try await pieces.next().map { String(buffer: $0) } == "data: 1\n\n")
            upstream.release()
            #expect(try await pieces.next().map { String(buffer: $0) } == "data: 2\n\n")
            #expect(try await pieces.next() == nil)
            await #expect(throws: (any Error).self) {
                let broken = try await client.execute(HTTPClientRequest(url: url + "/a?break"), timeout: .seconds(5))
                _ = try await broken.body.collect(upTo: 1_000)
            }
        }
        try await client.shutdown()
    }

    /// What a connection is told apart from its streams.
    private final class Overheard: ChannelInboundHandler, Sendable {
        typealias InboundIn = HTTP2Frame
        let goodbyes = Mutex<[(last: HTTP2StreamID, isError: Bool)]>([])

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .goAway(let last, let code, _) = unwrapInboundIn(data).payload {
                goodbyes.withLock { $0.append((last, code != .noError)) }
            }
        }
    }

    @Test("a stop is told to clients of HTTP/2, who begin nothing more, and what they have begun is answered")
    func goodbye() async throws {
        let upstream = try await TestUpstream(.answersWhenReleased)
        let gateway = TestGateway()
        let files = files
        let overheard = Overheard()
        let client = client(trusting: files.chain)
        let answer = Mutex<Task<String, any Error>?>(nil)
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, .zero),
            drain: .seconds(20),
            change: { $0.certificate = files },
            whileDraining: { _ in
                try await eventually("the goodbye") { !overheard.goodbyes.withLock { $0.isEmpty } }
                upstream.release()
                #expect(try await answer.withLock { $0 }?.value == "late")
            }
        ) { url in
            let url = url.replacing("http:", with: "https:").replacing("127.0.0.1", with: "localhost")
            let port = try #require(URL(string: url)?.port)
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(files.chain.path)
            tls.applicationProtocols = ["h2"]
            let context = try NIOSSLContext(configuration: tls)
            // One that only listens, and one that has a request under way.
            _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost")
                        )
                    }.flatMap {
                        channel.configureHTTP2Pipeline(
                            mode: .client,
                            connectionConfiguration: .init(),
                            streamConfiguration: .init()
                        ) { $0.eventLoop.makeSucceededVoidFuture() }
                    }.flatMap { _ in channel.pipeline.addHandler(overheard) }
                }
                .connect(host: "127.0.0.1", port: port).get()
            let task = Task {
                let response = try await client.execute(HTTPClientRequest(url: url + "/a"), timeout: .seconds(20))
                #expect(response.version == .http2)
                return String(buffer: try await response.body.collect(upTo: 100))
            }
            answer.withLock { $0 = task }
            try await eventually("the request to be under way") { upstream.requests == 1 }
        }
        let told = overheard.goodbyes.withLock { $0 }
        #expect(told.first?.last == .maxID && told.first?.isError == false)
        try await client.shutdown()
        await upstream.close()
    }

    @Test(
        "takes a new certificate without dropping a connection, and keeps the old one when the new one is none",
        arguments: [true, false]
    )
    func reloads(_ isOld: Bool) async throws {
        let old = folder.appendingPathComponent("old.pem")
        try FileManager.default.copyItem(at: files.chain, to: old)
        let client = client(trusting: old, isOld: isOld)
        let gateway = TestGateway()
        try await serve(gateway) { url, _ in
            func ask(_ client: HTTPClient) async throws -> Int {
                let response = try await client.execute(HTTPClientRequest(url: url + "/a"), timeout: .seconds(5))
                #expect(response.version == (isOld ? .http1_1 : .http2))
                _ = try await response.body.collect(upTo: 1_000)
                return Int(response.status.code)
            }
            #expect(try await ask(client) == 200)
            try Data("no certificate".utf8).write(to: files.chain)
            try await eventually("it to be refused") { gateway.told.contains("certificate not taken") }
            let fresh = self.client(trusting: old, isOld: isOld)
            #expect(try await ask(fresh) == 200)
            try await fresh.shutdown()
            try TestCertificate.issue(chain: files.chain, key: files.key)
            let files = files
            try await eventually("the new certificate") {
                let fresh = self.client(trusting: files.chain, isOld: isOld)
                let code = try? await ask(fresh)
                try? await fresh.shutdown()
                return code == 200
            }
            let late = self.client(trusting: old, isOld: isOld)
            await #expect(throws: (any Error).self) { _ = try await ask(late) }
            try await late.shutdown()
            // The connection that stood still stands: were it made anew, the old certificate would be asked for.
            #expect(try await ask(client) == 200)
        }
        try await client.shutdown()
    }

    @Test("reaches services over TLS, and only those whose certificate it trusts", arguments: [true, false])
    func upstream(_ isTrusted: Bool) async throws {
        let stranger = CertificateFiles(
            chain: folder.appendingPathComponent("stranger.pem"),
            key: folder.appendingPathComponent("stranger.key")
        )
        try TestCertificate.issue(chain: stranger.chain, key: stranger.key)
        let trust = isTrusted ? files.chain : stranger.chain
        try await serve { url, upstream in
            var plan = TestGateway.plan(legacy: 1, candidate: 1, timeout: .seconds(5))
            plan.services[0].legacy = url
            plan.services[0].candidate = url
            try await TestGateway().serve(
                plan,
                state: folder.appendingPathComponent("second.json"),
                first: TestGateway.table(1, .zero),
                change: { $0.trust = trust }
            ) { front in
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: front + "/a"),
                    timeout: .seconds(5)
                )
                #expect(response.status == (isTrusted ? .ok : .badGateway))
                #expect(upstream.heads == (isTrusted ? 1 : 0))
            }
        }
    }

    @Test("does not wait for a client that never agrees on a key")
    func handshake() async throws {
        try await serve(change: { $0.headTimeout = .milliseconds(300) }) { url, _ in
            let heard = try await RawClient.talk(url, "")
            #expect(heard.isEmpty)
        }
    }

    @Test("a certificate that cannot be used is said before anything is accepted")
    func badCertificate() async throws {
        let nowhere = CertificateFiles(chain: folder.appendingPathComponent("nowhere"), key: files.key)
        await #expect(throws: RoutingError.self) {
            try await TestGateway().serve(
                TestGateway.plan(legacy: 1, candidate: 1),
                state: folder.appendingPathComponent("state.json"),
                first: TestGateway.table(1, .zero),
                change: { $0.certificate = nowhere }
            ) { _ in }
        }
    }
}
