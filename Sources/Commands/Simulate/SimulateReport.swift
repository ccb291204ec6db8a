import MigrationCore
import Simulation

/// Simulated runs for programs; documented in docs/reference.md.
struct SimulateReport: Encodable {
    struct Step: Encodable {
        var stage: String
        var weight: Int
        var enteredMicros: Int64
        var endedMicros: Int64?
        var end: String?
    }
    struct Point: Encodable {
        var atMicros: Int64
        var asked: Int
        var seen: Measurement?
        var candidate: [Measurement?]
        var legacy: [Measurement?]
    }
    struct First: Encodable {
        var end: String
        var reason: String?
        var lastedMicros: Int64
        var onsetMicros: Int64?
        var decidedMicros: Int64?
        var confirmedMicros: Int64?
        var candidateRequests: Int
        var candidateErrors: Int
        var usersExposed: Int
        var steps: [Step]
        var points: [Point]
    }
    struct Spread: Encodable {
        var least: Int64
        var low: Int64
        var middle: Int64
        var high: Int64
        var most: Int64

        init?(_ spread: Forecast.Spread?) {
            guard let spread else { return nil }
            (least, low, middle, high, most) = (spread.least, spread.low, spread.middle, spread.high, spread.most)
        }
    }
    struct Reason: Encodable {
        var reason: String
        var runs: Int
    }
    struct Advice: Encodable {
        var stage: String?
        var trigger: String
        var windows: Int
        var middle: Int
        var far: Int
        var worst: Int
        var falseAlarms: Double
        var suggested: Int?
        var suggestedFalseAlarms: Double?
    }

    var format = 1
    var migration: String
    var seed: UInt64
    var runs: Int
    var criteria: [String]
    var first: First
    var ends: [String: Int]
    var reasons: [Reason]
    var falseRollbacks: Int
    var completionMicros: Spread?
    var detectionMicros: Spread?
    var confirmationMicros: Spread?
    var usersExposed: Spread?
    var failedRequests: Spread?
    var advice: [Advice]

    init(_ run: SimulatedRun) {
        migration = run.plan.name
        seed = run.seed
        runs = run.forecast.runs
        criteria = run.plan.criteria.map(\.description)
        first = Self.first(run)
        ends = Dictionary(run.forecast.ends.map { ($0.key.rawValue, $0.value) }) { first, _ in first }
        reasons = run.forecast.reasons.map { Reason(reason: $0.0, runs: $0.1) }
        falseRollbacks = run.forecast.falseRollbacks
        completionMicros = Spread(run.forecast.completion)
        detectionMicros = Spread(run.forecast.detection)
        confirmationMicros = Spread(run.forecast.confirmation)
        usersExposed = Spread(run.forecast.usersExposed)
        failedRequests = Spread(run.forecast.failed)
        advice = run.advice.map { advice in
            Advice(
                stage: advice.stage,
                trigger: advice.trigger.description,
                windows: advice.windows,
                middle: advice.middle,
                far: advice.far,
                worst: advice.worst,
                falseAlarms: advice.alarms,
                suggested: advice.suggested?.threshold,
                suggestedFalseAlarms: advice.suggested?.alarms
            )
        }
    }

    private static func first(_ run: SimulatedRun) -> First {
        let outcome = run.first
        let start = run.scenario.start
        return First(
            end: outcome.end.rawValue,
            reason: outcome.reason,
            lastedMicros: outcome.lasted.rawValue,
            onsetMicros: outcome.onset?.rawValue,
            decidedMicros: outcome.decided?.rawValue,
            confirmedMicros: outcome.confirmed?.rawValue,
            candidateRequests: outcome.candidateRequests,
            candidateErrors: outcome.candidateErrors,
            usersExposed: outcome.usersExposed,
            steps: outcome.steps.map { step in
                Step(
                    stage: run.plan.stage(at: step.position).name,
                    weight: run.plan.weight(at: step.position).rawValue,
                    enteredMicros: (step.enteredAt - start).rawValue,
                    endedMicros: step.endedAt.map { ($0 - start).rawValue },
                    end: step.end?.rawValue
                )
            },
            points: run.points.map { point in
                Point(
                    atMicros: point.at.rawValue,
                    asked: point.asked.rawValue,
                    seen: point.seen,
                    candidate: point.candidate,
                    legacy: point.legacy
                )
            }
        )
    }
}
