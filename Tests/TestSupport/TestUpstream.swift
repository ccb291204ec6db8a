import Foundation
import NIOCore
import NIOPosix
package import NIOSSL
import NIOTLS
import Synchronization

/// An upstream that behaves as a test says, on a socket of its own.
package final class TestUpstream: Sendable {
    package enum Behaviour: Sendable {
        case answers(String)
        /// Whole answers, made from the request's text.
        case says(@Sendable (String) -> String)
        /// The same answer, once the test releases it.
        case answersWhenReleased
        case hangs
        case garbage
        case closes
        case closesMidBody
        /// An answer of so many bytes, as fast as they are taken.
        case floods(Int)
    }

    private let channels: [any Channel]
    private let heard: Heard
    package let port: Int
    /// Requests of users whose heads were received; the gateway's own probes are not among them.
    package var requests: Int { heard.count.load(ordering: .relaxed) }
    /// The names that clients of TLS have asked for; an empty one where they asked for none.
    package var names: Set<String> { heard.names.withLock { $0 } }

    /// How many bytes of floods were taken.
    package var flooded: Int { heard.flooded.load(ordering: .relaxed) }

    private final class Heard: Sendable {
        let count = Atomic<Int>(0)
        let flooded = Atomic<Int>(0)
        let names = Mutex<Set<String>>([])
        let released = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
    }

    /// Lets go of the answers that wait.
    package func release() { heard.released.succeed() }

    /// - Parameters:
    ///   - port: 0 is any that is free.
    ///   - taking: a socket that listens already, and its port.
    ///   - certificate: what it shows, and speaks TLS by; it then listens at every address that `localhost` may have.
    ///   - least: the oldest version of TLS that it speaks.
    package init(
        _ behaviour: Behaviour,
        port: Int = 0,
        taking socket: (descriptor: Int32, port: Int)? = nil,
        certificate: TestCertificate? = nil,
        least: TLSVersion = .tlsv12
    ) async throws {
        let heard = Heard()
        self.heard = heard
        let tls = try certificate?.context(least: least)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    guard let tls else { return try pipeline.addHandler(Talker(behaviour, heard)) }
                    let named = SNIHandler { result in
                        heard.names.withLock {
                            switch result {
                            case .hostname(let name): _ = $0.insert(name)
                            case .fallback: _ = $0.insert("")
                            }
                        }
                        return channel.eventLoop.makeCompletedFuture {
                            let pipeline = channel.pipeline.syncOperations
                            try pipeline.addHandlers(NIOSSLServerHandler(context: tls), Talker(behaviour, heard))
                        }
                    }
                    try pipeline.addHandler(ByteToMessageHandler(named))
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        if let socket {
            channels = [try await bootstrap.withBoundSocket(socket.descriptor).get()]
            self.port = socket.port
            return
        }
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
        guard let port = channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        self.port = port
        // A machine may have no IPv6.
        let other = tls == nil ? nil : try? await bootstrap.bind(host: "::1", port: port).get()
        channels = [channel] + (other.map { [$0] } ?? [])
    }

    /// Reads whatever was sent before: it answers requests that come after that, on connections of all its threads. They are not counted.
    package func catchUp() async throws {
        let port = port
        for _ in 0..<4 * System.coreCount {
            _ = try await offThread { try RawSocket.exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n") }
        }
    }

    package func close() async {
        heard.released.succeed()
        for channel in channels { try? await channel.close() }
    }

    private final class Talker: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let behaviour: Behaviour
        private let heard: Heard
        private var seen = ""
        /// What is left of a flood.
        private var left = 0

        init(_ behaviour: Behaviour, _ heard: Heard) {
            self.behaviour = behaviour
            self.heard = heard
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            seen += String(buffer: unwrapInboundIn(data))
            guard let head = seen.range(of: "\r\n\r\n"), seen[head.upperBound...].utf8.count >= Self.length(seen) else {
                return
            }
            let request = seen
            seen = ""
            if !request.contains(" /health ") { heard.count.wrappingAdd(1, ordering: .relaxed) }
            switch behaviour {
            case .answers(let text):
                let body = "\(text) \(request.contains("forwarded: for=127.0.0.1") ? "forwarded" : "bare")"
                say(
                    "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\ncache-status: t; hit\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\r\n\(body)",
                    context
                )
            case .says(let answer): say(answer(request), context)
            case .answersWhenReleased:
                heard.released.futureResult.hop(to: context.eventLoop).assumeIsolated().whenComplete { _ in
                    self.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate", context)
                }
            case .hangs: break
            case .garbage: say("I AM NO HTTP\r\n\r\n", context)
            case .closes: context.close(promise: nil)
            case .closesMidBody:
                say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", context)
                context.close(promise: nil)
            case .floods(let size):
                if request.contains(" /health ") {
                    return say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", context)
                }
                say("HTTP/1.1 200 OK\r\ncontent-length: \(size)\r\n\r\n", context)
                left = size
                flood(context)
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) { flood(context) }

        private func flood(_ context: ChannelHandlerContext) {
            while left > 0, context.channel.isWritable {
                let size = min(left, 64 * 1_024)
                left -= size
                let heard = heard
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(repeating: UInt8(ascii: "x"), count: size)))
                    .whenSuccess { heard.flooded.wrappingAdd(size, ordering: .relaxed) }
            }
        }

        /// How long the body is that the head announces.
        private static func length(_ request: String) -> Int {
            let line = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            return line.flatMap { Int($0.dropFirst(15).drop { $0 == " " }) } ?? 0
        }

        private func say(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}
