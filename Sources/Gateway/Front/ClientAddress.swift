import NIOCore

/// Where a client connects from, in the forms in which it is needed again and again.
struct ClientAddress {
    /// The IP address as text; empty when there is none.
    let text: [UInt8]
    /// The `Forwarded` line for it (RFC 7239).
    let forwarded: [UInt8]
    /// Whether the way to the client can be closed while the way back stays open.
    let canHalfClose: Bool

    init(_ address: SocketAddress?, isSecure: Bool) {
        canHalfClose = !isSecure
        guard let address = address?.ipAddress else {
            text = []
            forwarded = []
            return
        }
        text = Array(address.utf8)
        let node = address.contains(":") ? "\"[\(address)]\"" : address
        forwarded = Array("forwarded: for=\(node);proto=\(isSecure ? "https" : "http")\r\n".utf8)
    }
}
