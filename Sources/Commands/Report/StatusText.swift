import MigrationCore
import MigrationLog

/// A migration's status for people: what is happening first, what can be done about it last.
enum StatusText {
    /// - Parameter isPast: nothing can be done about it any more.
    static func lines(_ migration: Migration, _ stream: MigrationLog.Stream, isPast: Bool = false) -> [String] {
        let narrator = Narrator(plan: migration.plan)
        var lines = head(migration, stream, narrator) + [""]
        lines += stages(migration).lines(indent: 2) + [""]
        lines += traffic(migration).lines(indent: 2) + [""]
        lines += criteria(migration).lines(indent: 2) + [""]
        lines += triggers(migration).lines(indent: 2) + [""]
        for rollback in migration.rollbacks { lines += self.rollback(rollback, migration) + [""] }
        if let shadow = stream.state.shadow { lines += self.shadow(shadow, stream.state) + [""] }
        return isPast ? lines.dropLast() : lines + next(migration)
    }

    /// One line of a list of migrations.
    static func summary(_ migration: Migration, _ stream: MigrationLog.Stream) -> [String] {
        [
            migration.plan.name, happening(migration, stream.now, Narrator(plan: migration.plan)),
            "version \(stream.state.version)",
        ]
    }

    /// Whether a person is waited for; such migrations stand first in a list.
    static func needsPerson(_ migration: Migration) -> Bool {
        if migration.quarantine != nil { return true }
        return switch migration.phase {
        case .halted, .planned: true
        case .rollingBack(let rollback): rollback.isOverdue
        case .running(let step):
            switch step.progress {
            case .awaitingApproval, .checking: true
            case .recording, .shifting, .baking: false
            }
        case .watching, .rolledBack, .completed, .abandoned: false
        }
    }

    static func positions(_ plan: Plan) -> [Position] {
        plan.stages.indices.flatMap { stage in plan.stages[stage].steps.indices.map { Position(stage: stage, step: $0) }
        }
    }

    private static func head(_ migration: Migration, _ stream: MigrationLog.Stream, _ narrator: Narrator) -> [String] {
        let expires = migration.plannedAt + migration.plan.expires
        let age = LocalTime.span(stream.now - migration.plannedAt)
        let end =
            migration.phase.isOver
            ? "" : migration.hasExpired ? ", expired" : ", expires in \(LocalTime.span(expires - stream.now))"
        return [
            "\(migration.plan.name)   \(happening(migration, stream.now, narrator))   \(LocalTime.date(stream.now))",
            "plan \(migration.planHash.prefix(7)) (by \(migration.plannedBy)), \(age) old\(end); log version \(stream.state.version)",
        ]
    }

    /// What is happening, in one line.
    static func happening(_ migration: Migration, _ now: Timestamp, _ narrator: Narrator) -> String {
        if let quarantine = migration.quarantine {
            return "QUARANTINED · \(quarantine.evidence)"
        }
        switch migration.phase {
        case .planned: return "planned"
        case .running(let step):
            return
                "running · \(narrator.name(step.position)) · \(progress(step, migration))\(held(step, migration, now))"
        case .halted(let halt):
            return "HALTED · \(halt.held.step.map { narrator.name($0.position) } ?? "watching") · \(halt.reason)"
        case .watching(let watch):
            let waiting = migration.unacknowledged.map(\.name)
            let isWaiting = now >= watch.until && !waiting.isEmpty
            return "watching at 100 % · \(LocalTime.span(max(.zero, watch.until - now))) left"
                + (isWaiting ? " · waiting for \(waiting.joined(separator: ", ")) to acknowledge" : "")
        case .rollingBack(let rollback):
            return
                "ROLLING BACK · \(rollback.acknowledgedAt == nil ? "not every router has acknowledged 0 %" : "acknowledged, not yet seen in a window")"
        case .rolledBack(let rollback):
            let part = rollback.isWhole ? "" : " · only \(narrator.part(rollback)), the rest is guarded"
            return "ROLLED BACK · \(migration.words(rollback))\(part)"
        case .completed: return "completed"
        case .abandoned: return "abandoned"
        }
    }

    /// Why a step does not advance although it bakes: a weight or a flag is not as the plan has it, or the plan freezes this time.
    private static func held(_ step: Step, _ migration: Migration, _ now: Timestamp) -> String {
        if migration.plan.isFrozen(at: now) { return " · frozen: nothing advances at this time" }
        let stage = migration.plan.stage(at: step.position)
        let traffic = migration.traffic(in: stage.environment)
        let isAsPlanned = stage.services.allSatisfy { traffic?.effective[$0] == traffic?.planned[$0] }
        guard !isAsPlanned else {
            let waiting =
                migration.plan.next(after: step.position) == nil && step.bake != nil ? migration.unacknowledged : []
            return waiting.isEmpty ? "" : " · waiting for \(waiting.map(\.name).joined(separator: ", ")) to acknowledge"
        }
        let weight = migration.plan.weight(at: step.position)
        return " · a weight or flag was set by hand: it advances only at \(weight), or by a skip"
    }

