import Foundation
import MigrationCore
import Synchronization

/// Says on standard error how far something long has come: a line in place on a terminal, a line every few seconds elsewhere, and
/// nothing within the first second.
final class Progress: Sendable {
    private struct State {
        var started: ContinuousClock.Instant
        var told: ContinuousClock.Instant?
        var done = 0
    }

    private let what: String
    private let total: Int
    private let state = Mutex(State(started: .now, told: nil))

    /// - Parameter what: what is counted, such as `rehearsals`.
    init(_ what: String, of total: Int) {
        self.what = what
        self.total = total
    }

    func reach(_ done: Int) { advance { $0 = done } }

    /// For those who count in several places at once.
    func add(_ more: Int) { advance { $0 += more } }

    private func advance(_ change: (inout Int) -> Void) {
        let isTerminal = isatty(2) == 1
        let line = state.withLock { state -> String? in
            change(&state.done)
            let done = state.done
            let now = ContinuousClock.now
            let seconds = (now - state.started) / .seconds(1)
            let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(3)
            guard seconds > 1, done > 0, done < total, now - (state.told ?? state.started) >= pause else { return nil }
            state.told = now
            let rate = Double(done) / seconds
            let left = LocalTime.span(TimeSpan(rawValue: Int64(Double(total - done) / rate * 1_000_000)))
            return "\(done) of \(total) \(what), \(Decimals.text(Int(rate * 10), scale: 10))/s, \(left) left"
        }
        guard let line else { return }
        if isTerminal { Output.rawError("\r\u{1B}[2K\(line)") } else { Output.error(line) }
    }

    /// Takes away what stands on a terminal.
    func end() {
        if isatty(2) == 1, state.withLock({ $0.told != nil }) { Output.rawError("\r\u{1B}[2K") }
    }
}
