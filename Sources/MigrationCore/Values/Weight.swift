/// The share of a service's requests that go to the candidate, in basis points 0…10000.
package struct Weight: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    /// Basis points: 100 is one percent.
    package let rawValue: Int

    /// Refuses what is not a share.
    ///
    /// - Parameter rawValue: basis points, 0…10000; anything else gives nil.
    package init?(rawValue: Int) {
        guard (0...10_000).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    private init(known: Int) { rawValue = known }

    /// Everything goes to legacy.
    package static let zero = Weight(known: 0)
    /// Everything goes to the candidate.
    package static let all = Weight(known: 10_000)

    package static func < (left: Weight, right: Weight) -> Bool { left.rawValue < right.rawValue }
}

extension Weight: CustomStringConvertible {
    /// As people write it: `25 %`, `0.5 %`.
    package var description: String { "\(Decimals.text(rawValue, scale: 100)) %" }
}
