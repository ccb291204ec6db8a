/// What one implementation of one service did in one window.
package struct Counts: Hashable, Sendable {
    /// No count in a router's window is larger; one that is, is no measurement. What is in the log may be a sum of such, and is read whatever it is.
    package static let largest = 1_000_000_000_000

    package var requests = 0
    package var errors = 0
    package var timeouts = 0
    package var cacheHits = 0
    package var cacheMisses = 0
    package var probesUp = 0
    package var probesDown = 0
    /// Different users, and those among them of whom a request failed or timed out; a user of two routers is counted at each. 0 where no
    /// request had a key.
    package var users = 0
    package var usersWithErrors = 0
    package var usersWithTimeouts = 0
    /// Copied requests of which both sides' answers were compared, and those among them that differ in more than noise; of the candidate.
    package var compared = 0
    package var different = 0
    package var latency = LatencyHistogram()

    package init() {}

    /// Wraps: a sum beyond all measure is implausible, and no measurement.
    package static func + (left: Counts, right: Counts) -> Counts {
        var sum = left
        sum.requests &+= right.requests
        sum.errors &+= right.errors
        sum.timeouts &+= right.timeouts
        sum.cacheHits &+= right.cacheHits
        sum.cacheMisses &+= right.cacheMisses
        sum.probesUp &+= right.probesUp
        sum.probesDown &+= right.probesDown
        sum.users &+= right.users
        sum.usersWithErrors &+= right.usersWithErrors
        sum.usersWithTimeouts &+= right.usersWithTimeouts
        sum.compared &+= right.compared
        sum.different &+= right.different
        sum.latency = left.latency + right.latency
        return sum
    }

    /// Whether every count is one that can have been counted.
    package var isPlausible: Bool {
        [
            requests, errors, timeouts, cacheHits, cacheMisses, probesUp, probesDown, latency.count, users,
            usersWithErrors,
            usersWithTimeouts, compared, different,
        ]
        .allSatisfy { (0...Self.largest).contains($0) }
    }
}

extension Counts: Codable {
    private enum Key: String, CodingKey {
        case requests, errors, timeouts, cacheHits, cacheMisses, probesUp, probesDown, latency, users, usersWithErrors
        case usersWithTimeouts, compared, different
    }

    /// Zeros are left out of the log: most windows have many.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func count(_ key: Key) throws -> Int {
            let count = try container.decodeIfPresent(Int.self, forKey: key) ?? 0
            guard count >= 0 else {
                throw DecodingError.dataCorruptedError(
                    forKey: key,
                    in: container,
                    debugDescription: "a count is 0 or more"
                )
            }
            return count
        }
        requests = try count(.requests)
        errors = try count(.errors)
        timeouts = try count(.timeouts)
        cacheHits = try count(.cacheHits)
        cacheMisses = try count(.cacheMisses)
        probesUp = try count(.probesUp)
        probesDown = try count(.probesDown)
        users = try count(.users)
        usersWithErrors = try count(.usersWithErrors)
        usersWithTimeouts = try count(.usersWithTimeouts)
        compared = try count(.compared)
        different = try count(.different)
        latency = try container.decodeIfPresent(LatencyHistogram.self, forKey: .latency) ?? LatencyHistogram()
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        func encode(_ count: Int, _ key: Key) throws {
            if count != 0 { try container.encode(count, forKey: key) }
        }
        try encode(requests, .requests)
        try encode(errors, .errors)
        try encode(timeouts, .timeouts)
        try encode(cacheHits, .cacheHits)
        try encode(cacheMisses, .cacheMisses)
        try encode(probesUp, .probesUp)
        try encode(probesDown, .probesDown)
        try encode(users, .users)
        try encode(usersWithErrors, .usersWithErrors)
        try encode(usersWithTimeouts, .usersWithTimeouts)
        try encode(compared, .compared)
        try encode(different, .different)
        if !latency.buckets.isEmpty { try container.encode(latency, forKey: .latency) }
    }
}
