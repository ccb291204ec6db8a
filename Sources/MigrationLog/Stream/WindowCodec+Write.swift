import MigrationCore

extension WindowCodec {
    /// - Returns: nil for anything but a window's commit without escapes.
    package static func write(_ body: CommitCodec.MigrationBody) -> [UInt8]? {
        guard case .sealWindow(let window) = body.command, body.signed == nil, body.trust == nil else { return nil }
        var writer = CanonicalWriter()
        writer.add("{\"command\":{\"sealWindow\":{\"window\":{\"environments\":")
        writer.list(window.environments, environment)
        writer.add(",\"k\":", Int(window.k))
        writer.add("}}},\"decidedAt\":", Int(body.decidedAt.rawValue))
        writer.add(",\"events\":")
        writer.list(body.events) { event, writer in
            guard case .windowJudged(let judgement) = event else { return writer.isPossible = false }
            writer.add("{\"windowJudged\":{\"judgement\":")
            Self.judgement(judgement, &writer)
            writer.add("}}")
        }
        if let format = body.format { writer.add(",\"format\":", format) }
        writer.add("}")
        return writer.isPossible ? writer.bytes : nil
    }

    private static func environment(_ environment: EnvironmentWindow, _ writer: inout CanonicalWriter) {
        guard environment.readings == nil else { return writer.isPossible = false }
        writer.add("{\"environment\":", environment.environment)
        writer.add(",\"routers\":")
        writer.list(environment.routers) { $1.text($0) }
        writer.add(",\"services\":")
        writer.list(environment.services) { service, writer in
            writer.add("{\"candidate\":")
            counts(service.candidate, &writer)
            writer.add(",\"legacy\":")
            counts(service.legacy, &writer)
            writer.add("}")
        }
        writer.add("}")
    }

    private static func counts(_ counts: Counts, _ writer: inout CanonicalWriter) {
        writer.begin()
        writer.field("\"cacheHits\":", counts.cacheHits)
        writer.field("\"cacheMisses\":", counts.cacheMisses)
        writer.field("\"compared\":", counts.compared)
        writer.field("\"different\":", counts.different)
        writer.field("\"errors\":", counts.errors)
        if !counts.latency.buckets.isEmpty {
            writer.key("\"latency\":")
            writer.list(counts.latency.buckets) { bucket, writer in
                writer.int(bucket.micros)
                writer.add(",", bucket.count)
            }
        }
        writer.field("\"probesDown\":", counts.probesDown)
        writer.field("\"probesUp\":", counts.probesUp)
        writer.field("\"requests\":", counts.requests)
        writer.field("\"timeouts\":", counts.timeouts)
        writer.field("\"users\":", counts.users)
        writer.field("\"usersWithErrors\":", counts.usersWithErrors)
        writer.field("\"usersWithTimeouts\":", counts.usersWithTimeouts)
        writer.add("}")
    }

    private static func judgement(_ judgement: Judgement, _ writer: inout CanonicalWriter) {
        writer.add("{\"criteria\":")
        writer.list(judgement.criteria, judged)
        writer.add(",\"k\":", Int(judgement.k))
        writer.add(",\"observed\":")
        writer.list(judgement.observed) { observed, writer in
            writer.add("{\"environment\":", observed.environment)
            writer.add(",\"expected\":", observed.expected)
            writer.add(",\"reported\":", observed.reported)
            writer.add(",\"shares\":")
            writer.list(observed.shares, measurement)
            writer.add("}")
        }
        if let recorded = judgement.recorded {
            writer.add(",\"recorded\":")
            writer.list(recorded, counts)
        }
        writer.add(",\"run\":", judgement.run)
        if let stage = judgement.stage { writer.add(",\"stage\":", stage) }
        writer.add(",\"triggers\":")
        writer.list(judgement.triggers, judged)
        writer.add("}")
    }

    private static func judged(_ judged: Judged, _ writer: inout CanonicalWriter) {
        writer.begin()
        if let candidate = judged.candidate {
            writer.key("\"candidate\":")
            measurement(candidate, &writer)
        }
        if let figure = judged.figure {
            writer.key("\"figure\":")
            switch figure {
            case .evidence(let value): writer.add("{\"evidence\":{\"_0\":", value)
            case .ranks(let p, let estimate):
                writer.add("{\"ranks\":{\"estimate\":", estimate)
                writer.add(",\"p\":", p)
            case .burn(let long, let short):
                writer.add("{\"burn\":{\"long\":", long)
                writer.add(",\"short\":", short)
            }
            writer.add("}}")
        }
        if let legacy = judged.legacy {
            writer.key("\"legacy\":")
            measurement(legacy, &writer)
        }
        if let process = judged.process {
            writer.key("\"process\":{\"sums\":")
            writer.list(process.sums) { $1.int(Int($0)) }
            writer.add("}")
        }
        writer.key("\"streak\":")
        streak(judged.streak, &writer)
        writer.add(",\"verdict\":", judged.verdict.rawValue)
        writer.add("}")
    }

    private static func measurement(_ measurement: Measurement, _ writer: inout CanonicalWriter) {
        writer.add("{\"of\":", measurement.of)
        writer.add(",\"value\":", measurement.value)
        writer.add("}")
    }

    private static func streak(_ streak: Streak, _ writer: inout CanonicalWriter) {
        writer.begin()
        writer.field("\"breaches\":", streak.breaches)
        writer.field("\"gap\":", Int(streak.gap.rawValue))
        writer.field("\"missing\":", streak.missing)
        if let onset = streak.onset {
            writer.key("\"onset\":")
            writer.int(Int(onset))
        }
        writer.add("}")
    }
}
