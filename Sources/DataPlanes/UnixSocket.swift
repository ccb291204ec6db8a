import Foundation

/// A connection to a socket in the file system.
enum UnixSocket {
    /// - Returns: what belongs to whoever asked, and is his to close; else why there is none (`errno`).
    static func connect(_ path: String, seconds: Int = 2) -> Result<Int32, POSIXError> {
        func failure(_ descriptor: Int32, _ code: Int32 = errno) -> Result<Int32, POSIXError> {
            if descriptor >= 0 { close(descriptor) }
            return .failure(POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO))
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return failure(descriptor) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return failure(descriptor, ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return isConnected == 0 ? .success(descriptor) : failure(descriptor)
    }

    /// Whether certainly nobody listens there.
    static func isDeserted(_ path: String) -> Bool {
        switch connect(path) {
        case .success(let descriptor):
            close(descriptor)
            return false
        case .failure(let error): return error.code == .ENOENT || error.code == .ECONNREFUSED
        }
    }
}
