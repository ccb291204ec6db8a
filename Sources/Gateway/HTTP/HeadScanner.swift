import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds where a head ends at the front of the bytes that came so far. Lines end in CR LF and in nothing else: what one program takes for an
/// end of line and the next does not is how requests are smuggled (RFC 9112 §2.2, §11.2).
struct HeadScanner {
    /// The largest head, in bytes.
    let limit: Int
    private var scanned = 0
    private var line = 0

    init(limit: Int) { self.limit = limit }

    /// - Parameter bytes: all that came of the message; what was looked at before is not looked at again.
    /// - Returns: how many bytes the head has with its empty line; nil while not all of it is there.
    /// - Throws: 431 for one that is too large, 400 for a line feed alone.
    mutating func end(in bytes: UnsafeRawBufferPointer) throws(MessageFault) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        while scanned < bytes.count, let found = memchr(base + scanned, 0x0A, bytes.count - scanned) {
            let feed = base.distance(to: UnsafeRawPointer(found))
            guard feed > line, bytes[feed - 1] == 0x0D else {
                throw .bad("a line ends in a line feed alone")
            }
            guard feed < limit else { throw Self.tooLarge }
            scanned = feed + 1
            if feed - 1 == line {
                let end = scanned
                scanned = 0
                line = 0
                return end
            }
            line = scanned
        }
        scanned = bytes.count
        guard bytes.count < limit else { throw Self.tooLarge }
        return nil
    }

    private static let tooLarge = MessageFault(.requestHeaderFieldsTooLarge, "the head is too large")
}
