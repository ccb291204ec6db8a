/// A running 64-bit hash of whole numbers, the same on every run (the finaliser of MurmurHash3 over a running product).
package struct Mix: Sendable {
    package private(set) var value: UInt64

    package init(seed: UInt64 = 0) { value = seed ^ 0x9E37_79B9_7F4A_7C15 }

    package mutating func add(_ number: Int64) {
        var x = value ^ UInt64(bitPattern: number) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        x = (x ^ (x >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        value = x ^ (x >> 33)
    }

    package mutating func add(_ number: Int) { add(Int64(number)) }
}
