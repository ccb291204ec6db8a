import Dispatch
package import Foundation
package import Routing

/// HAProxy's runtime socket: one command a connection, its answer up to the end.
package struct RuntimeSocket: Sendable {
    private static let seconds = 2
    private static let longest = 1 << 20

    private let path: String
    private let queue = DispatchQueue(label: "migrate haproxy socket")

    package init(_ url: URL) { path = url.path }

    /// - Throws: ``RoutingError/Code/unreachable`` when nobody answers within two seconds.
    package func ask(_ command: String) async throws(RoutingError) -> String {
        let result: Result<String, RoutingError> = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: talk(command)) }
        }
        return try result.get()
    }

    private func talk(_ command: String) -> Result<String, RoutingError> {
        func failure(_ what: String) -> Result<String, RoutingError> {
            let reason = String(cString: strerror(errno))
            return .failure(
                RoutingError(
                    .unreachable,
                    "HAProxy’s socket \(path) \(what): \(reason)",
                    mend: "start HAProxy with the configuration that `migrate route config haproxy` wrote"
                )
            )
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return failure("cannot be opened") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: Self.seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return failure("has too long a name") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard isConnected == 0 else { return failure("does not answer") }
        let line = Array((command + "\n").utf8)
        guard send(descriptor, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            return failure("takes no command")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while answer.count < Self.longest {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { return failure("breaks off") }
            if count == 0 { break }
            answer += buffer[..<count]
        }
        return .success(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
