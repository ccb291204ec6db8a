import Foundation

enum WallClock {
    /// Microseconds since 1970.
    static var microseconds: Int { Int(Date.now.timeIntervalSince1970 * 1_000_000) }
}
