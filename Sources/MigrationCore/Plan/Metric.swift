/// What is measured of one implementation in one window.
package enum Metric: String, Hashable, Codable, Sendable, CaseIterable {
    case errorRate = "error_rate"
    case timeoutRate = "timeout_rate"
    case cacheHitRate = "cache_hit_rate"
    case availability
    case latencyP50 = "latency.p50"
    case latencyP90 = "latency.p90"
    case latencyP95 = "latency.p95"
    case latencyP99 = "latency.p99"

    /// A threshold's unit: parts per million of a ratio, or microseconds.
    package enum Unit: Sendable { case ratio, time }

    package var unit: Unit { permille == nil ? .ratio : .time }

    /// The quantile of a latency metric in thousandths; nil for a ratio.
    package var permille: Int? {
        switch self {
        case .latencyP50: 500
        case .latencyP90: 900
        case .latencyP95: 950
        case .latencyP99: 990
        case .errorRate, .timeoutRate, .cacheHitRate, .availability: nil
        }
    }
}
