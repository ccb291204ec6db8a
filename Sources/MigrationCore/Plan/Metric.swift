/// What is measured of one implementation in one window.
package enum Metric: Hashable, Sendable {
    case errorRate
    case timeoutRate
    case cacheHitRate
    case availability
    /// The share of copied requests of which the two answers differ in more than noise.
    case difference
    /// The share of requests that took longer.
    case slowRate(over: TimeSpan)
    /// A quantile of the latency, in thousandths.
    case latency(permille: Int)
    case latencyMean
    /// Requests a second.
    case throughput
    /// What a source of the plan says, and whether a high value is the bad one.
    case named(name: String, unit: Unit, isBadWhenHigh: Bool)

    /// What a threshold counts: millionths of a whole, microseconds, thousandths of a request a second, millionths of one.
    package enum Unit: String, Hashable, Codable, Sendable, CaseIterable { case ratio, time, rate, number }

    package var unit: Unit {
        switch self {
        case .errorRate, .timeoutRate, .cacheHitRate, .availability, .difference, .slowRate: .ratio
        case .latency, .latencyMean: .time
        case .throughput: .rate
        case .named(_, let unit, _): unit
        }
    }

    /// As a plan writes it.
    package var name: String {
        switch self {
        case .slowRate(let limit): "slow_rate(\(limit))"
        case .latency(let permille): "latency.p\(Decimals.text(permille, scale: 10))"
        case .named(let name, _, _): name
        case .errorRate, .timeoutRate, .cacheHitRate, .availability, .difference, .latencyMean, .throughput: fixedName
        }
    }

    /// Those that take no setting, and the usual quantiles.
    package static let common: [Metric] = [
        .errorRate, .timeoutRate, .cacheHitRate, .availability, .difference, .latency(permille: 500),
        .latency(permille: 900), .latency(permille: 950), .latency(permille: 990), .latencyMean, .throughput,
    ]

    private var fixedName: String {
        switch self {
        case .errorRate: "error_rate"
        case .timeoutRate: "timeout_rate"
        case .cacheHitRate: "cache_hit_rate"
        case .availability: "availability"
        case .difference: "difference"
        case .latencyMean: "latency.mean"
        case .throughput: "throughput"
        case .slowRate, .latency, .named: ""
        }
    }

    /// Whether a high value is the bad one.
    package var isBadWhenHigh: Bool {
        switch self {
        case .errorRate, .timeoutRate, .difference, .slowRate, .latency, .latencyMean: true
        case .named(_, _, let isBadWhenHigh): isBadWhenHigh
        case .cacheHitRate, .availability, .throughput: false
        }
    }

    /// Whether it can be measured where no request goes.
    package var needsTraffic: Bool {
        switch self {
        case .availability, .named: false
        case .errorRate, .timeoutRate, .cacheHitRate, .difference, .slowRate, .latency, .latencyMean, .throughput: true
        }
    }
}

extension Metric: Codable {
    /// One text in the log: the name, and what belongs to it after colons.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let metric = Metric(code: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "there is no metric “\(text)”")
        }
        self = metric
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(code)
    }

    private var code: String {
        switch self {
        case .slowRate(let limit): "slow_rate:\(limit.rawValue)"
        case .named(let name, let unit, let isBadWhenHigh):
            "\(isBadWhenHigh ? "low" : "high"):\(unit.rawValue):\(name)"
        case .errorRate, .timeoutRate, .cacheHitRate, .availability, .difference, .latency, .latencyMean, .throughput:
            name
        }
    }

    private init?(code: String) {
        if let metric = Self.common.first(where: { $0.name == code }) {
            self = metric
            return
        }
        let parts = code.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        switch (parts.first, parts.count) {
        case ("slow_rate", 2):
            guard let limit = Int64(parts[1]), limit > 0 else { return nil }
            self = .slowRate(over: TimeSpan(rawValue: limit))
        case ("low", 3), ("high", 3):
            guard let unit = Unit(rawValue: parts[1]) else { return nil }
            self = .named(name: parts[2], unit: unit, isBadWhenHigh: parts[0] == "low")
        default:
            guard let metric = Metric(quantile: code) else { return nil }
            self = metric
        }
    }

    /// A quantile by its name: `latency.p95`, `latency.p99.9`.
    package init?(quantile text: String) {
        let prefix = "latency.p"
        guard text.hasPrefix(prefix) else { return nil }
        let parts = text.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let whole = parts.first.flatMap({ Int($0) }), (1...99).contains(whole)
        else { return nil }
        let tenth = parts.count == 2 ? Int(parts[1]) : 0
        guard let tenth, (0...9).contains(tenth), parts.count == 1 || parts[1].count == 1 else { return nil }
        self = .latency(permille: whole * 10 + tenth)
    }
}
