package import Logging
package import MigrationCore
import ServiceLifecycle
package import Signals

/// Where a gateway's measurements go.
package protocol SignalSink: Sendable {
    /// - Throws: when they could not be handed in; they are offered again.
    func hand(in signals: [RouterSignal]) async throws
}

/// What a router's services do, in windows.
package protocol WindowSource: Sendable {
    /// Measuring begins: what happened before is in no window.
    func begin() async
    /// Takes the windows from `first` on that are over, up to the one before `k`.
    ///
    /// - Returns: nil when not all that happened in them was measured.
    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]?
}

/// The gateway counts everything itself.
struct MeterWindows: WindowSource {
    let meter: Meter

    func begin() async { meter.restart() }
    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? { meter.take(from: first, before: k) }
}

/// Hands in every window once it is over. Only whole windows: the one in which the gateway began is no measurement.
package struct SignalPump: ServiceLifecycle.Service {
    /// How many windows are kept for a sink that is away.
    private static let kept = 600
    /// Requests that end exactly at a window's end are still being counted a moment later.
    private static let settle = TimeSpan.milliseconds(20)
    /// By so much this machine's clock may go otherwise than time does, in microseconds: it is kept in step with others.
    private static let step: Int64 = 50_000

    let name: String
    let environment: String
    let clock: WindowClock
    let source: any WindowSource
    let sink: any SignalSink
    let logger: Logger
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - name: the router's in the log.
    ///   - source: what is measured; a window in which not all was is not handed in, and so is missing.
    ///   - now: this machine's clock.
    package init(
        name: String,
        environment: String,
        clock: WindowClock,
        source: any WindowSource,
        sink: any SignalSink,
        logger: Logger,
        now: @escaping @Sendable () -> Timestamp = { SystemClock.now }
    ) {
        self.now = now
        self.name = name
        self.environment = environment
        self.clock = clock
        self.source = source
        self.sink = sink
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { await pump() }
    }

    /// What this machine's clock says beyond the time since some moment, in microseconds; nil where the machine is too busy to tell.
    private var offset: Int64? {
        for _ in 0..<8 {
            let began = SystemClock.steady, time = now(), ended = SystemClock.steady
            if ended - began < .milliseconds(5) { return time.rawValue - began.rawValue }
        }
        return nil
    }

    private func pump() async {
        var next = clock.index(of: now()) + 1
        var offset = self.offset
        var waiting: [RouterSignal] = []
        await source.begin()
        while !Task.isCancelled {
            let due = clock.end(of: next) + Self.settle
            let pause = due - now()
            if pause > .zero { try? await Task.sleep(for: .microseconds(min(pause, clock.length).rawValue)) }
            let before = offset
            offset = self.offset ?? offset
            let moved = (offset ?? 0) - (before ?? offset ?? 0)
            if abs(moved) > max(Self.step, clock.length.rawValue / 10) {
                // What was counted since has the time of another clock: windows that it says were never lived, or hold more than their time.
                next = max(next, clock.index(of: now())) + 1
                logger.warning(
                    "this machine’s clock was set: windows are missing",
                    metadata: ["by": "\(TimeSpan(rawValue: moved))"]
                )
                await source.begin()
                continue
            }
            let current = clock.index(of: now() - Self.settle)
            guard current > next, !Task.isCancelled else { continue }
            if let windows = await source.take(from: next, before: current) {
                waiting += windows.map { window in
                    RouterSignal(k: window.k, router: name, environment: environment, services: window.services)
                }
            } else {
                logger.warning("not all was measured: windows are missing", metadata: ["windows": "\(current - next)"])
            }
            next = current
            waiting = Array(waiting.suffix(Self.kept))
            do {
                try await sink.hand(in: waiting)
                waiting = []
            } catch {
                logger.warning(
                    "measurements kept back",
                    metadata: ["windows": "\(waiting.count)", "reason": "\(error)"]
                )
            }
        }
    }
}
