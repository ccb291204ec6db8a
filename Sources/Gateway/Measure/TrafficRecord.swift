import MigrationCore
package import Signals
import Synchronization

/// What the gateway's loops count together: the meter, and when the candidate was last sent a request.
package final class TrafficRecord: Sendable {
    package let meter: Meter
    private let lastCandidate = Atomic<Int64>(0)
    private let candidates = Atomic<Int64>(0)
    private let legacies = Atomic<Int64>(0)
    private let candidatesAtAcknowledgement = Atomic<Int64>(0)
    private let draining = Atomic<Bool>(false)
    private let active = Atomic<Int64>(0)
    private let clients = Atomic<Int64>(0)
    private let turnedAway = Atomic<Int64>(0)
    private let refusals = Atomic<Int64>(0)
    private let fallbacks = Atomic<Int64>(0)
    private let forcings = Atomic<Int64>(0)

    package init(meter: Meter) { self.meter = meter }

    /// A request's head is being written to an implementation at this very moment.
    func sent(to implementation: Implementation) {
        switch implementation {
        case .legacy: legacies.wrappingAdd(1, ordering: .relaxed)
        case .candidate:
            candidates.wrappingAdd(1, ordering: .relaxed)
            lastCandidate.store(SystemClock.now.rawValue, ordering: .relaxed)
        }
    }

    /// The routes in force are acknowledged from now on.
    func acknowledged() { candidatesAtAcknowledgement.store(candidateRequests, ordering: .relaxed) }

    /// From now on every answer ends its client's connection.
    func drain() { draining.store(true, ordering: .relaxed) }
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func began() { active.wrappingAdd(1, ordering: .relaxed) }
    func ended() { active.wrappingSubtract(1, ordering: .relaxed) }

    /// A client wants to connect.
    ///
    /// - Returns: whether there is room for it among `most`.
    func connected(most: Int) -> Bool {
        guard clients.wrappingAdd(1, ordering: .relaxed).newValue <= most else {
            clients.wrappingSubtract(1, ordering: .relaxed)
            turnedAway.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func disconnected() { clients.wrappingSubtract(1, ordering: .relaxed) }
    /// A request was answered by the gateway itself, for what the client did.
    func refused() { refusals.wrappingAdd(1, ordering: .relaxed) }
    /// Somebody asked for a side, and got it; it is in no window.
    func forced() { forcings.wrappingAdd(1, ordering: .relaxed) }
    /// Legacy answers a request that the candidate failed.
    func fellBack() { fallbacks.wrappingAdd(1, ordering: .relaxed) }

    var clientsConnected: Int64 { clients.load(ordering: .relaxed) }
    var clientsTurnedAway: Int64 { turnedAway.load(ordering: .relaxed) }
    var requestsRefused: Int64 { refusals.load(ordering: .relaxed) }
    var requestsForced: Int64 { forcings.load(ordering: .relaxed) }
    var requestsFallenBack: Int64 { fallbacks.load(ordering: .relaxed) }

    /// Requests under way.
    package var underWay: Int64 { active.load(ordering: .relaxed) }
    /// When the last request was sent to the candidate, in microseconds since 1970; 0 never.
    package var lastCandidateAt: Int64 { lastCandidate.load(ordering: .relaxed) }
    package var candidateRequests: Int64 { candidates.load(ordering: .relaxed) }
    /// Requests sent to the candidate since the routes in force were acknowledged.
    package var candidateRequestsSinceAcknowledgement: Int64 {
        candidateRequests - candidatesAtAcknowledgement.load(ordering: .relaxed)
    }
    package var legacyRequests: Int64 { legacies.load(ordering: .relaxed) }
}
