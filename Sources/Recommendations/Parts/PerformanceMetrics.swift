/// A part of the work on a call, as its time is told.
package enum Stage: String, Hashable, Sendable, CaseIterable {
    /// Who may ask, and what.
    case validation
    /// What is kept, or what is made where nothing is.
    case cache
    /// The rules, or what an answer is made of without them.
    case work
    /// The language model.
    case model
}

/// Takes down how long the parts of the work took.
package protocol PerformanceMetrics: Sendable {
    /// - Parameter hasFailed: whether the stage ended with an error.
    func record(_ stage: Stage, of operation: Operation, took: Duration, hasFailed: Bool)
}

extension PerformanceMetrics {
    /// Does a part of the work and takes down how long it took, whether it fails or not.
    func measure<Result: Sendable>(
        _ stage: Stage,
        of operation: Operation,
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let started = ContinuousClock.now
        do {
            let result = try await body()
            record(stage, of: operation, took: .now - started, hasFailed: false)
            return result
        } catch {
            record(stage, of: operation, took: .now - started, hasFailed: true)
            throw error
        }
    }
}
