extension Command {
    /// What a person wrote in it in his own words, in its order; the plan has none.
    package var texts: [String] {
        var texts: [String] = []
        _ = replacingTexts { text in
            texts.append(text)
            return text
        }
        return texts
    }

    /// The same command with other words.
    ///
    /// - Parameter other: gives for each text, in its order, the one in its place.
    package func replacingTexts<E: Error>(_ other: (String) throws(E) -> String) throws(E) -> Command {
        func optional(_ text: String?) throws(E) -> String? {
            guard let text else { return nil }
            return try other(text)
        }
        switch self {
        case .amend(let plan, let hash, let reason): return .amend(plan: plan, hash: hash, reason: try other(reason))
        case .start(let reason): return .start(reason: try optional(reason))
        case .halt(let reason): return .halt(reason: try other(reason))
        case .resume(let reason): return .resume(reason: try other(reason))
        case .rollBack(let reason, let services): return .rollBack(reason: try other(reason), services: services)
        case .setWeight(let weight, let service, let environment, let reason):
            return .setWeight(weight: weight, service: service, environment: environment, reason: try other(reason))
        case .setFlag(let service, let enabled, let reason):
            return .setFlag(service: service, enabled: enabled, reason: try other(reason))
        case .approve(let stage, let step, let reason):
            return .approve(stage: stage, step: step, reason: try optional(reason))
        case .skip(let stage, let step, let reason): return .skip(stage: stage, step: step, reason: try other(reason))
        case .reportCheck(let check, let isPassed, let detail, let since):
            return .reportCheck(check: check, isPassed: isPassed, detail: try other(detail), since: since)
        case .abandon(let reason): return .abandon(reason: try other(reason))
        case .restart(let reason): return .restart(reason: try other(reason))
        case .declareRewound(let reason): return .declareRewound(reason: try other(reason))
        case .retireRouter(let router, let reason): return .retireRouter(router: router, reason: try other(reason))
        case .beginShadow(let plan, let hash, let reason):
            return .beginShadow(plan: plan, hash: hash, reason: try other(reason))
        case .endShadow(let reason): return .endShadow(reason: try other(reason))
        case .redact(let texts, let reason): return .redact(texts: texts, reason: try other(reason))
        case .plan, .registerRouter, .acknowledge, .quarantine, .quarantineByCheckpoint, .evictRouter, .sealWindow,
            .recordLate,
            .tick:
            return self
        }
    }
}
