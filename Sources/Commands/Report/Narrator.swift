package import MigrationCore

/// Tells commits in words.
package struct Narrator: Sendable {
    private var plan: Plan
    private var shadow: Plan?

    /// - Parameters:
    ///   - plan: the one in force before the first commit that is told.
    ///   - shadow: the one that is judged beside it then.
    package init(plan: Plan, shadow: Plan? = nil) {
        self.plan = plan
        self.shadow = shadow
    }

    /// Takes over the plan that a commit brings, before it is told.
    package mutating func follow(_ commit: Commit) {
        for event in commit.events {
            switch event {
            case .planAmended(let amendment): plan = amendment.plan
            case .shadowBegun(let amendment): shadow = amendment.plan
            default: break
            }
        }
    }

    /// What somebody asked, in a few words.
    package func request(_ command: Command) -> String {
        switch command {
        case .plan(_, let hash): "plan \(hash.prefix(7))"
        case .amend(_, let hash, let reason): "amend to plan \(hash.prefix(7)) “\(reason)”"
        case .start: "start"
        case .halt(let reason): "halt “\(reason)”"
        case .resume(let reason): "resume “\(reason)”"
        case .rollBack(let reason, let services):
            "roll back \(services.map { $0.joined(separator: ", ") + " " } ?? "")“\(reason)”"
        case .setWeight(let weight, let service, let environment, let reason):
            "set weight \(weight) for \(service ?? "all")\(environment.map { " in \($0)" } ?? "") “\(reason)”"
        case .setFlag(let service, let enabled, let reason):
            "flag \(enabled ? "on" : "off") for \(service ?? "all") “\(reason)”"
        case .approve(let stage, let step, let reason): "approve \(stage) \(step)\(reason.map { " “\($0)”" } ?? "")"
        case .skip(let stage, let step, let reason): "skip \(stage) \(step) “\(reason)”"
        case .reportCheck(let check, let isPassed, let detail, _):
            "check \(check) \(isPassed ? "passed" : "failed")\(detail.isEmpty ? "" : " “\(detail)”")"
        case .abandon(let reason): "abandon “\(reason)”"
        case .restart(let reason): "restart “\(reason)”"
        case .retireRouter(let router, let reason): "retire \(router) “\(reason)”"
        case .evictRouter(let router, let silent): "\(router) silent for \(silent): the plan evicts it"
        case .beginShadow(_, let hash, let reason): "shadow plan \(hash.prefix(7)) “\(reason)”"
        case .endShadow(let reason): "end the shadow plan “\(reason)”"
        case .redact(let texts, let reason): "redact \(texts.count) texts “\(reason)”"
        case .registerRouter(let router, let environment): "router \(router) in \(environment)"
        case .acknowledge(let router, let revision): "\(router) has revision \(revision)"
        case .quarantine(let router, let revision, _):
            Quarantine.Evidence.router(name: router, revision: revision).description
        case .quarantineByCheckpoint(let place, let size, let root):
            Quarantine.Evidence.checkpoint(place: place, size: size, root: root).description
        case .declareRewound(let reason): "the log begins anew “\(reason)”"
        case .sealWindow(let window): "window \(window.k)"
        case .recordLate(let k, let router, _): "late for window \(k) from \(router)"
        case .tick: "time"
        }
    }

    /// What came of a commit.
    package func outcome(of commit: Commit) -> String {
        let words = commit.events.compactMap(word)
        return words.isEmpty ? "recorded" : words.joined(separator: "; ")
    }

    /// One line of the history.
    package func line(_ commit: Commit) -> String {
        let words = commit.events.compactMap(word)
        guard !words.isEmpty else { return request(commit.command) }
        return "\(request(commit.command))  →  \(words.joined(separator: "; "))"
    }

    /// Whether a commit changes more than counters.
    package func isNotable(_ commit: Commit) -> Bool {
        commit.events.contains(where: Self.isNotable)
    }

    private static func isNotable(_ event: Event) -> Bool {
        switch event {
        case .windowJudged, .routerAcknowledged, .signalLate: false
        case .shadowDecided(let decisions): decisions.contains { $0.events.contains(where: isNotable) }
        default: true
        }
    }

    /// What a shadow plan would have done; nil where it only looked on.
    private func word(_ decisions: [ShadowDecision]) -> String? {
        guard let shadow else { return "the shadow plan decides too" }
        let own = Narrator(plan: shadow)
        let events = decisions.flatMap(\.events).filter(Self.isNotable)
        return events.isEmpty ? nil : "SHADOW: " + events.compactMap(own.word).joined(separator: "; ")
    }

    /// A fact in a few words; nil for one that goes without saying.
    func word(_ event: Event) -> String? {
        switch event {
        case .planned: "planned"
        case .planAmended(let amendment): "the plan is \(amendment.hash.prefix(7)) from here on"
        case .started: "started"
        case .stepEntered(let position): "enters \(name(position))"
        case .recordingStarted: "records the baseline"
        case .baselineRecorded(let baselines):
            "baseline: "
                + baselines.map { "\($0.metric.name) \(Self.value($0.value, $0.metric))" }.joined(separator: ", ")
        case .weightsSet(let environment, let weights, _, _):
            Set(weights).count == 1
                ? "\(environment) \(weights[0])"
                : "\(environment) \(weights.map(\.description).joined(separator: ", "))"
        case .flagSet(let service, let enabled, _): "\(plan.services[service].name) \(enabled ? "on" : "off")"
        case .routerRegistered: "registered"
        case .routerRetired: "retired"
        case .routerAcknowledged: "acknowledged"
        case .stepAcknowledged: "every router has it, baking"
        case .windowJudged(let judgement): word(judgement)
        case .signalLate(_, _, let requests): "\(requests) requests, too late to be judged"
        case .noDataDetected(let stage, let number, _): "no data for “\(plan.words(plan.guards(at: stage)[number]))”"
        case .triggerFired(let stage, let number, _, _, _): "“\(plan.words(plan.guards(at: stage)[number]))” fires"
        case .checksStarted: "baked: its checks are asked for"
        case .checkReported(let result): "\(plan.checks[result.check].name) \(result.isPassed ? "passed" : "FAILED")"
        case .approvalRecorded(let position, let by): "\(by) approves \(name(position))"
        case .approvalAwaited: "awaits approval"
        case .stepPassed(let position, let skipped): "\(name(position)) \(skipped ? "skipped" : "passed")"
        case .halted(_, let reason): "halted: \(reason)"
        case .resumed: "resumed"
        case .rollbackStarted(let rollback, _):
            "rolls back \(rollback.isWhole ? "" : part(rollback) + " ")from \(rollback.from) to 0 %"
        case .rollbackAlreadyUnderWay: "a rollback is under way already"
        case .rollbackAcknowledged: "every registered router acknowledges 0 %"
        case .rollbackReopened: "which has not acknowledged the rollback yet"
        case .rollbackConfirmed(let k, _): "window \(k) shows no candidate traffic: rolled back"
        case .rollbackOverdue: "ALARM: the rollback is not confirmed in time"
        case .watchStarted: "100 % reached, watching"
        case .completed: "completed"
        case .restarted: "restarted"
        case .expired: "expired"
        case .quarantined: "QUARANTINED: the log went back in time, weights hold"
        case .quarantinedByCheckpoint: "QUARANTINED: the log is not the one that it was, weights hold"
        case .logRewound: "a new incarnation of the log"
        case .overrideRefused(let refusal): "refused: \(refusal.message)"
        case .shadowBegun(let amendment): "plan \(amendment.hash.prefix(7)) is judged beside it from here on"
        case .redacted(let texts): "\(texts.count == 1 ? "a text is" : "\(texts.count) texts are") dropped"
        case .shadowDecided(let decisions): word(decisions)
        case .shadowParted: "SHADOW: from here on the traffic no longer follows from it"
        case .shadowDiffers: "SHADOW: for the first time it would have it otherwise"
        case .shadowEnded: "SHADOW: ended"
        }
    }

    private func word(_ judgement: Judgement) -> String {
        guard let stage = judgement.stage else { return "judged: observed only" }
        let breaches = zip(plan.guards(at: stage), judgement.triggers).filter { $1.verdict == .breach }.map {
            guarded,
            judged in
            "\(plan.words(guarded)): \(Self.seen(judged, guarded.trigger.condition)), \(judged.streak.breaches) of \(guarded.trigger.need(window: plan.window))"
        }
        let failing = zip(plan.criteria(at: stage), judgement.criteria).filter { $1.verdict != .pass }.map {
            criterion,
            judged in
            "\(criterion.condition.metric.name) \(judged.verdict == .missing ? "missing" : Self.seen(judged, criterion.condition)) (needs \(criterion))"
        }
        let notes = breaches.isEmpty ? failing : breaches
        return notes.isEmpty ? "judged: all pass" : "judged: " + notes.joined(separator: ", ")
    }

    /// What goes back: `staging: a, b`.
    func part(_ rollback: Rollback) -> String {
        let services = Set(rollback.parts.flatMap(\.services)).sorted().map { plan.services[$0].name }
        let isEverywhere = rollback.parts.map(\.environment) == plan.environments
        let place = isEverywhere ? "" : " in \(rollback.parts.map(\.environment).joined(separator: ", "))"
        return services.joined(separator: ", ") + place
    }

    /// What was measured, with the number by which a cumulative condition is judged.
    static func seen(_ judged: Judged?, _ condition: Condition) -> String {
        let value = value(judged?.candidate, condition.metric)
        switch judged?.figure {
        case .evidence(let logE): return "\(value) (ln E \(Decimals.text(logE / 1_000_000, scale: 1_000)))"
        case .ranks(let p, _): return "\(value) (p \(Decimals.text(p / 100_000, scale: 10_000)))"
        case .burn(let long, let short):
            return "\(value) (burns \(Decimals.text(long, scale: 1_000)) and \(Decimals.text(short, scale: 1_000)))"
        case nil: return value
        }
    }

    /// A step as people call it: `production 25 %`.
    package func name(_ position: Position) -> String { plan.name(at: position) }

    /// A measured value as people read it: `0.41 %`, `21.4 s`; a dash for none.
    package static func value(_ measurement: Measurement?, _ metric: Metric) -> String {
        guard let measurement else { return "–" }
        switch metric.unit {
        case .time: return LocalTime.span(TimeSpan(rawValue: Int64(measurement.value)))
        case .ratio:
            guard measurement.of > 0 else { return "–" }
            let hundredths = (Int128(measurement.value) * 10_000 + Int128(measurement.of) / 2) / Int128(measurement.of)
            return Decimals.text(Int(clamping: hundredths), scale: 100) + " %"
        case .rate: return Decimals.text(Int((measurement.number(.rate) * 100).rounded()), scale: 100) + "/s"
        case .number: return Decimals.text(measurement.value, scale: 1_000_000)
        }
    }
}
