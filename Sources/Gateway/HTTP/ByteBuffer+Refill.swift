package import NIOCore

extension ByteBuffer {
    /// So much that was read may stay in front of what was not, in bytes.
    private static let mostRead = 64 * 1_024

    /// Appends what has come, and gives back what was read already: a buffer that is never quite empty would else grow by all that ever passes through it.
    ///
    /// - Parameter bytes: what has come; all of it is taken.
    package mutating func refill(_ bytes: inout ByteBuffer) {
        guard readableBytes > 0 else {
            self = bytes
            return
        }
        if readerIndex > Self.mostRead { discardReadBytes() }
        writeBuffer(&bytes)
    }
}