    private static func progress(_ step: Step, _ migration: Migration) -> String {
        let plan = migration.plan
        switch step.progress {
        case .recording(_, let windows):
            let baseline = plan.baseline ?? .zero
            return
                "recording legacy’s baseline \(LocalTime.span(min(plan.window * Int64(windows), baseline))) of \(LocalTime.span(baseline))"
        case .shifting:
            let environment = plan.stage(at: step.position).environment
            let routers = migration.routers(in: environment)
            guard !routers.isEmpty else { return "shifting: no router has registered for \(environment)" }
            let waiting = migration.unacknowledged.filter { $0.environment == environment }.map(\.name)
            return "shifting: waiting for \(waiting.joined(separator: ", "))"
        case .baking(_, let run): return "baking \(baked(run, step, plan))"
        case .checking:
            let open = plan.stage(at: step.position).checks.filter { check in
                !migration.checks.contains { $0.check == check && $0.isPassed }
            }
            return "waiting for \(open.map { plan.checks[$0].name }.joined(separator: ", "))"
        case .awaitingApproval(_, let run, _): return "awaiting approval, passing \(baked(run, step, plan))"
        }
    }

    private static func baked(_ run: Int, _ step: Step, _ plan: Plan) -> String {
        let bake = plan.stage(at: step.position).bake
        return "\(LocalTime.span(min(plan.window * Int64(run), bake))) of \(LocalTime.span(bake))"
    }

    /// What became of a step, in one word.
    static func word(_ position: Position, _ migration: Migration) -> String {
        let record = migration.steps.last { $0.position == position }
        if let end = record?.end { return end == .rolledBack ? "rolled back" : end.rawValue }
        guard let step = migration.phase.step, step.position == position else { return record == nil ? "" : "ended" }
        switch step.progress {
        case .recording: return "recording"
        case .shifting: return "shifting"
        case .baking: return "baking"
        case .checking: return "checking"
        case .awaitingApproval: return "awaiting approval"
        }
    }

    private static func stages(_ migration: Migration) -> TextTable {
        var table = TextTable([.left, .left, .right, .left, .left])
        for position in positions(migration.plan) {
            let record = migration.steps.last { $0.position == position }
            let needed = migration.plan.approval(before: position)?.by ?? 0
            let given = migration.approvals(of: position)
            let approval =
                needed == 0
                ? ""
                : "needs \(needed) approvals (\(given.count) given\(given.isEmpty ? "" : ": " + given.joined(separator: ", ")))"
            let time = record.map { record in
                "\(LocalTime.short(record.enteredAt))\(record.endedAt.map { " – " + LocalTime.short($0) } ?? "")"
            }
            let isCurrent = migration.phase.step?.position == position
            table.add(
                isCurrent ? "▸" : "",
                position.step == 0 ? migration.plan.stage(at: position).name : "",
                migration.plan.weight(at: position).description,
                word(position, migration),
                [time ?? "", approval].filter { !$0.isEmpty }.joined(separator: "  ")
            )
        }
        return table
    }

    private static func traffic(_ migration: Migration) -> TextTable {
        var table = TextTable([.left, .left, .right, .right, .right, .left])
        table.add("traffic", "environment", "asked", "acknowledged", "observed, last window")
        for traffic in migration.traffic
        where traffic.revision > 1 || !migration.routers(in: traffic.environment).isEmpty {
            let routers = migration.routers(in: traffic.environment)
            let acknowledged = routers.count { ($0.revision ?? 0) >= traffic.revision }
            let observed = migration.judgement?.observed.first { $0.environment == traffic.environment }
            for (index, service) in migration.plan.services.enumerated() {
                let share = observed?.shares[index]
                let isPartial = observed.map { $0.reported < $0.expected } ?? false
                table.add(
                    service.name,
                    traffic.environment,
                    traffic.effective[index].description + (migration.flags[index] ? "" : " (flag off)"),
                    "\(acknowledged) of \(routers.count)",
                    share.map { $0.of == 0 ? "no requests" : "\(Narrator.value($0, .errorRate)) of \($0.of)" } ?? "–",
                    isPartial ? "only \(observed?.reported ?? 0) of \(observed?.expected ?? 0) routers reported" : ""
                )
            }
        }
        return table
    }

    private static func criteria(_ migration: Migration) -> TextTable {
        var table = TextTable([.left, .right, .right, .left])
        table.add("criterion", "candidate", "legacy", "")
        let judgement = migration.judgement.flatMap { $0.stage == migration.stage ? $0 : nil }
        for (index, criterion) in migration.plan.criteria(at: migration.stage).enumerated() {
            let judged = judgement?.criteria[index]
            let condition = criterion.condition
            table.add(
                criterion.description,
                Narrator.seen(judged, condition),
                Narrator.value(judged?.legacy, condition.metric),
                judged.map { word($0.verdict) } ?? "not judged"
            )
        }
        return table
    }

