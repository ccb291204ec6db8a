import MigrationCore
import MigrationLog

/// Why a decision was made: what was known before, what was seen, the rule, and what came of it.
struct Explanation {
    let commit: Commit
    let appendedAt: Timestamp
    let before: MigrationState
    let after: MigrationState
    let hash: String

    func lines() -> [String] {
        guard let migration = after.migration else { return [] }
        // The plan under which it was decided.
        let plan = before.migration?.plan ?? migration.plan
        let narrator = Narrator(plan: plan, shadow: before.shadow?.migration.plan)
        var lines = [
            "version \(commit.version) of \(plan.name), by \(commit.actor): \(narrator.request(commit.command))",
            "  decided \(LocalTime.date(commit.decidedAt)) by the database’s clock, appended \(LocalTime.span(appendedAt - commit.decidedAt)) later; hash \(hash.prefix(16))…",
            "  decided again by this release: the same \(commit.events.count) event\(commit.events.count == 1 ? "" : "s")",
        ]
        if let was = before.migration {
            lines += ["", "before", "  " + StatusText.happening(was, commit.decidedAt, narrator)]
        }
        if case .sealWindow(let window) = commit.command, let was = before.migration {
            lines += [""] + seen(window, was)
        }
        lines += ["", "rules"] + rules(plan).map { "  " + $0 }
        var told = narrator
        told.follow(commit)
        lines += ["", "what came of it"] + commit.events.compactMap { told.word($0) }.map { "  " + $0 }
        lines += [
            "", "after", "  " + StatusText.happening(migration, commit.decidedAt, Narrator(plan: migration.plan)),
        ]
        return lines
    }

    /// What a window showed, condition by condition.
    private func seen(_ window: Window, _ was: Migration) -> [String] {
        guard case .windowJudged(let judgement)? = commit.events.first else { return [] }
        let plan = was.plan
        var lines = [
            "seen in window \(window.k), \(LocalTime.clock(plan.clock.start(of: window.k))) – \(LocalTime.clock(plan.clock.end(of: window.k)))"
        ]
        for observed in judgement.observed {
            let routers = window.environments.first { $0.environment == observed.environment }?.routers ?? []
            lines.append(
                "  \(observed.environment): \(observed.reported) of \(observed.expected) routers reported"
                    + (routers.isEmpty ? "" : " (\(routers.joined(separator: ", ")))")
            )
        }
        guard let stage = judgement.stage else {
            return lines + ["  nothing is guarded: only the traffic was looked at"]
        }
        var table = TextTable([.left, .left, .right, .right, .left, .left])
        table.add("", "condition", "candidate", "legacy", "verdict", "")
        for (criterion, judged) in zip(plan.criteria(at: stage), judgement.criteria) {
            table.add(
                "criterion",
                "\(criterion)",
                value(judged.candidate, criterion.condition),
                value(judged.legacy, criterion.condition),
                judged.verdict.rawValue,
                figure(judged)
            )
        }
        for (index, (guarded, judged)) in zip(plan.guards(at: stage), judgement.triggers).enumerated() {
            let was = was.guards.indices.contains(index) ? was.guards[index].streak.breaches : 0
            let need = guarded.trigger.need(window: plan.window)
            let onset = judged.streak.onset.map { ", since \(LocalTime.clock(plan.clock.start(of: $0)))" } ?? ""
            table.add(
                "trigger",
                plan.words(guarded),
                value(judged.candidate, guarded.trigger.condition),
                value(judged.legacy, guarded.trigger.condition),
                judged.verdict.rawValue,
                "\(figure(judged))streak \(was) → \(judged.streak.breaches) of \(need)\(onset)"
            )
        }
        return lines + table.lines(indent: 2)
    }

    private func value(_ measured: Measurement?, _ condition: Condition) -> String {
        guard let measured else { return "–" }
        let value = Narrator.value(measured, condition.metric)
        return condition.metric.unit == .rate ? value : "\(value) of \(measured.of)"
    }

