/// Why a world is not one that may be.
package struct Violation: Error, Hashable, Sendable {
    /// By its number in 1-core.md.
    package var invariant: Int
    package var message: String
}
