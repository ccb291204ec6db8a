import Synchronization

/// The last reload of an nginx that this process asked for. One that somebody else began, or this before it was restarted, is not known, and so asked for again.
final class NginxReload: Sendable {
    struct Attempt {
        /// Whose.
        let master: Int32
        let wanted: RouteText
        /// What the file has for it: less where nginx has refused some of it.
        let route: RouteText
        /// Why, or why nginx has refused that as well.
        var refusal: NginxRefusal?
        /// What was in force before, or what the file had where nobody says so.
        let before: RouteText
        /// The workers that it is to end.
        let workers: Set<Int32>
        /// How many of those took clients.
        let count: Int
        /// What nginx has said of it begins here.
        let said: NginxRefusal.Log
        let at = ContinuousClock.now
        /// Whether it was asked for again because somebody else's reload has come between: then it was taken once.
        let isSecond: Bool
        /// Whether another was still under way: a refusal may be that one's.
        let isQueued: Bool
        /// Whether nginx has taken or refused it.
        var isOver = false
    }

    private let state = Mutex<Attempt?>(nil)

    var last: Attempt? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
