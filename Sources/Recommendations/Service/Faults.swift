import Foundation
import Synchronization

/// What the candidate's admin port can switch: a share of requests that fail, for rehearsals; off by default.
final class Faults: Sendable {
    private let permille = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)
    private let lastAt = Atomic<Int>(0)

    /// Requests that fail, in thousandths.
    var rate: Int {
        get { permille.load(ordering: .relaxed) }
        set { permille.store(newValue, ordering: .relaxed) }
    }

    var isDrawn: Bool { Int.random(in: 0..<1_000) < rate }

    /// One more request has arrived.
    func count() {
        requests.wrappingAdd(1, ordering: .relaxed)
        lastAt.store(Int(Date.now.timeIntervalSince1970 * 1_000_000), ordering: .relaxed)
    }

    var seen: Int { requests.load(ordering: .relaxed) }
    /// Microseconds since 1970; 0 never.
    var lastSeenAt: Int { lastAt.load(ordering: .relaxed) }
}
