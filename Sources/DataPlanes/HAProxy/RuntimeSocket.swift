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
        func failure(_ what: String, _ reason: String) -> Result<String, RoutingError> {
            .failure(
                RoutingError(
                    .unreachable,
                    "HAProxy’s socket \(path) \(what): \(reason)",
                    mend: "start HAProxy with the configuration that `migrate route config haproxy` wrote"
                )
            )
        }
        let descriptor: Int32
        switch UnixSocket.connect(path, seconds: Self.seconds) {
        case .success(let connected): descriptor = connected
        case .failure(let error): return failure("does not answer", String(cString: strerror(error.code.rawValue)))
        }
        defer { close(descriptor) }
        let line = Array((command + "\n").utf8)
        guard send(descriptor, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            return failure("takes no command", String(cString: strerror(errno)))
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while answer.count < Self.longest {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { return failure("breaks off", String(cString: strerror(errno))) }
            if count == 0 { break }
            answer += buffer[..<count]
        }
        return .success(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
