import MigrationCore
import Simulation

/// The weight over time, and under it a small chart for each metric of the criteria, all on one time line.
struct TrafficChart {
    let plan: Plan
    let points: [Outcome.Point]
    /// From the beginning to where each step was entered, and to where traffic was rolled back.
    let steps: [TimeSpan]
    let rollbacks: [TimeSpan]

    private static let width = 960.0
    private static let left = 120.0
    private static let right = 70.0
    private static let tall = 170.0
    private static let low = 74.0
    private static let gap = 18.0

    func svg() -> String {
        guard let last = points.last, last.at > .zero else { return "<p>No window was judged.</p>" }
        let criteria = plan.criteria.enumerated().filter { index, criterion in
            !plan.criteria[..<index].contains { $0.condition.metric == criterion.condition.metric }
        }
        let height = Self.tall + Double(criteria.count) * (Self.low + Self.gap) + 40
        var parts = [
            "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(height))\" role=\"img\" aria-label=\"weight and measurements over time\">"
        ]
        parts.append(contentsOf: weights(last.at))
        for (row, (index, criterion)) in criteria.enumerated() {
            parts += metric(index, criterion, last.at, top: Self.tall + Self.gap + Double(row) * (Self.low + Self.gap))
        }
        parts += Self.axis(last.at, height) + marks(last.at, height)
        return parts.joined(separator: "\n") + "</svg>"
    }

    private static func x(_ at: TimeSpan, _ end: TimeSpan) -> Double {
        left + Double(at.rawValue) / Double(end.rawValue) * (width - left - right)
    }

    private static func text(_ value: Double) -> String { Decimals.text(Int((value * 10).rounded()), scale: 10) }

    private func weights(_ end: TimeSpan) -> [String] {
        func y(_ share: Double) -> Double { 10 + (1 - share) * (Self.tall - 20) }
        var asked = "M\(Self.text(Self.left)) \(Self.text(y(0)))"
        var before = 0.0
        for point in points {
            let share = Double(point.asked.rawValue) / 10_000
            if share != before {
                let from = Self.text(Self.x(point.at - plan.window, end))
                asked += "L\(from) \(Self.text(y(before)))L\(from) \(Self.text(y(share)))"
                before = share
            }
        }
        asked +=
            "L\(Self.text(Self.x(end, end))) \(Self.text(y(before)))L\(Self.text(Self.x(end, end))) \(Self.text(y(0)))Z"
        let seen = Self.path(points.map { ($0.at, $0.seen?.number(.ratio)) }, end) { y($0) }
        return [
            "<text class=\"name\" x=\"0\" y=\"22\">weight</text>",
            "<path d=\"\(asked)\" fill=\"var(--asked)\" stroke=\"var(--candidate)\" stroke-dasharray=\"4 3\"/>",
            "<path d=\"\(seen)\" fill=\"none\" stroke=\"var(--candidate)\" stroke-width=\"1.5\"/>",
            "<text x=\"\(Int(Self.width - Self.right + 6))\" y=\"\(Self.text(y(1) + 4))\">100 %</text>",
            "<text x=\"\(Int(Self.width - Self.right + 6))\" y=\"\(Self.text(y(0) + 4))\">0 %</text>",
        ]
    }

