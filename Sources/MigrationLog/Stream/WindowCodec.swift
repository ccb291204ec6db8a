import MigrationCore

/// Reads and writes the commits that a log is nearly all made of, a sealed window and its judgement, without Foundation's JSON, which takes
/// most of a replay's time (`tools/bench log`).
///
/// It knows exactly the canonical text of such a commit: keys in their order, no blank, no escape, whole numbers. Whatever it does not know
/// to the byte it leaves to Foundation, which is also its oracle in the tests.
package enum WindowCodec {
    // MARK: - Reading

    /// - Returns: nil for anything but the canonical text of a window's commit.
    package static func read(_ bytes: [UInt8]) -> CommitCodec.MigrationBody? {
        bytes.withUnsafeBufferPointer { buffer in
            var reader = Reader(buffer)
            return body(&reader)
        }
    }

    private static func body(_ reader: inout Reader) -> CommitCodec.MigrationBody? {
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
        guard reader.take("}"), reader.isAtEnd else { return nil }
        return CommitCodec.MigrationBody(
            command: .sealWindow(window: window),
            decidedAt: Timestamp(rawValue: Int64(decidedAt)),
            events: events
        )
    }

    private static func window(_ reader: inout Reader) -> Window? {
        guard reader.take("{\"environments\":"), let environments = reader.list(environment), reader.take(",\"k\":"),
            let k = reader.int(), reader.take("}")
        else { return nil }
        return Window(k: Int64(k), environments: environments)
    }

    private static func environment(_ reader: inout Reader) -> EnvironmentWindow? {
        guard reader.take("{\"environment\":"), let name = reader.text(), reader.take(",\"routers\":"),
            let routers = reader.list({ $0.text() }), reader.take(",\"services\":"),
            let services = reader.list(service), reader.take("}")
        else { return nil }
        return EnvironmentWindow(environment: name, routers: routers, services: services)
    }

    private static func service(_ reader: inout Reader) -> ServiceWindow? {
        guard reader.take("{\"candidate\":"), let candidate = counts(&reader), reader.take(",\"legacy\":"),
            let legacy = counts(&reader), reader.take("}")
        else { return nil }
        return ServiceWindow(legacy: legacy, candidate: candidate)
    }

    private static func counts(_ reader: inout Reader) -> Counts? {
        guard reader.take("{") else { return nil }
        var counts = Counts()
        var fields = Fields()
        func count(_ key: StaticString, _ path: WritableKeyPath<Counts, Int>) -> Bool {
            guard fields.take(key, &reader) else { return true }
            guard let value = reader.int(), (1...Counts.largest).contains(value) else { return false }
            counts[keyPath: path] = value
            return true
        }
        guard count("\"cacheHits\":", \.cacheHits), count("\"cacheMisses\":", \.cacheMisses),
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

    private static func latency(_ reader: inout Reader) -> LatencyHistogram? {
        guard reader.take("[") else { return nil }
        var buckets: [LatencyHistogram.Bucket] = []
        repeat {
            guard let micros = reader.int(), micros > buckets.last?.micros ?? -1, reader.take(","),
                let count = reader.int(), (1...Counts.largest).contains(count)
            else { return nil }
            buckets.append(LatencyHistogram.Bucket(micros: micros, count: count))
        } while reader.take(",")
        return reader.take("]") ? LatencyHistogram(rising: buckets) : nil
    }

    private static func judgement(_ reader: inout Reader) -> Judgement? {
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

    private static func judged(_ reader: inout Reader) -> Judged? {
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

    private static func verdict(_ reader: inout Reader) -> Verdict? {
        if reader.take("\"pass\"") { return .pass }
        if reader.take("\"missing\"") { return .missing }
        if reader.take("\"breach\"") { return .breach }
        if reader.take("\"gray\"") { return .gray }
        return reader.take("\"error\"") ? .error : nil
    }

    private static func figure(_ reader: inout Reader) -> Judged.Figure? {
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

    private static func measurement(_ reader: inout Reader) -> Measurement? {
        guard reader.take("{\"of\":"), let of = reader.int(), reader.take(",\"value\":"), let value = reader.int(),
            reader.take("}")
        else { return nil }
        return Measurement(value: value, of: of)
    }

    private static func streak(_ reader: inout Reader) -> Streak? {
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

    private static func observed(_ reader: inout Reader) -> Observed? {
        guard reader.take("{\"environment\":"), let environment = reader.text(), reader.take(",\"expected\":"),
            let expected = reader.int(), reader.take(",\"reported\":"), let reported = reader.int(),
            reader.take(",\"shares\":"), let shares = reader.list(measurement), reader.take("}")
        else { return nil }
        return Observed(environment: environment, reported: reported, expected: expected, shares: shares)
    }

    // MARK: - Writing

    /// - Returns: nil for anything but a window's commit without escapes.
    package static func write(_ body: CommitCodec.MigrationBody) -> [UInt8]? {
        guard case .sealWindow(let window) = body.command, body.signed == nil, body.trust == nil else { return nil }
        var writer = Writer()
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
        writer.add("}")
        return writer.isPossible ? writer.bytes : nil
    }

    private static func environment(_ environment: EnvironmentWindow, _ writer: inout Writer) {
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

    private static func counts(_ counts: Counts, _ writer: inout Writer) {
        writer.begin()
        writer.field("\"cacheHits\":", counts.cacheHits)
        writer.field("\"cacheMisses\":", counts.cacheMisses)
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

    private static func judgement(_ judgement: Judgement, _ writer: inout Writer) {
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

    private static func judged(_ judged: Judged, _ writer: inout Writer) {
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

    private static func measurement(_ measurement: Measurement, _ writer: inout Writer) {
        writer.add("{\"of\":", measurement.of)
        writer.add(",\"value\":", measurement.value)
        writer.add("}")
    }

    private static func streak(_ streak: Streak, _ writer: inout Writer) {
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

/// Whether an object's field comes first, or after a comma.
private struct Fields {
    private var isFirst = true

    mutating func take(_ key: StaticString, _ reader: inout Reader) -> Bool {
        guard isFirst ? reader.take(key) : reader.take(after: UInt8(ascii: ","), key) else { return false }
        isFirst = false
        return true
    }
}

/// Canonical JSON from the left to the right.
private struct Reader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    /// Takes exactly these bytes, or nothing.
    mutating func take(_ text: StaticString) -> Bool {
        guard matches(text, at: place) else { return false }
        place += text.utf8CodeUnitCount
        return true
    }

    mutating func take(after byte: UInt8, _ text: StaticString) -> Bool {
        guard place < bytes.count, bytes[place] == byte, matches(text, at: place + 1) else { return false }
        place += 1 + text.utf8CodeUnitCount
        return true
    }

    private func matches(_ text: StaticString, at start: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - start >= count else { return false }
        let expected = text.utf8Start
        for index in 0..<count where bytes[start + index] != expected[index] { return false }
        return true
    }

    /// A whole number as JSON writes it: no plus, no zero before it, nothing that does not fit.
    mutating func int() -> Int? {
        var index = place
        var isNegative = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") {
            isNegative = true
            index += 1
        }
        let first = index
        var value = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeToo) = product.subtractingReportingOverflow(Int(digit))
            if isTooLarge || isTooLargeToo { return nil }
            value = sum
            index += 1
        }
        let digits = index - first
        guard digits > 0, digits == 1 || bytes[first] != UInt8(ascii: "0"), !(isNegative && value == 0) else {
            return nil
        }
        // A fraction or an exponent is Foundation's.
        if index < bytes.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[index]) {
            return nil
        }
        guard isNegative || value != .min else { return nil }
        place = index
        return isNegative ? value : -value
    }

    /// A text of printable ASCII without an escape.
    mutating func text() -> String? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
        var index = place + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            guard WindowText.isPlain(bytes[index]) else { return nil }
            index += 1
        }
        guard index < bytes.count else { return nil }
        let text = String(decoding: bytes[place + 1..<index], as: UTF8.self)
        place = index + 1
        return text
    }

    mutating func list<T>(_ element: (inout Reader) -> T?) -> [T]? {
        guard take("[") else { return nil }
        var elements: [T] = []
        if take("]") { return elements }
        repeat {
            guard let next = element(&self) else { return nil }
            elements.append(next)
        } while take(",")
        return take("]") ? elements : nil
    }
}

/// Canonical JSON as it is written.
private struct Writer {
    private(set) var bytes: [UInt8] = []
    /// Whether everything so far could be written without escapes.
    var isPossible = true
    private var isFirst = true

    init() { bytes.reserveCapacity(2048) }

    mutating func add(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func add(_ text: StaticString, _ value: Int) {
        add(text)
        int(value)
    }

    mutating func add(_ text: StaticString, _ value: String) {
        add(text)
        self.text(value)
    }

    mutating func int(_ value: Int) {
        guard value != 0 else { return bytes.append(UInt8(ascii: "0")) }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        let start = bytes.count
        while magnitude > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(magnitude % 10))
            magnitude /= 10
        }
        bytes[start...].reverse()
    }

    mutating func text(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if !WindowText.isPlain(byte) { isPossible = false }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Begins an object whose fields come with ``key(_:)``.
    mutating func begin() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    mutating func key(_ key: StaticString) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        add(key)
    }

    /// A count that is left out where it is zero.
    mutating func field(_ key: StaticString, _ value: Int) {
        guard value != 0 else { return }
        self.key(key)
        int(value)
    }

    mutating func list<T>(_ elements: [T], _ element: (T, inout Writer) -> Void) {
        bytes.append(UInt8(ascii: "["))
        for (index, next) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            element(next, &self)
        }
        bytes.append(UInt8(ascii: "]"))
    }
}

/// The text that stands in JSON as it is.
private enum WindowText {
    static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
