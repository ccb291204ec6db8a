import Gateway
import Logging
import MigrationCore
import Signals
import Synchronization
import TestSupport
import Testing

@Suite("What hands windows in")
struct SignalPumpTests {
    /// Windows of which each says how many times measuring had begun when it was taken.
    private final class Source: WindowSource {
        let begun = Atomic<Int>(0)

        func begin() async { begun.wrappingAdd(1, ordering: .relaxed) }

        func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
            (first..<k).map { MeasuredWindow(k: $0, services: []) }
        }
    }

    @Test(
        "a clock that is set makes the windows around it missing, forward and back, and none is handed in twice",
        arguments: [30, -30]
    )
    func clockSet(_ seconds: Int) async throws {
        let clock = WindowClock(length: .milliseconds(200))
        let set = Atomic<Int64>(0)
        let now: @Sendable () -> Timestamp = {
            SystemClock.now + TimeSpan(rawValue: set.load(ordering: .relaxed))
        }
        let source = Source(), sink = TestRoutes()
        let pump = SignalPump(
            name: "r",
            environment: "production",
            clock: clock,
            source: source,
            sink: sink,
            logger: Logger(label: "test"),
            now: now
        )
        let task = Task { try await pump.run() }
        try await eventually("three windows") { sink.signals.count >= 3 }
        set.store(Int64(seconds) * 1_000_000, ordering: .relaxed)
        let at = clock.index(of: now())
        try await eventually("it to be seen") { source.begun.load(ordering: .relaxed) == 2 }
        let before = sink.signals.map(\.k)
        if seconds > 0 {
            try await eventually("windows of the new time") { (sink.signals.last?.k ?? 0) > at }
            // None was lived between the two times, nor was that of the jump.
            #expect(!sink.signals.map(\.k).contains { $0 > before.last ?? 0 && $0 <= at })
        } else {
            // Until its time has come again nothing is said: five windows long that is watched.
            try await Task.sleep(for: .seconds(1))
            #expect(sink.signals.map(\.k) == before)
        }
        #expect(Set(sink.signals.map(\.k)).count == sink.signals.count)
        task.cancel()
        _ = await task.result
    }
}