    private func figure(_ judged: Judged) -> String {
        switch judged.figure {
        case .evidence(let logE): "ln E \(Decimals.text(logE / 1_000_000, scale: 1_000)); "
        case .ranks(let p, _): "p \(Decimals.text(p / 100_000, scale: 10_000)); "
        case .burn(let long, let short):
            "burns \(Decimals.text(long, scale: 1_000)) and \(Decimals.text(short, scale: 1_000)); "
        case nil: ""
        }
    }

    // MARK: - Rules

    private func rules(_ plan: Plan) -> [String] {
        var told: [String] = []
        for event in commit.events {
            guard let rule = rule(event, plan), !told.contains(rule) else { continue }
            told.append(rule)
        }
        return told.isEmpty ? ["facts are recorded; nothing follows from them"] : told
    }

    private func rule(_ event: Event, _ plan: Plan) -> String? {
        switch event {
        case .triggerFired(let stage, let number, _, _, _):
            let guarded = plan.guards(at: stage)[number]
            return
                "“\(plan.words(guarded))” fires at \(guarded.trigger.need(window: plan.window)) breaching windows; guards come before everything else in a decision"
        case .rollbackStarted(let rollback, _):
            switch rollback.cause {
            case .trigger: return "a trigger that fires takes back what its scope says, in every state"
            case .person: return "a person’s rollback is accepted in every state that is not final"
            case .gate: return "the plan says that this gate rolls back"
            }
        case .rollbackAcknowledged:
            return
                "a rollback is acknowledged when every registered router has its revision; who was evicted is not waited for"
        case .rollbackReopened: return "a router that has not acknowledged a rollback opens it again"
        case .rollbackConfirmed:
            return "a rollback is confirmed by a whole window after its acknowledgement that shows no candidate traffic"
        case .stepPassed(let position, let skipped):
            if skipped { return "a person may end a step without its bake, when the next step’s approvals are there" }
            let stage = plan.stage(at: position)
            return
                "a step passes after \(max(1, stage.bake.windows(of: plan.window))) passing windows in a row since every router acknowledged it, its checks, and the next step’s approvals"
        case .stepAcknowledged: return "a step bakes from the first whole window after every router has acknowledged it"
        case .checksStarted: return "a step’s checks are asked for once it has baked"
        case .approvalAwaited: return "the next step needs people"
        case .halted(let cause, _):
            return cause == .person
                ? "a person’s halt stops advance, never protection"
                : "the plan says what a gate or an expiry that is over does"
        case .noDataDetected: return "missing windows in a row, as many as the trigger lets pass in silence"
        case .windowJudged(let judgement):
            guard let stage = judgement.stage else { return nil }
            let need = max(1, plan.stages[stage].bake.windows(of: plan.window))
            return judgement.run > 0
                ? "\(judgement.run) of \(need) passing windows in a row"
                : "a window that is missing or fails begins the bake again"
        case .overrideRefused(let refusal):
            return "\(refusal.code.rawValue): \(refusal.message)" + (refusal.mend.map { "; \($0)" } ?? "")
        case .quarantined: return "a router knows more than the log, or something else: the log went back in time"
        case .quarantinedByCheckpoint:
            return
                "the log is not the one of which a checkpoint is kept elsewhere: it went back in time, or was changed"
        case .completed:
            return "a watch ends on a whole window with nothing missing, no trigger on its way and every flag on"
        case .planned, .planAmended, .started, .stepEntered, .recordingStarted, .baselineRecorded, .weightsSet,
            .flagSet,
            .routerRegistered, .routerRetired, .routerAcknowledged, .signalLate, .checkReported, .approvalRecorded,
            .resumed,
            .rollbackAlreadyUnderWay, .rollbackOverdue, .watchStarted, .restarted, .expired, .logRewound, .shadowBegun,
            .shadowEnded:
            return nil
        case .redacted: return "people’s words may be dropped; what was decided, by whom and when, may not"
        case .shadowDecided, .shadowDiffers:
            return
                "a shadow plan decides on the same windows and the same people’s commands; nothing of it is carried out"
        case .shadowParted:
            return "what is measured under other weights than a plan’s own does not follow from that plan"
        }
    }
}
