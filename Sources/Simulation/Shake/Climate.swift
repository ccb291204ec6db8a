import MigrationCore
import Randomness

/// Candidates that are good most of the time, at fault sometimes, and somewhere between now and then: for a while at a time, by chance,
/// and always good once the weather is fair.
struct Climate: Traffic {
    /// Requests to each router in a window.
    let requests: Int
    let seed: UInt64
    /// For how long a candidate stays as it is.
    let spell: TimeSpan
    /// From then on everything is good.
    var fairFrom = Timestamp(rawValue: .max)

    private enum Quality { case good, middling, bad }

    private func quality(_ service: Int, _ environment: String, at: Timestamp) -> Quality {
        guard at < fairFrom else { return .good }
        var mix = Mix(seed: seed)
        mix.add(at.rawValue / max(1, spell.rawValue))
        mix.add(service)
        mix.add(environment.utf8.count)
        switch mix.value % 100 {
        case 0..<4: return .bad
        case 4..<8: return .middling
        default: return .good
        }
    }

    func measure(_ stretch: Stretch, _ random: inout SplitMix) -> ServiceWindow {
        let sent = stretch.share > 0 ? max(1, Int(stretch.share * Double(requests))) : 0
        var window = ServiceWindow()
        window.legacy = Self.counts(requests - min(sent, requests), errors: 2, micros: 300_000)
        switch quality(stretch.service, stretch.environment, at: stretch.from) {
        case .good: window.candidate = Self.counts(sent, errors: 0, micros: 80_000)
        case .middling: window.candidate = Self.counts(sent, errors: 30, micros: 700_000)
        case .bad: window.candidate = Self.counts(sent, errors: 200, micros: 3_000_000)
        }
        return window
    }

    func read(_ source: Source, in environment: String, from: Timestamp, _ random: inout SplitMix) -> SourceAnswer? {
        let isFair = from >= fairFrom
        guard isFair || random.unit() < 0.9 else { return nil }
        let isFailed = !isFair && random.unit() < 0.1
        let value = Measurement(value: isFair || random.unit() < 0.95 ? 99 : 80, of: 100)
        let longest = isFair ? 200_000 : source.timeout.rawValue * 2
        return SourceAnswer(
            reading: Reading(candidate: isFailed ? nil : value, legacy: isFailed ? nil : value, isFailed: isFailed),
            after: TimeSpan(rawValue: Int64.random(in: 1_000...longest, using: &random))
        )
    }

    /// So many errors of a thousand, and everything equally slow.
    private static func counts(_ requests: Int, errors: Int, micros: Int) -> Counts {
        var counts = Counts()
        guard requests > 0 else { return counts }
        counts.requests = requests
        counts.errors = (requests * errors + 999) / 1_000
        counts.latency = LatencyHistogram([LatencyHistogram.Bucket(micros: micros, count: requests)])
        return counts
    }
}
