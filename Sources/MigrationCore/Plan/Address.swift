/// Where an implementation listens: `http://host:port`, with nothing after it.
package struct Address: Hashable, Sendable {
    package let host: String
    package let port: Int
    /// Whether it is spoken to over TLS.
    package let isSecure: Bool

    /// Whether the host is an IP address, and no name.
    package var isNumeric: Bool { host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." } }

    /// The host as certificates name it: in small letters, without the dot that says that a name is whole.
    package var certificateName: String {
        let name = host.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    /// Without a slash at its end.
    package var url: String { "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// One that is spoken to in the clear.
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
        isSecure = false
    }

    /// - Parameter text: an address; a missing port is 80, or 443 with `https://`; nil when it is none.
    package init?(_ text: String) {
        isSecure = text.hasPrefix("https://")
        let scheme = isSecure ? "https://" : "http://"
        guard text.hasPrefix(scheme) else { return nil }
        var rest = text.dropFirst(scheme.count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard rest.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._:[]".contains($0)) }) else {
            return nil
        }
        let host: Substring
        let tail: Substring
        if rest.first == "[" {
            guard let close = rest.firstIndex(of: "]") else { return nil }
            host = rest[rest.index(after: rest.startIndex)..<close]
            tail = rest[rest.index(after: close)...]
        } else {
            host = rest.prefix { $0 != ":" }
            tail = rest.dropFirst(host.count)
        }
        guard !host.isEmpty, tail.isEmpty || tail.first == ":" else { return nil }
        guard let port = tail.isEmpty ? isSecure ? 443 : 80 : Int(tail.dropFirst()), (1...65_535).contains(port) else {
            return nil
        }
        self.host = String(host)
        self.port = port
    }
}
