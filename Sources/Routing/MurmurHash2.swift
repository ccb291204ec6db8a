/// MurmurHash2 of Austin Appleby with seed 0, as nginx has it (`split_clients`).
package enum MurmurHash2 {
    package static func hash(_ text: String) -> UInt32 {
        let bytes = Array(text.utf8)
        let factor: UInt32 = 0x5bd1_e995
        var hash = UInt32(bytes.count)
        var at = 0
        while bytes.count - at >= 4 {
            var word = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32($1 * 8) }
            word &*= factor
            word ^= word >> 24
            word &*= factor
            hash = hash &* factor ^ word
            at += 4
        }
        let rest = bytes.count - at
        if rest > 2 { hash ^= UInt32(bytes[at + 2]) << 16 }
        if rest > 1 { hash ^= UInt32(bytes[at + 1]) << 8 }
        if rest > 0 { hash = (hash ^ UInt32(bytes[at])) &* factor }
        hash ^= hash >> 13
        hash &*= factor
        return hash ^ hash >> 15
    }
}
