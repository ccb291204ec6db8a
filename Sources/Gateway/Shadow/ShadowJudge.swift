package import MigrationCore

/// Tells differences from noise, field by field, by how often a field differs between the two sides and how often between two answers of legacy alone
/// (Diffy's idea): a field is worse when its raw difference exceeds the noise by 20 % of it and by 0.03 % of all.
package struct ShadowJudge {
    /// After so many comparisons all are counted half, so that what was long ago counts less.
    private static let memory = 10_000
    /// Fields beyond these are one.
    private static let mostFields = 1_000
    private static let keptSamples = 50

    package struct Sample: Hashable, Sendable {
        package var at: Timestamp
        package var service: String
        package var fields: [AnswerDifference.Field]
    }

    private struct Rate {
        var raw = 0
        var noise = 0
    }

    private var compared = 0
    private var rates: [String: Rate] = [:]
    package private(set) var samples: [Sample] = []

    package init() {}

    /// Takes one comparison.
    ///
    /// - Parameters:
    ///   - raw: where the candidate's answer differs from legacy's.
    ///   - noise: where two answers of legacy differ.
    /// - Returns: whether it differs in a field that is worse than its noise.
    package mutating func judge(
        raw: [AnswerDifference.Field],
        noise: [AnswerDifference.Field],
        service: String,
        at: Timestamp
    ) -> Bool {
        compared += 1
        for path in Set(raw.map(\.path)) { count(path, \.raw) }
        for path in Set(noise.map(\.path)) { count(path, \.noise) }
        let worse = raw.filter { isWorse(rates[name($0.path)] ?? Rate()) }
        if compared >= Self.memory {
            compared /= 2
            rates = rates.mapValues { Rate(raw: $0.raw / 2, noise: $0.noise / 2) }
        }
        guard !worse.isEmpty else { return false }
        samples.append(Sample(at: at, service: service, fields: Array(worse.prefix(5))))
        samples = samples.suffix(Self.keptSamples)
        return true
    }

    /// The fields that are worse than their noise, with how often they differed of so many comparisons.
    package var worse: [(path: String, raw: Int, noise: Int, compared: Int)] {
        rates.filter { isWorse($0.value) }.map { ($0.key, $0.value.raw, $0.value.noise, compared) }.sorted {
            $0.1 > $1.1
        }
    }

    private func isWorse(_ rate: Rate) -> Bool {
        rate.raw * 10 > rate.noise * 12 && (rate.raw - rate.noise) * 10_000 > 3 * compared
    }

    private mutating func count(_ path: String, _ side: WritableKeyPath<Rate, Int>) {
        rates[name(path), default: Rate()][keyPath: side] += 1
    }

    private func name(_ path: String) -> String {
        rates[path] != nil || rates.count < Self.mostFields ? path : "others"
    }
}
