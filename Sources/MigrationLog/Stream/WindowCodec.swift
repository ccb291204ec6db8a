import MigrationCore

/// Reads and writes the commits that a log is nearly all made of, a sealed window and its judgement, without Foundation's JSON, which takes
/// most of a replay's time (`tools/bench log`).
///
/// It knows exactly the canonical text of such a commit: keys in their order, no blank, no escape, whole numbers. Whatever it does not know
/// to the byte it leaves to Foundation, which is also its oracle in the tests.
package enum WindowCodec {
    /// - Returns: nil for anything but the canonical text of a window's commit.
    package static func read(_ bytes: [UInt8]) -> CommitCodec.MigrationBody? {
        bytes.withUnsafeBufferPointer { buffer in
            var reader = CanonicalReader(buffer)
            return body(&reader)
        }
    }

    private static func body(_ reader: inout CanonicalReader) -> CommitCodec.MigrationBody? {
        guard reader.take("{\"command\":{\"sealWindow\":{\"window\":"), let window = window(&reader),
            reader.take("}},\"decidedAt\":"), let decidedAt = reader.int(), reader.take(",\"events\":[")
        else { return nil }
        var events: [Event] = []
        if !reader.take("]") {
            repeat {
                guard reader.take("{\"windowJudged\":{\"judgement\":"), let judgement = judgement(&reader),
                    reader.take("}}")
                else { return nil }
                events.append(.windowJudged(judgement: judgement))
            } while reader.take(",")
            guard reader.take("]") else { return nil }
        }
        var format: Int?
        if reader.take(",\"format\":") {
            guard let written = reader.int(), (2...CommitFormat.ours.current).contains(written) else { return nil }
            format = written
        }
        guard reader.take("}"), reader.isAtEnd else { return nil }
        return CommitCodec.MigrationBody(
            command: .sealWindow(window: window),
            decidedAt: Timestamp(rawValue: Int64(decidedAt)),
            events: events,
            format: format
        )
    }

    private static func window(_ reader: inout CanonicalReader) -> Window? {
        guard reader.take("{\"environments\":"), let environments = reader.list(environment), reader.take(",\"k\":"),
            let k = reader.int(), reader.take("}")
        else { return nil }
        return Window(k: Int64(k), environments: environments)
    }

    private static func environment(_ reader: inout CanonicalReader) -> EnvironmentWindow? {
        guard reader.take("{\"environment\":"), let name = reader.text(), reader.take(",\"routers\":"),
            let routers = reader.list({ $0.text() }), reader.take(",\"services\":"),
            let services = reader.list(service), reader.take("}")
        else { return nil }
        return EnvironmentWindow(environment: name, routers: routers, services: services)
    }

    private static func service(_ reader: inout CanonicalReader) -> ServiceWindow? {
        guard reader.take("{\"candidate\":"), let candidate = counts(&reader), reader.take(",\"legacy\":"),
            let legacy = counts(&reader), reader.take("}")
        else { return nil }
        return ServiceWindow(legacy: legacy, candidate: candidate)
    }

    private static func counts(_ reader: inout CanonicalReader) -> Counts? {
        guard reader.take("{") else { return nil }
        var counts = Counts()
        var fields = Fields()
        func count(_ key: StaticString, _ path: WritableKeyPath<Counts, Int>) -> Bool {
            guard fields.take(key, &reader) else { return true }
            guard let value = reader.int(), value >= 1 else { return false }
            counts[keyPath: path] = value
            return true
        }
        guard count("\"cacheHits\":", \.cacheHits), count("\"cacheMisses\":", \.cacheMisses),
            count("\"compared\":", \.compared), count("\"different\":", \.different),
            count("\"errors\":", \.errors)
        else { return nil }
        if fields.take("\"latency\":", &reader) {
            guard let latency = latency(&reader) else { return nil }
            counts.latency = latency
        }
        guard count("\"probesDown\":", \.probesDown), count("\"probesUp\":", \.probesUp),
            count("\"requests\":", \.requests), count("\"timeouts\":", \.timeouts), count("\"users\":", \.users),
            count("\"usersWithErrors\":", \.usersWithErrors), count("\"usersWithTimeouts\":", \.usersWithTimeouts),
            reader.take("}")
        else { return nil }
        return counts
    }

    private static func latency(_ reader: inout CanonicalReader) -> LatencyHistogram? {
        guard reader.take("[") else { return nil }
        var buckets: [LatencyHistogram.Bucket] = []
        repeat {
            guard let micros = reader.int(), micros > buckets.last?.micros ?? -1, reader.take(","),
                let count = reader.int(), count >= 1
            else { return nil }
            buckets.append(LatencyHistogram.Bucket(micros: micros, count: count))
        } while reader.take(",")
        return reader.take("]") ? LatencyHistogram(rising: buckets) : nil
    }

    private static func judgement(_ reader: inout CanonicalReader) -> Judgement? {
        guard reader.take("{\"criteria\":"), let criteria = reader.list(judged), reader.take(",\"k\":"),
            let k = reader.int(), reader.take(",\"observed\":"), let observed = reader.list(observed)
        else { return nil }
        var judgement = Judgement(k: Int64(k), criteria: criteria, observed: observed)
        if reader.take(",\"recorded\":") {
            guard let recorded = reader.list(counts) else { return nil }
            judgement.recorded = recorded
        }
        guard reader.take(",\"run\":"), let run = reader.int() else { return nil }
        judgement.run = run
        if reader.take(",\"stage\":") {
            guard let stage = reader.int() else { return nil }
            judgement.stage = stage
        }
        guard reader.take(",\"triggers\":"), let triggers = reader.list(judged), reader.take("}") else { return nil }
        judgement.triggers = triggers
        return judgement
    }

    private static func judged(_ reader: inout CanonicalReader) -> Judged? {
        guard reader.take("{") else { return nil }
        var fields = Fields()
        var judged = Judged(verdict: .missing, candidate: nil, legacy: nil)
        if fields.take("\"candidate\":", &reader) {
            guard let candidate = measurement(&reader) else { return nil }
            judged.candidate = candidate
        }
        if fields.take("\"figure\":", &reader) {
            guard let figure = figure(&reader) else { return nil }
            judged.figure = figure
        }
        if fields.take("\"legacy\":", &reader) {
            guard let legacy = measurement(&reader) else { return nil }
            judged.legacy = legacy
        }
        if fields.take("\"process\":{\"sums\":", &reader) {
            guard let sums = reader.list({ $0.int().map(Int64.init) }), reader.take("}") else { return nil }
            var process = EProcess(.worse)
            process.sums = sums
            judged.process = process
        }
        guard fields.take("\"streak\":", &reader), let streak = streak(&reader), reader.take(",\"verdict\":"),
            let verdict = verdict(&reader), reader.take("}")
        else { return nil }
        judged.streak = streak
        judged.verdict = verdict
        return judged
    }

    private static func verdict(_ reader: inout CanonicalReader) -> Verdict? {
        if reader.take("\"pass\"") { return .pass }
        if reader.take("\"missing\"") { return .missing }
        if reader.take("\"breach\"") { return .breach }
        if reader.take("\"gray\"") { return .gray }
        return reader.take("\"error\"") ? .error : nil
    }

    private static func figure(_ reader: inout CanonicalReader) -> Judged.Figure? {
        let figure: Judged.Figure
        if reader.take("{\"evidence\":{\"_0\":") {
            guard let value = reader.int() else { return nil }
            figure = .evidence(value)
        } else if reader.take("{\"ranks\":{\"estimate\":") {
            guard let estimate = reader.int(), reader.take(",\"p\":"), let p = reader.int() else { return nil }
            figure = .ranks(p: p, estimate: estimate)
        } else if reader.take("{\"burn\":{\"long\":") {
            guard let long = reader.int(), reader.take(",\"short\":"), let short = reader.int() else { return nil }
            figure = .burn(long: long, short: short)
        } else {
            return nil
        }
        return reader.take("}}") ? figure : nil
    }

    private static func measurement(_ reader: inout CanonicalReader) -> Measurement? {
        guard reader.take("{\"of\":"), let of = reader.int(), reader.take(",\"value\":"), let value = reader.int(),
            reader.take("}")
        else { return nil }
        return Measurement(value: value, of: of)
    }

    private static func streak(_ reader: inout CanonicalReader) -> Streak? {
        guard reader.take("{") else { return nil }
        var fields = Fields()
        var streak = Streak()
        if fields.take("\"breaches\":", &reader) {
            guard let breaches = reader.int(), breaches != 0 else { return nil }
            streak.breaches = breaches
        }
        if fields.take("\"gap\":", &reader) {
            guard let gap = reader.int(), gap != 0 else { return nil }
            streak.gap = TimeSpan(rawValue: Int64(gap))
        }
        if fields.take("\"missing\":", &reader) {
            guard let missing = reader.int(), missing != 0 else { return nil }
            streak.missing = missing
        }
        if fields.take("\"onset\":", &reader) {
            guard let onset = reader.int() else { return nil }
            streak.onset = Int64(onset)
        }
        return reader.take("}") ? streak : nil
    }

    private static func observed(_ reader: inout CanonicalReader) -> Observed? {
        guard reader.take("{\"environment\":"), let environment = reader.text(), reader.take(",\"expected\":"),
            let expected = reader.int(), reader.take(",\"reported\":"), let reported = reader.int(),
            reader.take(",\"shares\":"), let shares = reader.list(measurement), reader.take("}")
        else { return nil }
        return Observed(environment: environment, reported: reported, expected: expected, shares: shares)
    }
}
