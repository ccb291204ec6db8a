import MigrationCore
import Synchronization

/// What the load generator saw, request by request.
final class LoadRecord: Sendable {
    struct Sample: Sendable {
        var sentAt: Int64
        var environment: Int
        var isCandidate: Bool
    }

    private struct State {
        var samples: [Sample] = []
        var lastCandidateDone: [Int: Int64] = [:]
        var movedBack = 0
        var isRising = true
        var answered = 0
        var expectedFailures = 0
        var unexpected: [String] = []
        var unexpectedCount = 0
        var invented = 0
        var dropped = 0
    }

    private let state = Mutex(State())

    /// What the model said that no résumé holds: so many lines of it came through to a user, and so many the guard dropped.
    func sawModel(invented: Int, dropped: Int) {
        state.withLock { state in
            state.invented += invented
            state.dropped += dropped
        }
    }

    var invented: Int { state.withLock { $0.invented } }
    var dropped: Int { state.withLock { $0.dropped } }

    /// One answer, from whichever implementation.
    ///
    /// - Parameters:
    ///   - user: the user's number, together with the environment's.
    ///   - sentAt: microseconds since 1970.
    ///   - doneAt: microseconds since 1970.
    func answered(user: Int, environment: Int, isCandidate: Bool, sentAt: Int64, doneAt: Int64, isExpectedFailure: Bool)
    {
        state.withLock { state in
            state.answered += 1
            if isExpectedFailure { state.expectedFailures += 1 }
            state.samples.append(Sample(sentAt: sentAt, environment: environment, isCandidate: isCandidate))
            let key = user * 8 + environment
            if isCandidate {
                state.lastCandidateDone[key] = max(doneAt, state.lastCandidateDone[key] ?? 0)
            } else if state.isRising, let last = state.lastCandidateDone[key], last < sentAt {
                state.movedBack += 1
            }
        }
    }

    func failed(_ what: String) {
        state.withLock { state in
            state.unexpectedCount += 1
            if state.unexpected.count < 5 { state.unexpected.append(what) }
        }
    }

    /// From now on the weight falls, and users do move back.
    func falls() { state.withLock { $0.isRising = false } }

    /// The next migration begins: who was where in the last one says nothing about it.
    func begins() {
        state.withLock { state in
            state.isRising = true
            state.lastCandidateDone = [:]
            state.samples = []
        }
    }

    var total: Int { state.withLock { $0.answered } }
    var movedBack: Int { state.withLock { $0.movedBack } }
    var failures: (count: Int, examples: [String]) { state.withLock { ($0.unexpectedCount, $0.unexpected) } }
    var serviceFailures: Int { state.withLock { $0.expectedFailures } }

    /// Requests of an environment that were sent in a time, and how many of them the candidate answered.
    func share(environment: Int, from start: Timestamp, to end: Timestamp) -> (candidate: Int, total: Int) {
        state.withLock { state in
            let sent = state.samples.filter {
                $0.environment == environment && $0.sentAt >= start.rawValue && $0.sentAt < end.rawValue
            }
            return (sent.count { $0.isCandidate }, sent.count)
        }
    }
}
