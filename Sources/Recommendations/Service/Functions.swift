import Callable
import JSON

/// The operations of a service as functions that can be called.
enum Functions {
    static let healthCheck = "recommendationsHealthCheck"
    /// The field that says what the cache did (RFC 9211).
    static let cacheStatus = "Cache-Status"

    /// - Parameter judged: is told how good an answer is.
    static func all(
        of service: any RecommendationService,
        health: Health,
        judged: @escaping @Sendable (Operation, AnswerQuality) -> Void
    ) -> [CallableFunction] {
        let operations = Operation.allCases.map { operation in
            CallableFunction(operation.rawValue, timeLimit: operation.timeLimit) { call in
                let answer = try await service.answer(operation, call)
                if let quality = answer.quality { judged(operation, quality) }
                var fields: [String: String] = [:]
                fields[cacheStatus] = answer.cacheStatus
                return CallableAnswer(
                    ["success": true, "data": .object(answer.data), "timestamp": .string(Workshop.now)],
                    fields: fields
                )
            }
        }
        return operations + [
            CallableFunction(healthCheck, timeLimit: .seconds(10)) { _ in try await health.check() }
        ]
    }
}