    private func metric(
        _ index: Int,
        _ criterion: Criterion,
        _ end: TimeSpan,
        top: Double
    ) -> [String] {
        let metric = criterion.condition.metric
        func values(_ side: (Outcome.Point) -> [Measurement?]) -> [(TimeSpan, Double?)] {
            points.map { point in
                let list = side(point)
                return (point.at, list.indices.contains(index) ? list[index]?.number(metric.unit) : nil)
            }
        }
        let candidate = values(\.candidate), legacy = values(\.legacy)
        var most = (candidate + legacy).compactMap(\.1).max() ?? 0
        var limit: Double?
        if case .threshold(_, let value) = criterion.condition.test {
            limit = Double(value) / (metric.unit == .rate ? 1_000 : 1_000_000)
        }
        most = max(most, limit ?? 0)
        guard most > 0 else { most = 1; return [] }
        func y(_ value: Double) -> Double { top + Self.low - min(1, value / most) * Self.low }
        var parts = [
            "<text class=\"name\" x=\"0\" y=\"\(Self.text(top + 12))\">\(HTML.text(metric.name))</text>",
            "<line x1=\"\(Self.left)\" x2=\"\(Self.width - Self.right)\" y1=\"\(Self.text(top + Self.low))\" y2=\"\(Self.text(top + Self.low))\" stroke=\"var(--line)\"/>",
            "<path d=\"\(Self.path(legacy, end, y))\" fill=\"none\" stroke=\"var(--legacy)\"/>",
            "<path d=\"\(Self.path(candidate, end, y))\" fill=\"none\" stroke=\"var(--candidate)\" stroke-width=\"1.8\"/>",
            "<text x=\"\(Int(Self.width - Self.right + 6))\" y=\"\(Self.text(top + 10))\">\(HTML.text(SimulateText.number(most, metric)))</text>",
        ]
        if let limit {
            parts.append(
                "<line x1=\"\(Self.left)\" x2=\"\(Self.width - Self.right)\" y1=\"\(Self.text(y(limit)))\" y2=\"\(Self.text(y(limit)))\" stroke=\"var(--bad)\" stroke-dasharray=\"3 4\"/>"
            )
            parts.append(
                "<text x=\"0\" y=\"\(Self.text(top + 28))\">\(HTML.text("needs \(criterion.condition.limitText)"))</text>"
            )
        }
        return parts
    }

    /// A line through the values; where one is missing it is broken. At most a few points for each pixel: the largest of a group counts.
    private static func path(_ values: [(TimeSpan, Double?)], _ end: TimeSpan, _ y: (Double) -> Double) -> String {
        let group = max(1, values.count / 1_200)
        var path = ""
        var isBroken = true
        for start in stride(from: 0, to: values.count, by: group) {
            let part = values[start..<min(values.count, start + group)]
            guard let value = part.compactMap(\.1).max(), let at = part.last?.0 else {
                isBroken = true
                continue
            }
            path += "\(isBroken ? "M" : "L")\(text(x(at, end))) \(text(y(value)))"
            isBroken = false
        }
        return path.isEmpty ? "M0 0" : path
    }

    private static func axis(_ end: TimeSpan, _ height: Double) -> [String] {
        (0...6).map { tick in
            let at = TimeSpan(rawValue: end.rawValue * Int64(tick) / 6)
            return
                "<text x=\"\(text(x(at, end)))\" y=\"\(Int(height) - 6)\" text-anchor=\"middle\">\(HTML.text(LocalTime.span(at)))</text>"
        }
    }

    /// The beginning of each step, and a rollback.
    private func marks(_ end: TimeSpan, _ height: Double) -> [String] {
        var parts: [String] = steps.map { step in
            let place = Self.text(Self.x(step, end))
            return "<line x1=\"\(place)\" x2=\"\(place)\" y1=\"8\" y2=\"\(Int(height) - 24)\" stroke=\"var(--line)\"/>"
        }
        for decided in rollbacks {
            let place = Self.text(Self.x(decided, end))
            parts.append(
                "<line x1=\"\(place)\" x2=\"\(place)\" y1=\"8\" y2=\"\(Int(height) - 24)\" stroke=\"var(--bad)\" stroke-width=\"1.5\"/>"
            )
            parts.append(
                "<text x=\"\(place)\" dx=\"-5\" y=\"18\" text-anchor=\"end\" style=\"fill:var(--bad)\">rolled back</text>"
            )
        }
        return parts
    }
}

extension Condition {
    /// The limit of a threshold: `< 2%`.
    fileprivate var limitText: String {
        guard case .threshold(let side, let value) = test else { return "" }
        return "\(side.rawValue) \(Self.text(value, metric.unit))"
    }
}
