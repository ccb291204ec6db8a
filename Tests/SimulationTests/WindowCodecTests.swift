import Foundation
import MigrationCore
import MigrationLog
import Randomness
import Simulation
import Testing

@Suite("The log's own codec of windows, beside Foundation's")
struct WindowCodecTests {
    private typealias Body = CommitCodec.MigrationBody

    /// Every field that a window and its judgement can have, each now and then.
    private func body(_ random: inout SplitMix) -> Body {
        func number(_ limit: Int = 1_000_000) -> Int { Int.random(in: 0...limit, using: &random) }
        func chance(_ one: Int) -> Bool { Int.random(in: 1...one, using: &random) == 1 }
        func many<T>(_ make: () -> T) -> [T] { (0..<number(3)).map { _ in make() } }
        func text() -> String {
            let choices = [
                "production", "gateway-1", "", "a b", chance(20) ? "quo\"te" : "x", chance(20) ? "é" : "y/z",
            ]
            return choices.randomElement(using: &random) ?? ""
        }
        func counts() -> Counts {
            var counts = Counts()
            if chance(2) { counts.requests = number(Counts.largest) }
            if chance(3) { counts.errors = number() }
            if chance(4) { counts.timeouts = number() }
            if chance(4) { counts.cacheHits = number() }
            if chance(4) { counts.cacheMisses = number() }
            if chance(2) { counts.probesUp = number(10) }
            if chance(4) { counts.probesDown = number(10) }
            if chance(4) { counts.users = number() }
            if chance(4) { counts.usersWithErrors = number() }
            if chance(4) { counts.usersWithTimeouts = number() }
            if chance(4) { counts.compared = number() }
            if chance(4) { counts.different = number() }
            counts.latency = LatencyHistogram(many { LatencyHistogram.Bucket(micros: number(), count: 1 + number(9)) })
            return counts
        }
        func measurement() -> MigrationCore.Measurement? {
            chance(3) ? nil : MigrationCore.Measurement(value: number() - 5, of: number())
        }
        func judged() -> Judged {
            let verdicts: [Verdict] = [.pass, .breach, .gray, .missing, .error]
            var judged = Judged(
                verdict: verdicts.randomElement(using: &random) ?? .pass,
                candidate: measurement(),
                legacy: measurement()
            )
            let figures: [Judged.Figure?] = [
                nil, .evidence(-number()), .ranks(p: number(), estimate: -number()), .burn(long: number(), short: 0),
            ]
            judged.figure = figures.randomElement(using: &random) ?? nil
            if chance(3) {
                var process = EProcess(.noWorse)
                process.sums = process.sums.map { _ in Int64.random(in: .min ... .max, using: &random) }
                judged.process = process
            }
            if chance(2) { judged.streak.breaches = number(5) }
            if chance(3) { judged.streak.gap = TimeSpan(rawValue: Int64(number())) }
            if chance(3) { judged.streak.missing = number(5) }
            if chance(3) { judged.streak.onset = Int64(number()) }
            return judged
        }
        let environments = many {
            EnvironmentWindow(
                environment: text(),
                routers: many(text),
                services: many { ServiceWindow(legacy: counts(), candidate: counts()) },
                readings: chance(20) ? ["x": Reading(candidate: nil, legacy: nil)] : nil
            )
        }
        let events = many {
            Event.windowJudged(
                judgement: Judgement(
                    k: Int64(number()),
                    stage: chance(2) ? number(5) : nil,
                    criteria: many(judged),
                    triggers: many(judged),
                    run: number(3),
                    observed: many {
                        Observed(
                            environment: text(),
                            reported: number(3),
                            expected: number(3),
                            shares: many { MigrationCore.Measurement(value: number(), of: number()) }
                        )
                    },
                    recorded: chance(5) ? many(counts) : nil
                )
            )
        }
        return Body(
            command: chance(30) ? .tick : .sealWindow(window: Window(k: Int64(number()), environments: environments)),
            decidedAt: Timestamp(rawValue: Int64(number())),
            events: chance(30) ? events + [.expired] : events
        )
    }

    @Test("writes the same bytes and reads the same values, or leaves them to it", arguments: 1...20)
    func same(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var own = 0
        for _ in 0..<300 {
            let body = body(&random)
            let bytes = Array(try CommitCodec.canonical(body))
            let written = WindowCodec.write(body)
            if let written { #expect(written == bytes) }
            let read = WindowCodec.read(bytes)
            #expect((read == nil) == (written == nil), "\(String(decoding: bytes, as: UTF8.self))")
            guard let read else { continue }
            own += 1
            #expect(try CommitCodec.canonical(read) == Data(bytes))
            #expect(read.command == body.command && read.events == body.events && read.decidedAt == body.decidedAt)
        }
        #expect(own > 150)
    }

    @Test("takes no text that it would not take, and reads of a changed one what it reads", arguments: 1...10)
    func changed(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let pieces = Array("0123456789-+.eE\",:[]{} \\ntrue".utf8)
        var taken = 0
        for _ in 0..<60 {
            let bytes = Array(try CommitCodec.canonical(body(&random)))
            for _ in 0..<40 {
                var changed = bytes
                for _ in 0..<Int.random(in: 1...2, using: &random) {
                    let place = Int.random(in: 0..<changed.count, using: &random)
                    switch Int.random(in: 0...3, using: &random) {
                    case 0: changed[place] = pieces.randomElement(using: &random) ?? 0
                    case 1: changed.insert(pieces.randomElement(using: &random) ?? 0, at: place)
                    case 2: changed.remove(at: place)
                    default: changed[place] = UInt8.random(in: 0...255, using: &random)
                    }
                }
                guard let read = WindowCodec.read(changed) else { continue }
                taken += 1
                let oracle = try? JSONDecoder().decode(Body.self, from: Data(changed))
                let isSame =
                    oracle?.command == read.command && oracle?.events == read.events
                    && oracle?.decidedAt == read.decidedAt
                #expect(isSame, "\(String(decoding: changed, as: UTF8.self))")
            }
        }
        #expect(taken > 50)
    }
}
