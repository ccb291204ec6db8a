import Foundation

/// A plain TCP connection, for what a proper client would not send.
package final class RawSocket: Sendable {
    private let descriptor: Int32

    /// Connects to a port of this host.
    ///
    /// - Parameter patience: how long it waits at most for whatever it reads or sends later, in seconds.
    package init(_ port: Int, patience: Int = 5) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else {
            close(descriptor)
            throw TestFailure("nobody listens")
        }
    }

    deinit { close(descriptor) }

    /// Sends all of a text, or as much as the other side takes.
    ///
    /// - Returns: how many bytes those were.
    @discardableResult
    package func send(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        return sent
    }

    /// Sends and reads no more.
    package func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Sends no more.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next bytes that come, one at least.
    ///
    /// - Parameter most: how many at most.
    /// - Returns: none at the end, and when its patience is over.
    package func receive(most: Int = 65_536) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : []
    }

    /// Reads until an answer is whole by its content-length, or the other side has ended, or has said nothing for as long as this waits.
    package func answer() throws -> String {
        var answer: [UInt8] = []
        while !Self.isWhole(answer) {
            let more = receive()
            guard !more.isEmpty else { break }
            answer += more
        }
        guard !answer.isEmpty else { throw TestFailure("no answer") }
        return String(decoding: answer, as: UTF8.self)
    }

    /// When nobody holds it any more it is to end with a reset, as of a client that was killed.
    package func willReset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
    }

    /// Sends a request and reads its answer.
    package static func exchange(
        _ port: Int,
        patience: Int = 5,
        _ request: String,
        closesAfterSending: Bool = false
    ) throws -> String {
        let socket = try RawSocket(port, patience: patience)
        socket.send(request)
        if closesAfterSending { socket.endSending() }
        return try socket.answer()
    }

    private static func isWhole(_ answer: [UInt8]) -> Bool {
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"), let match = text.firstMatch(of: /(?i)content-length: ([0-9]+)/),
            let length = Int(match.output.1)
        else { return false }
        return text[end.upperBound...].utf8.count >= length
    }
}
