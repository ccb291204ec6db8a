import NIOCore
import NIOPosix
import NIOSSL

/// A client of HTTP/2 that sends frames as they are and keeps what comes back, for what no HTTP library would say (RFC 9113 §4.1, RFC 7541 §6.2).
enum RawStreams {
    struct Frame: Hashable, Sendable {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        init(_ type: UInt8, flags: UInt8 = 0, on stream: UInt32 = 0, _ payload: [UInt8] = []) {
            self.type = type
            self.flags = flags
            self.stream = stream
            self.payload = payload
        }

        var bytes: [UInt8] {
            let length = payload.count
            return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
                + Frame.word(stream) + payload
        }

        static func word(_ number: UInt32) -> [UInt8] {
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        }

        static func data(_ text: String, on stream: UInt32, ends: Bool = true) -> Frame {
            Frame(0, flags: ends ? 1 : 0, on: stream, Array(text.utf8))
        }
        /// - Parameter isWhole: whether no more of the block follows.
        static func headers(_ fields: [(String, String)], on stream: UInt32, ends: Bool = true, isWhole: Bool = true)
            -> Frame
        {
            Frame(1, flags: (ends ? 1 : 0) | (isWhole ? 4 : 0), on: stream, fields.flatMap(Frame.field))
        }
        static func reset(_ stream: UInt32) -> Frame { Frame(3, on: stream, word(8)) }
        static let settings = Frame(4)
        static let settled = Frame(4, flags: 1)
        static let ping = Frame(6, [UInt8](repeating: 7, count: 8))
        static func continuation(_ fields: [(String, String)], on stream: UInt32, isWhole: Bool) -> Frame {
            Frame(9, flags: isWhole ? 4 : 0, on: stream, fields.flatMap(Frame.field))
        }

        /// A literal that is not indexed, with a new name.
        private static func field(_ name: String, _ value: String) -> [UInt8] {
            [0] + text(name) + text(value)
        }
        private static func text(_ text: String) -> [UInt8] {
            let bytes = Array(text.utf8)
            guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
            var rest = bytes.count - 127
            var length: [UInt8] = [127]
            while rest >= 128 {
                length.append(UInt8(rest % 128 + 128))
                rest /= 128
            }
            return length + [UInt8(rest)] + bytes
        }
    }

    /// What stands before the headers of a request to `/a`.
    static func request(_ method: String = "GET", _ fields: [(String, String)] = []) -> [(String, String)] {
        [(":method", method), (":scheme", "https"), (":authority", "g"), (":path", "/a")] + fields
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// Sends bytes and reads until what came is enough, or the other side closes.
    ///
    /// - Parameter isEnough: asked after each frame.
    /// - Returns: the frames that came, and whether the other side closed.
    /// - Throws: ``RawClient/TimedOut`` when neither has come after the bound.
    static func talk(
        _ url: String,
        _ bytes: [UInt8],
        within bound: TimeAmount = .seconds(20),
        until isEnough: @escaping @Sendable ([Frame]) -> Bool = { _ in false }
    ) async throws -> (frames: [Frame], isClosed: Bool) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        tls.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: tls)
        let answer = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: ([Frame], Bool).self)
        let port = url.split(separator: ":").last.flatMap { Int($0) } ?? 0
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: nil),
                        Listener(answer, bound, isEnough)
                    )
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        // The other side may close before all is sent.
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        let result = try await answer.futureResult.get()
        try? await channel.close()
        return result
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: EventLoopPromise<([Frame], Bool)>
        private let bound: TimeAmount
        private let isEnough: @Sendable ([Frame]) -> Bool
        private var inbox = ByteBuffer()
        private var frames: [Frame] = []

        init(
            _ answer: EventLoopPromise<([Frame], Bool)>,
            _ bound: TimeAmount,
            _ isEnough: @escaping @Sendable ([Frame]) -> Bool
        ) {
            self.answer = answer
            self.bound = bound
            self.isEnough = isEnough
        }

        func channelActive(context: ChannelHandlerContext) {
            let channel = context.channel
            context.eventLoop.assumeIsolated().scheduleTask(in: bound) {
                self.answer.fail(RawClient.TimedOut(heard: "\(self.frames)"))
                channel.close(promise: nil)
            }
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            inbox.writeBuffer(&bytes)
            while let frame = next() {
                frames.append(frame)
                if isEnough(frames) { answer.succeed((frames, false)) }
            }
        }

        private func next() -> Frame? {
            guard let head = inbox.getBytes(at: inbox.readerIndex, length: 9) else { return nil }
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard inbox.readableBytes >= 9 + length else { return nil }
            inbox.moveReaderIndex(forwardBy: 9)
            let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            return Frame(head[3], flags: head[4], on: stream, inbox.readBytes(length: length) ?? [])
        }

        func channelInactive(context: ChannelHandlerContext) { answer.succeed((frames, true)) }
        // The other side's end may come without a goodbye of TLS; and after an end nothing matters.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
