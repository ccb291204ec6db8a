package import Logging
package import MigrationCore
import ServiceLifecycle
package import Signals

/// Where a gateway's measurements go.
package protocol SignalSink: Sendable {
    /// - Throws: when they could not be handed in; they are offered again.
    func hand(in signals: [RouterSignal]) async throws
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
    let meter: Meter
    let sink: any SignalSink
    let isWhole: @Sendable () async -> Bool
    let logger: Logger

    /// - Parameters:
    ///   - name: the router's in the log.
    ///   - isWhole: whether all that happened since it was asked last was measured; a window in which something was not is not handed in, and
    ///     so is missing.
    package init(
        name: String,
        environment: String,
        clock: WindowClock,
        meter: Meter,
        sink: any SignalSink,
        isWhole: @escaping @Sendable () async -> Bool = { true },
        logger: Logger
    ) {
        self.name = name
        self.environment = environment
        self.clock = clock
        self.meter = meter
        self.sink = sink
        self.isWhole = isWhole
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { await pump() }
    }

    private func pump() async {
        var next = clock.index(of: SystemClock.now) + 1
        var waiting: [RouterSignal] = []
        _ = await isWhole()
        while !Task.isCancelled {
            let due = clock.end(of: next) + Self.settle
            let pause = due - SystemClock.now
            if pause > .zero { try? await Task.sleep(for: .microseconds(pause.rawValue)) }
            let current = clock.index(of: SystemClock.now - Self.settle)
            guard current > next, !Task.isCancelled else { continue }
            let signals = meter.take(from: next, before: current).map { window in
                RouterSignal(k: window.k, router: name, environment: environment, services: window.services)
            }
            if await isWhole() {
                waiting += signals
            } else {
                logger.warning("not all was measured: windows are missing", metadata: ["windows": "\(signals.count)"])
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
