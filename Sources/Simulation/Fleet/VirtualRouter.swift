import MigrationCore
import Randomness
import Routing

/// A simulated data plane: what it keeps on its disk, what it does with requests, and what it measures.
struct VirtualRouter: Sendable {
    let name: String
    let migration: Int
    let environment: String
    /// What it keeps on its disk, and serves.
    var fence = Fence()
    var isUp = true
    /// Cut off from the database.
    var isCut = false
    /// Its clock less the database's.
    var skew = TimeSpan.zero
    /// Counts its lives: what was meant for an earlier one is nothing to it.
    var life: UInt32 = 0
    /// What it said of itself last, and was heard to.
    var said: VirtualLog.Report?
    var meter: Meter

    /// What share of the requests went where, in the window under way.
    struct Meter: Sendable {
        /// The window, by the router's own clock.
        var k: Int64
        /// Whether it is measured from its beginning.
        var isWhole: Bool
        /// Up to when it has been measured, by the database's clock.
        var until: Timestamp
        /// Σ weight · microseconds, by service.
        var exposure: [Int64]
    }

    func weight(_ service: String) -> Weight { fence.table?.weight(of: service) ?? .zero }

    /// Measures up to a moment, with the weights that are in force.
    mutating func settle(_ plan: Plan, at: Timestamp) {
        let span = (at - meter.until).rawValue
        if isUp, span > 0, fence.table != nil {
            for index in plan.services.indices {
                meter.exposure[index] += Int64(weight(plan.services[index].name).rawValue) * span
            }
        }
        meter.until = max(meter.until, at)
    }

    /// When the window under way ends, by the database's clock.
    func windowEnd(_ plan: Plan) -> Timestamp { plan.clock.end(of: meter.k) - skew }

    /// Begins to measure at a moment.
    mutating func begin(_ plan: Plan, at: Timestamp) {
        let mine = at + skew
        let k = plan.clock.index(of: mine)
        meter = Meter(
            k: k,
            isWhole: plan.clock.start(of: k) == mine,
            until: at,
            exposure: plan.services.map { _ in 0 }
        )
    }

    /// Ends the window under way and begins the next one.
    ///
    /// - Returns: the window's measurements; nil when it was not measured from its beginning.
    mutating func endWindow(_ plan: Plan, _ traffic: some Traffic, routers: Int, _ random: inout SplitMix)
        -> RouterSignal?
    {
        let end = windowEnd(plan)
        settle(plan, at: end)
        let whole = meter
        meter = Meter(k: whole.k + 1, isWhole: true, until: end, exposure: plan.services.map { _ in 0 })
        guard whole.isWhole else { return nil }
        let length = plan.window.rawValue
        let services = plan.services.indices.map { index in
            traffic.measure(
                Stretch(
                    service: index,
                    environment: environment,
                    from: end - plan.window,
                    span: plan.window,
                    share: Double(whole.exposure[index]) / (Double(length) * 10_000),
                    routers: routers
                ),
                &random
            )
        }
        return RouterSignal(k: whole.k, router: name, environment: environment, services: services)
    }
}
