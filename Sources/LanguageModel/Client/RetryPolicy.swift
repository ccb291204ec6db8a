import Foundation

/// Whether and when a request is made again.
///
/// Source: 5-recommendations.md, “The language model”; the official clients' `_should_retry` and `_calculate_retry_timeout` do the same.
package struct RetryPolicy: Sendable {
    private static let longestAsked = 60.0
    private static let longest = 8.0

    private let random: @Sendable () -> Double

    /// - Parameter random: 0…1.
    package init(random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }) { self.random = random }

    /// Whether a status is worth another try; the server's own word goes first.
    package static func isWorthAnother(status: Int, shouldRetry: String?) -> Bool {
        switch shouldRetry {
        case "true": true
        case "false": false
        default: status == 408 || status == 409 || status == 429 || status >= 500
        }
    }

    /// How long to wait before try `attempt` + 1.
    ///
    /// - Parameters:
    ///   - attempt: from 0.
    ///   - milliseconds: the field `retry-after-ms`.
    ///   - after: the field `retry-after`: seconds, or a date.
    ///   - now: seconds since 1970.
    /// - Returns: what the server asks for, up to a minute; else half a second, doubled with every try up to eight, and up to a quarter less by chance.
    package func wait(attempt: Int, milliseconds: String?, after: String?, now: Double) -> Duration {
        let asked =
            milliseconds.flatMap { Double($0) }.map { $0 / 1_000 } ?? after.flatMap { Self.seconds($0, now: now) }
        if let asked, asked > 0, asked <= Self.longestAsked { return .milliseconds(Int(asked * 1_000)) }
        let seconds = min(0.5 * Double(1 << min(attempt, 10)), Self.longest)
        return .milliseconds(Int(seconds * (1 - 0.25 * random()) * 1_000))
    }

    private static func seconds(_ text: String, now: Double) -> Double? {
        if let seconds = Double(text) { return seconds.isFinite ? seconds : nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text).map { $0.timeIntervalSince1970 - now }
    }
}
