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

    func begin() async {}
    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? { meter.take(from: first, before: k) }
}

/// Hands in every window once it is over. Only whole windows: the one in which the gateway began is no measurement.
package struct SignalPump: ServiceLifecycle.Service {
    /// How many windows are kept for a sink that is away.
    private static let kept = 600
    /// Requests that end exactly at a window's end are still being counted a moment later.
    private static let settle = TimeSpan.milliseconds(20)

    let name: String
    let environment: String
    let clock: WindowClock
    let source: any WindowSource
    let sink: any SignalSink
    let logger: Logger

    /// - Parameters:
    ///   - name: the router's in the log.
    ///   - source: what is measured; a window in which not all was is not handed in, and so is missing.
    package init(
        name: String,
        environment: String,
        clock: WindowClock,
        source: any WindowSource,
        sink: any SignalSink,
        logger: Logger
    ) {
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

    private func pump() async {
        var next = clock.index(of: SystemClock.now) + 1
        var waiting: [RouterSignal] = []
        await source.begin()
        while !Task.isCancelled {
            let due = clock.end(of: next) + Self.settle
            let pause = due - SystemClock.now
            if pause > .zero { try? await Task.sleep(for: .microseconds(pause.rawValue)) }
            let current = clock.index(of: SystemClock.now - Self.settle)
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
