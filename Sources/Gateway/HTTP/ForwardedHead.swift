import MigrationCore
import NIOCore

/// What changes in a head between the two sides (RFC 9110 §7.6, RFC 7239).
enum ForwardedHead {
    /// Says which implementation answered.
    static let implementation: StaticString = "x-migrate-implementation"

    /// The head that an implementation receives.
    ///
    /// - Parameters:
    ///   - client: the `Forwarded` element of the client, made once for its connection.
    ///   - trace: a `traceparent` for a request that has no valid one; nil passes on its own.
    ///   - host: for a request of HTTP/1.0 that names none.
    static func request(
        _ head: RequestHead,
        _ fields: FieldTable,
        _ bytes: UnsafeRawBufferPointer,
        client: [UInt8],
        trace: TraceParent?,
        host: String
    ) throws(MessageFault) -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: bytes.count + 256)
        out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[head.methodText]))
        out.writeStaticString(" ")
        out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[head.target]))
        out.writeStaticString(" HTTP/1.1\r\n")
        var hasHost = false
        let dropped = try named(fields, bytes)
        for field in fields.all {
            switch field.role {
            case .hopByHop, .connection, .transferEncoding, .upgrade, .force: continue
            case .traceparent where trace != nil: continue
            case .host: hasHost = true
            case .contentLength: break
            default: if isDropped(field, dropped, bytes) { continue }
            }
            out.writeField(bytes, field)
        }
        if !hasHost { out.writeString("host: \(host)\r\n") }
        if head.body == .chunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        out.writeBytes(client)
        out.writeStaticString("via: 1.1 migrate\r\n")
        if let trace { trace.write(to: &out) }
        out.writeStaticString("\r\n")
        return out
    }

    /// The head that the client receives.
    ///
    /// - Parameters:
    ///   - framing: how the body is framed for this client.
    ///   - closes: whether the connection ends with the answer.
    static func answer(
        _ head: AnswerHead,
        _ fields: FieldTable,
        _ bytes: UnsafeRawBufferPointer,
        from source: Implementation,
        framing: BodyFraming,
        closes: Bool
    ) throws(MessageFault) -> ByteBuffer {
        var out = ByteBufferAllocator().buffer(capacity: bytes.count + 128)
        out.writeStaticString("HTTP/1.1 ")
        out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[head.statusText]))
        out.writeStaticString("\r\n")
        let dropped = try named(fields, bytes)
        for field in fields.all {
            switch field.role {
            case .hopByHop, .connection, .transferEncoding, .upgrade, .implementation: continue
            case .contentLength: if head.status < 200 || head.status == 204 { continue }
            default: if isDropped(field, dropped, bytes) { continue }
            }
            out.writeField(bytes, field)
        }
        guard !head.isInterim else {
            out.writeStaticString("\r\n")
            return out
        }
        if framing == .chunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        out.writeStaticString("via: 1.1 migrate\r\nx-migrate-implementation: ")
        switch source {
        case .legacy: out.writeStaticString("legacy\r\n")
        case .candidate: out.writeStaticString("candidate\r\n")
        }
        if closes { out.writeStaticString("connection: close\r\n") }
        out.writeStaticString("\r\n")
        return out
    }

    /// The fields that `Connection` names; nearly always none.
    private static func named(_ fields: FieldTable, _ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> [Range<
        Int
    >] {
        var names: [Range<Int>] = []
        for field in fields.all where field.role == .connection {
            try Octet.members(bytes, field.value) { member in
                if !Octet.equal(bytes, member, "close"), !Octet.equal(bytes, member, "keep-alive") {
                    names.append(member)
                }
            }
        }
        return names
    }

    private static func isDropped(
        _ field: FieldTable.Field,
        _ names: [Range<Int>],
        _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        names.contains { name in
            name.count == field.name.count
                && zip(name, field.name).allSatisfy { lower(bytes[$0]) == lower(bytes[$1]) }
        }
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
