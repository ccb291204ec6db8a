import Gateway
import MigrationCore
import Routing
import Signals
import Synchronization

/// What a data plane's follower has done since it began, as whoever scrapes it is told.
final class PlaneRecord: Sendable {
    private struct State {
        var refusals: [RoutingError.Code: Int] = [:]
        var retold = 0
        var measured = 0
        var missing = 0
        /// For each service legacy and the candidate.
        var totals: [ServiceWindow]
        /// Why the data plane cannot be asked; nil where it was asked last.
        var unasked: String? = "it was not asked yet"
        /// Why the data plane has not taken what it was told last; nil where it has, or there is nothing to tell.
        var untold: String?
    }

    private let plan: Plan
    private let state: Mutex<State>

    init(_ plan: Plan) {
        self.plan = plan
        state = Mutex(State(totals: plan.services.map { _ in ServiceWindow() }))
    }

    /// Why the data plane cannot be asked, or does not take what it is told; nil where nothing is wrong.
    var fault: String? { state.withLock { $0.untold ?? $0.unasked } }

    /// - Parameter error: why it was not taken; nil where it was.
    func told(_ error: RoutingError?) {
        state.withLock { state in
            if let error { state.refusals[error.code, default: 0] += 1 } else { state.unasked = nil }
            state.untold = error?.message
        }
    }

    /// - Parameters:
    ///   - error: why it could not be asked; nil where it could.
    ///   - hadForgotten: whether it had to be told again.
    func asked(_ error: RoutingError?, hadForgotten: Bool = false) {
        state.withLock { state in
            if let error { state.refusals[error.code, default: 0] += 1 }
            if hadForgotten { state.retold += 1 }
            state.unasked = error?.message
        }
    }

    /// - Parameters:
    ///   - windows: what was measured; nil where not all was.
    ///   - count: how many windows were over.
    func took(_ windows: [MeasuredWindow]?, of count: Int64) {
        state.withLock { state in
            state.measured += windows?.count ?? 0
            state.missing += max(0, Int(count) - (windows?.count ?? 0))
            for window in windows ?? [] {
                for (index, service) in window.services.enumerated() where state.totals.indices.contains(index) {
                    state.totals[index] = state.totals[index] + service
                }
            }
        }
    }

    /// In the OpenMetrics text format.
    ///
    /// - Parameter table: what is in force; nil before the first.
    func text(router: String, environment: String, table: RouteTable?) -> String {
        let state = state.withLock { $0 }
        var metrics = OpenMetrics(plan: plan, router: router, environment: environment)
        let counters: [(String, String, (Counts) -> Int)] = [
            ("requests", "Requests that ended, in the windows that were measured.", { $0.requests }),
            ("errors", "Requests that the service failed, but for those below.", { $0.errors }),
            ("timeouts", "Requests that were not answered in time.", { $0.timeouts }),
        ]
        for (name, help, value) in counters {
            metrics.family("migrate_\(name)", "counter", help)
            for (service, totals) in zip(plan.services, state.totals) {
                for side in Implementation.allCases {
                    let labels = ["service": service.name, "implementation": side.rawValue]
                    metrics.sample("migrate_\(name)_total", labels, "\(value(totals[side]))")
                }
            }
        }
        let fault = state.untold ?? state.unasked
        // What is not seen to be in force is not said to be.
        metrics.routes(fault == nil ? table : nil)
        metrics.family("migrate_plane_up", "gauge", "Whether the data plane can be asked and has what it was told.")
        metrics.sample("migrate_plane_up", [:], fault == nil ? "1" : "0")
        metrics.family(
            "migrate_plane_refusals",
            "counter",
            "How often the data plane could not be asked or told, by why."
        )
        for (code, count) in state.refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            metrics.sample("migrate_plane_refusals_total", ["reason": code.rawValue], "\(count)")
        }
        metrics.family(
            "migrate_plane_told_again",
            "counter",
            "How often the data plane had another route than it was told."
        )
        metrics.sample("migrate_plane_told_again_total", [:], "\(state.retold)")
        metrics.family("migrate_plane_windows", "counter", "Windows that were measured.")
        metrics.sample("migrate_plane_windows_total", [:], "\(state.measured)")
        metrics.family("migrate_plane_windows_missing", "counter", "Windows of which not all was measured.")
        metrics.sample("migrate_plane_windows_missing_total", [:], "\(state.missing)")
        return metrics.finished
    }
}

/// Windows that are counted when they are taken.
struct CountedWindows: WindowSource {
    let windows: any PlaneWindows
    let record: PlaneRecord

    func begin() async { await windows.begin() }

    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
        let taken = await windows.take(from: first, before: k)
        record.took(taken, of: k - first)
        return taken
    }
}
