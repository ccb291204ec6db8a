import Synchronization

/// How many requests and tokens a model may be asked for in any minute.
///
/// A request that there is no room for is refused at once: the rules answer sooner than a minute passes. What it was thought to cost is put right once it
/// is known.
package final class ModelBudget: Sendable {
    private struct Spent {
        var id: Int
        var at: Duration
        var tokens: Int
    }

    private struct State {
        var spent: [Spent] = []
        var next = 0
    }

    private static let span = Duration.seconds(60)

    private let requests: Int
    private let tokens: Int
    private let now: @Sendable () -> Duration
    private let state = Mutex(State())

    /// - Parameters:
    ///   - requests: in a minute, at most.
    ///   - tokens: in a minute, at most.
    ///   - now: a clock that does not go back.
    package init(requests: Int, tokens: Int, now: (@Sendable () -> Duration)? = nil) {
        let start = ContinuousClock.now
        self.requests = requests
        self.tokens = tokens
        self.now = now ?? { ContinuousClock.now - start }
    }

    /// Takes room for a request.
    ///
    /// - Returns: what to settle it by; nil where there is no room.
    func take(_ estimate: Int) -> Int? {
        let time = now()
        return state.withLock { state in
            state.spent.removeAll { $0.at <= time - Self.span }
            let used = state.spent.reduce(0) { $0 + $1.tokens }
            guard state.spent.count < requests, used + estimate <= tokens else { return nil }
            state.next += 1
            state.spent.append(Spent(id: state.next, at: time, tokens: estimate))
            return state.next
        }
    }

    /// Says what a request has really cost; 0 for one that came to nothing.
    func settle(_ id: Int, tokens: Int) {
        state.withLock { state in
            guard let index = state.spent.firstIndex(where: { $0.id == id }) else { return }
            state.spent[index].tokens = tokens
        }
    }
}