    private static func word(_ verdict: Verdict) -> String {
        switch verdict {
        case .breach: "not yet"
        case .gray: "not enough evidence yet"
        case .error: "its source failed"
        case .pass, .missing: verdict.rawValue
        }
    }

    private static func triggers(_ migration: Migration) -> TextTable {
        var table = TextTable([.left, .right, .left])
        table.add("rollback when", "breaching windows", "")
        let plan = migration.plan
        for (guarded, running) in zip(plan.guards(at: migration.stage), migration.guards) {
            let streak = running.streak
            table.add(
                plan.words(guarded),
                "\(streak.breaches) of \(guarded.trigger.need(window: plan.window))",
                streak.missing > 0 ? "\(streak.missing) missing" : ""
            )
        }
        return table
    }

    /// A rollback with its ledger; each time is told from the one before.
    static func rollback(_ rollback: Rollback, _ migration: Migration) -> [String] {
        let word = rollback.confirmedAt == nil ? "ROLLING BACK" : "ROLLED BACK"
        let place = migration.place(of: rollback) ?? "before its start"
        var ledger: [String] = []
        if let onset = rollback.onset { ledger.append("onset \(LocalTime.clock(onset))") }
        if let onset = rollback.onset, let detected = rollback.detectedAt {
            ledger.append("detected +\(LocalTime.span(detected - onset))")
        }
        ledger.append(
            rollback.detectedAt.map { "decided +\(LocalTime.span(rollback.decidedAt - $0))" }
                ?? "decided \(LocalTime.clock(rollback.decidedAt))"
        )
        ledger.append(
            rollback.acknowledgedAt.map { "acknowledged by every router +\(LocalTime.span($0 - rollback.decidedAt))" }
                ?? "not acknowledged by every router"
        )
        let unheard = rollback.unheard ?? []
        ledger.append(
            rollback.confirmedAt.map { "no candidate traffic seen from +\(LocalTime.span($0 - rollback.decidedAt))" }
                ?? "candidate traffic not yet seen to be gone"
        )
        let part = rollback.isWhole ? "" : " (only \(Narrator(plan: migration.plan).part(rollback)))"
        return [
            "\(word) \(migration.plan.name)\(part), \(place), \(rollback.from) → 0 %, because \(migration.words(rollback))",
            ledger.joined(separator: " · ") + (rollback.isOverdue ? " · OVERDUE" : ""),
        ]
            + (unheard.isEmpty
                ? [] : ["NOT KNOWN to be at 0 %, as the plan had evicted it: \(unheard.joined(separator: ", "))"])
    }

    /// A shadow plan, beside what is in force.
    static func shadow(_ shadow: Shadow, _ state: MigrationState) -> [String] {
        guard let comparison = PlanComparison(state) else { return [] }
        let end = shadow.endedAt.map { " to version \($0)" } ?? ""
        return [
            "shadow plan \(shadow.migration.planHash.prefix(7)), judged from version \(shadow.since)\(end): \(comparison.words)"
        ] + comparison.table("with the shadow plan").lines(indent: 2)
    }

    /// What can be done next, as commands that can be pasted.
    static func next(_ migration: Migration) -> [String] {
        let name = migration.plan.name
        let rollback = "migrate rollback \(name) --reason \"…\""
        switch migration.phase {
        case .planned: return ["next: start it", "  migrate start \(name)"]
        case .running(let step):
            if case .checking = step.progress {
                let check = migration.plan.stage(at: step.position).checks.first { check in
                    !migration.checks.contains { $0.check == check && $0.isPassed }
                }
                let word = check.map { migration.plan.checks[$0].name } ?? "NAME"
                return ["next: its checks", "  migrate check \(name) \(word) passed", "  \(rollback)"]
            }
            guard let next = migration.plan.next(after: step.position) else {
                return ["next: the watch, after this bake", "  \(rollback)"]
            }
            let missing = (migration.plan.approval(before: next)?.by ?? 0) - migration.approvals(of: next).count
            guard missing > 0 else {
                return ["next: \(Narrator(plan: migration.plan).name(next)), after this bake", "  \(rollback)"]
            }
            let stage = migration.plan.stage(at: next).name
            let weight = Decimals.text(migration.plan.weight(at: next).rawValue, scale: 100)
            return [
                "next: \(stage) \(weight) %, after this bake and \(missing) more approval\(missing == 1 ? "" : "s")",
                "  migrate approve \(name) --stage \(stage) --step \(weight)%", "  \(rollback)",
            ]
        case .halted:
            return [
                "next: somebody resumes it, or rolls it back", "  migrate resume \(name) --reason \"…\"",
                "  \(rollback)",
            ]
        case .watching: return ["next: completed, at the watch's end", "  \(rollback)"]
        case .rollingBack:
            return [
                "next: rolled back, once every router has acknowledged and a window shows no candidate traffic",
                "  migrate status \(name) --watch",
            ]
        case .rolledBack:
            return ["next: begin again, once the cause is mended", "  migrate restart \(name) --reason \"…\""]
        case .completed, .abandoned: return ["  migrate replay \(name)"]
        }
    }
}
