/// What a condition remembers of the windows before: all of it comes out of events, none of it is ever asked for anew.
package struct Running: Hashable, Codable, Sendable {
    /// One window of both sides, for a comparison by ranks.
    package struct Pair: Hashable, Codable, Sendable {
        package var k: Int64
        package var candidate: Measurement
        package var legacy: Measurement
    }

    /// A piece of time of an error budget.
    package struct Slot: Hashable, Codable, Sendable {
        package var index: Int64
        package var bad: Int
        package var total: Int
    }

    package var streak = Streak()
    package var process: EProcess?
    package var recent: [Pair] = []
    package var long: [Slot] = []
    package var short: [Slot] = []

    package init() {}

    /// A burn rate's times are cut into so many slots at most, so a time is up to a thirtieth longer than the plan says.
    private static let slots: Int64 = 30
    /// No slot counts further: whatever is added to it stays within an integer.
    private static let most = Counts.largest * 1_000_000
    /// Ranks compare at most so many windows.
    private static let pairs = 360

    /// What is remembered after one more window.
    func adding(_ judged: Judged, of condition: Condition, k: Int64, window: TimeSpan) -> Running {
        var next = self
        next.streak = judged.streak
        next.process = judged.process
        switch condition.test {
        case .threshold, .improved, .compared: break
        case .ranked(_, let over):
            let first = k - Int64(max(1, over.windows(of: window))) + 1
            next.recent.removeAll { $0.k < first }
            if let candidate = judged.candidate, let legacy = judged.legacy {
                next.recent.append(Pair(k: k, candidate: candidate, legacy: legacy))
            }
            next.recent = next.recent.suffix(Self.pairs)
        case .burning(_, let long, let short, _):
            guard let measured = judged.candidate else { break }
            let bad = condition.metric.bad(measured)
            Self.add(bad, of: measured.of, k, Self.width(long, window), to: &next.long)
            Self.add(bad, of: measured.of, k, Self.width(short, window), to: &next.short)
        }
        return next
    }

    /// The number that a cumulative condition is judged by; nil for one that is judged window by window, or has too little yet.
    func figure(of condition: Condition, k: Int64, window: TimeSpan) -> Judged.Figure? {
        switch condition.test {
        case .threshold, .improved: return nil
        case .compared: return process.map { .evidence(Self.whole($0.logE, 1e9)) }
        case .ranked:
            let unit = condition.metric.unit
            let candidate = recent.map { $0.candidate.number(unit) }, legacy = recent.map { $0.legacy.number(unit) }
            // With fewer than four windows a side no difference is seen at any usual confidence.
            guard recent.count >= 4 else { return nil }
            let sum =
                condition.metric.isBadWhenHigh ? RankSum(candidate, over: legacy) : RankSum(legacy, over: candidate)
            return sum.map { .ranks(p: Self.whole($0.p, 1e9), estimate: Self.whole($0.estimate, 1e9)) }
        case .burning(_, let long, let short, let objective):
            guard let long = Self.burn(self.long, k, Self.width(long, window), objective),
                let short = Self.burn(self.short, k, Self.width(short, window), objective)
            else { return nil }
            return .burn(long: long, short: short)
        }
    }

    private static func width(_ span: TimeSpan, _ window: TimeSpan) -> Int64 {
        max(1, (Int64(span.windows(of: window)) + slots - 1) / slots)
    }

    private static func add(_ bad: Int, of total: Int, _ k: Int64, _ width: Int64, to slots: inout [Slot]) {
        let index = k / width
        if let last = slots.indices.last, slots[last].index == index {
            slots[last].bad = min(slots[last].bad + bad, most)
            slots[last].total = min(slots[last].total + total, most)
        } else {
            slots.append(Slot(index: index, bad: bad, total: total))
        }
        slots.removeAll { $0.index <= index - Self.slots }
    }

    /// How many times as fast as the objective allows the budget was spent, in thousandths.
    private static func burn(_ slots: [Slot], _ k: Int64, _ width: Int64, _ objective: Int) -> Int? {
        let seen = slots.filter { $0.index > k / width - Self.slots }
        let total = seen.reduce(Int128(0)) { $0 + Int128($1.total) }
        let bad = seen.reduce(Int128(0)) { $0 + Int128($1.bad) }
        guard total > 0, objective < 1_000_000 else { return nil }
        return Int(clamping: bad * 1_000_000_000 / (total * Int128(1_000_000 - objective)))
    }

    private static func whole(_ value: Double, _ scale: Double) -> Int {
        guard value.isFinite else { return value > 0 ? Counts.largest * 1_000_000 : 0 }
        return Int(min(max((value * scale).rounded(), -1e18), 1e18))
    }
}
