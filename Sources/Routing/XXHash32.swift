/// xxHash32 with seed 0, as its specification has it (xxhash.com): HAProxy's `xxh32`.
package enum XXHash32 {
    private static let primes: [UInt32] = [2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393]

    package static func hash(_ text: String) -> UInt32 {
        let bytes = Array(text.utf8)
        var place = 0
        func word() -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) } }
        func turned(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
        var sum: UInt32
        if bytes.count >= 16 {
            var lanes: [UInt32] = [primes[0] &+ primes[1], primes[1], 0, 0 &- primes[0]]
            while bytes.count - place >= 16 {
                for lane in 0..<4 {
                    lanes[lane] = turned(lanes[lane] &+ word() &* primes[1], 13) &* primes[0]
                    place += 4
                }
            }
            sum = turned(lanes[0], 1) &+ turned(lanes[1], 7) &+ turned(lanes[2], 12) &+ turned(lanes[3], 18)
        } else {
            sum = primes[4]
        }
        sum &+= UInt32(bytes.count)
        while bytes.count - place >= 4 {
            sum = turned(sum &+ word() &* primes[2], 17) &* primes[3]
            place += 4
        }
        while place < bytes.count {
            sum = turned(sum &+ UInt32(bytes[place]) &* primes[4], 11) &* primes[0]
            place += 1
        }
        sum = (sum ^ sum >> 15) &* primes[1]
        sum = (sum ^ sum >> 13) &* primes[2]
        return sum ^ sum >> 16
    }
}
