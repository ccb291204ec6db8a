import Foundation

/// A port of the loopback interface whose queue of new connections is full: who wants one waits, about a second from when there is room on, as its first packet was dropped.
package final class CrowdedPort: Sendable {
    private let descriptor: Int32
    private let crowd: [Int32]
    package let port: Int

    /// - Parameter places: how many connections it has besides, of which nobody reads a word; with one or more there is no crowd.
    package init(places: Int32 = 0) throws {
        port = try freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        let (descriptor, port) = (descriptor, port)
        guard Self.at(port, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, places) == 0 else {
            throw TestFailure("nobody can listen at \(port): \(String(cString: strerror(errno)))")
        }
        var crowd: [Int32] = []
        if places > 0 {
            self.crowd = crowd
            return
        }
        while crowd.count < 16 {
            let client = socket(
                AF_INET,
                Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
                0
            )
            crowd.append(client)
            _ = Self.at(port) { connect(client, $0, $1) }
            var writable = pollfd(fd: client, events: Int16(POLLOUT), revents: 0)
            if poll(&writable, 1, 200) == 0 {
                self.crowd = crowd
                return
            }
        }
        throw TestFailure("a queue of no places takes everybody")
    }

    deinit { for client in crowd { Foundation.close(client) } }

    /// Ends it, where nobody was let in.
    package func close() { Foundation.close(descriptor) }

    private static func at(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// How many others wait for a connection, by the kernel's own table.
    package var waiting: Int {
        let table = Self.table
        let hex = String(port, radix: 16, uppercase: true)
        let remote = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        let waiting = table.split(separator: "\n").filter { line in
            let fields = line.split(separator: " ")
            // 02 is SYN_SENT.
            return fields.count > 3 && fields[2].hasSuffix(remote) && fields[3] == "02"
        }
        // The last of the crowd waits too.
        return max(0, waiting.count - 1)
    }

    /// The kernel tells it a page at a time.
    private static var table: String {
        let file = Foundation.open("/proc/net/tcp", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { Foundation.close(file) }
        var bytes: [UInt8] = []
        var page = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(file, &page, page.count), count > 0 { bytes += page[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Lets everybody in: an upstream answers from here on, and has the socket.
    package func open(_ behaviour: TestUpstream.Behaviour) async throws -> TestUpstream {
        try await TestUpstream(behaviour, taking: (descriptor, port))
    }
}
