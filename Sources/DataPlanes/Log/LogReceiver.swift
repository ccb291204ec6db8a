import Logging
import NIOCore
import NIOPosix
import Signals
import Synchronization

/// Receives what a data plane tells of each request, a line in a message, and counts it.
final class LogReceiver: Sendable {
    private static let buffer = 8 << 20

    private let channel: any Channel
    private let strangers: Strangers

    /// How many lines were of somebody else.
    private final class Strangers: Sendable {
        let count = Atomic<Int>(0)
    }

    /// - Parameters:
    ///   - port: on this host; 0 for any that is free.
    ///   - meter: of the services of the plan.
    ///   - isForeign: whether a line tells a request by a configuration that was not written for this plan.
    ///   - read: what a line says; nil for one that says nothing of an implementation.
    init(
        port: Int,
        services: Int,
        meter: Meter,
        group: any EventLoopGroup,
        isForeign: @escaping @Sendable (Substring) -> Bool,
        read: @escaping @Sendable (Substring) -> LoggedRequest?
    ) async throws {
        let strangers = Strangers()
        self.strangers = strangers
        channel = try await DatagramBootstrap(group: group)
            .channelOption(.socketOption(.so_rcvbuf), value: Self.buffer)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 2_048))
            .channelOption(.maxMessagesPerRead, value: 64)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(
                            services: services,
                            meter: meter,
                            strangers: strangers,
                            isForeign: isForeign,
                            read: read
                        )
                    )
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    /// How many lines were none of ours: by a configuration that was written for another plan, or by another release.
    var foreign: Int { strangers.count.load(ordering: .relaxed) }

    /// How many messages the kernel has dropped because nobody took them in time; nil where it does not say.
    func dropped() async -> UInt32? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        // SK_MEMINFO_DROPS, the last of the nine numbers of SO_MEMINFO.
        let numbers: MemoryInfo? = try? await options.unsafeGetSocketOption(
            level: .init(rawValue: CInt(SOL_SOCKET)),
            name: .init(rawValue: 55)
        ).get()
        return numbers?.8
    }

    private typealias MemoryInfo = (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32)

    func close() async { try? await channel.close() }

    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>

        private let services: Int
        private let meter: Meter

        private let strangers: Strangers
        private let isForeign: @Sendable (Substring) -> Bool
        private let read: @Sendable (Substring) -> LoggedRequest?

        init(
            services: Int,
            meter: Meter,
            strangers: Strangers,
            isForeign: @escaping @Sendable (Substring) -> Bool,
            read: @escaping @Sendable (Substring) -> LoggedRequest?
        ) {
            self.strangers = strangers
            self.isForeign = isForeign
            self.services = services
            self.meter = meter
            self.read = read
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data).data)
            let line = text.prefix { $0 != "\n" && $0 != "\0" }
            guard !isForeign(line) else {
                if strangers.count.wrappingAdd(1, ordering: .relaxed).oldValue == 0 {
                    Logger(label: "migrate").error(
                        "a data plane tells requests by a configuration that was not written for this plan, or by another release: windows with such are missing; write it anew with `migrate route config`",
                        metadata: ["line": "\(line.prefix(100))"]
                    )
                }
                return
            }
            guard let line = read(line), line.service < services else { return }
            meter.count(
                service: line.service,
                line.implementation,
                line.outcome,
                latency: line.latency,
                cache: line.cache,
                user: line.user,
                at: SystemClock.now
            )
        }
    }
}
