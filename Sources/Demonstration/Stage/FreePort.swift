import Foundation

/// Ports of the loopback interface on which nobody listens.
enum FreePort {
    /// - Parameter count: how many different ones.
    static func take(_ count: Int) throws -> [Int] {
        // Held open until all are known, so that none is given twice.
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { throw StageError("no socket can be opened") }
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let port: Int? = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    guard bind(descriptor, generic, length) == 0, getsockname(descriptor, generic, &length) == 0 else {
                        return nil
                    }
                    return Int(UInt16(bigEndian: pointer.pointee.sin_port))
                }
            }
            guard let port else { throw StageError("no port is free") }
            return port
        }
    }
}
