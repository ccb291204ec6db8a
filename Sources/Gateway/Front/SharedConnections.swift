import NIOCore
import NIOHTTP2
import Synchronization

/// The connections of HTTP/2, on which many requests go at once, so that each can be told that the gateway stops.
final class SharedConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isStopping = false
    }

    private let state = Mutex(State())

    /// Knows a connection until it is closed; one that comes about while the gateway stops is told so at once.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isStopping = state.withLock { state in
            state.channels[id] = channel
            return state.isStopping
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.channels[id] = nil } }
        if isStopping { sayGoodbye(to: [channel]) }
    }

    /// Tells every client to begin nothing more here; what it has begun, also while this is on its way, is answered (RFC 9113, section 6.8).
    func sayGoodbye() {
        let channels = state.withLock { state in
            state.isStopping = true
            return Array(state.channels.values)
        }
        sayGoodbye(to: channels)
    }

    private func sayGoodbye(to channels: [any Channel]) {
        let frame = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        )
        for channel in channels { channel.writeAndFlush(frame, promise: nil) }
    }
}
