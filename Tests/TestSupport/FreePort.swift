import Foundation

/// A port of the loopback interface on which nobody listens, below those that the system gives to whoever asks for any: nobody takes it
/// before a program that is told to.
package func freePort() throws -> Int {
    for _ in 0..<100 {
        let port = Int.random(in: 12_000..<32_000)
        // No program that is started at this moment inherits it.
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket can be opened") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isFree = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isFree { return port }
    }
    throw TestFailure("no port is free")
}
