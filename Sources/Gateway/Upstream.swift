import MigrationCore
import NIOCore
import NIOHTTP1

/// What an upstream tells the exchange that it serves.
protocol UpstreamDelegate: AnyObject {
    func upstream(didReceive part: HTTPClientResponsePart)
    /// The connection ended or broke; nil when it was closed in good order.
    func upstreamDidClose(_ error: (any Error)?)
    func upstreamWritabilityChanged(_ isWritable: Bool)
}

/// One connection to an implementation; it serves one exchange at a time. Lives on one event loop.
final class Upstream: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    let address: Address
    private let channel: any Channel
    weak var delegate: (any UpstreamDelegate)?
    /// Whether it has carried an exchange before: then its end may mean only that it was idle too long.
    var hasServed = false
    private(set) var isOpen = true

    init(channel: any Channel, address: Address) {
        self.channel = channel
        self.address = address
    }

    var isWritable: Bool { channel.isWritable }

    func write(_ part: HTTPClientRequestPart) { channel.pipeline.syncOperations.write(NIOAny(part), promise: nil) }
    func flush() { channel.pipeline.syncOperations.flush() }

    /// Stops or goes on reading the answer, as the client can take it.
    func setReading(_ isOn: Bool) { _ = try? channel.syncOptions?.setOption(.autoRead, value: isOn) }

    func close() {
        isOpen = false
        delegate = nil
        channel.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard let delegate else {
            // Nobody asked: a server that speaks unbidden cannot be trusted with the next request.
            return close()
        }
        delegate.upstream(didReceive: part)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        delegate?.upstreamWritabilityChanged(context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        let delegate = delegate
        self.delegate = nil
        delegate?.upstreamDidClose(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isOpen = false
        let delegate = delegate
        self.delegate = nil
        delegate?.upstreamDidClose(error)
        context.close(promise: nil)
    }
}
