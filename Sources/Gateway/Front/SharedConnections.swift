import NIOCore
import NIOHTTP2
import Synchronization

/// The connections of HTTP/2, on which many requests go at once, so that each can be told that the gateway stops.
final class SharedConnections: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// Knows a connection until it is closed.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[id] = nil } }
    }

    /// Tells every client to begin nothing more here; what it has begun, also while this is on its way, is answered (RFC 9113, section 6.8).
    func sayGoodbye() {
        let frame = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        )
        for channel in channels.withLock({ Array($0.values) }) { channel.writeAndFlush(frame, promise: nil) }
    }
}
