package import MigrationCore

/// Conditions as people write them:
///
///     error_rate > 2% for 2m (exit 1.5%, max gap 20s, no data 5m, minimum 20, missing hold, scope service)
///     timeout_rate improved by 87% on baseline
///     error_rate no worse than legacy by 1.5x (confidence 95%)
///     latency.p95 worse than legacy by mann-whitney (confidence 99%, over 10m)
///     error_rate burn rate > 14.4 over 1h/5m (objective 99.9%)
package struct ConditionText {
    /// What is wrong with a condition, `offset` characters into its text.
    package struct Wrong: Error, Hashable, Sendable {
        package var offset: Int
        package var message: String
        package var mend: String?
    }

    /// What a condition says where its own text says nothing.
    package struct Defaults: Sendable {
        package var exit: String?
        package var maxGap: TimeSpan?
        package var noData: TimeSpan?
        package var minimum: Int
        package var missing: Trigger.Missing
        package var scope: Trigger.Scope
        /// The metrics that the plan's sources give, by their names.
        package var named: [String: Metric]

        package init(
            exit: String? = nil,
            maxGap: TimeSpan? = nil,
            noData: TimeSpan? = nil,
            minimum: Int = 1,
            missing: Trigger.Missing = .hold,
            scope: Trigger.Scope = .all,
            named: [String: Metric] = [:]
        ) {
            self.exit = exit
            self.maxGap = maxGap
            self.noData = noData
            self.minimum = minimum
            self.missing = missing
            self.scope = scope
            self.named = named
        }
    }

    struct Word {
        var text: String
        var offset: Int
    }

    private static let longest = 400
    var words: [Word]
    private let end: Int

    private init(_ text: String) throws(Wrong) {
        guard text.count <= Self.longest else {
            throw Wrong(offset: 0, message: "a condition has at most \(Self.longest) characters")
        }
        words = []
        end = text.count
        for (offset, character) in text.enumerated() {
            let isOperator = "<>=!".contains(character)
            let continues =
                words.last.map { word in
                    word.offset + word.text.count == offset && !"(),".contains(word.text)
                        && isOperator == word.text.allSatisfy { "<>=!".contains($0) }
                } ?? false
            if character.isWhitespace {
                continue
            } else if "(),".contains(character) || !continues {
                words.append(Word(text: String(character), offset: offset))
            } else {
                words[words.count - 1].text.append(character)
            }
        }
    }

    /// A condition that rolls back: a statement, `for` a duration, and settings in brackets.
    ///
    /// - Parameters:
    ///   - text: the condition.
    ///   - window: the length of a window, from which the settings that are not given follow.
    package static func trigger(_ text: String, window: TimeSpan, defaults: Defaults = Defaults()) throws(Wrong)
        -> Trigger
    {
        var reader = try ConditionText(text)
        var condition = try reader.statement(.trigger, defaults)
        var duration = TimeSpan.zero
        if reader.words.first?.text == "for" || !condition.isCumulative {
            try reader.keyword("for", "a trigger says for how long: \(condition.text(asTrigger: true)) for 2m")
            duration = try reader.duration()
        }
        let settings = try reader.settings(defaults, of: &condition, .trigger)
        try reader.finish()
        return Trigger(
            condition: condition,
            duration: duration,
            exit: try reader.exit(settings.exit, condition),
            maxGap: settings.maxGap ?? window * 2,
            noData: settings.noData,
            minimum: settings.minimum,
            missing: settings.missing,
            scope: settings.scope
        )
    }

    /// A condition that a step must show.
    package static func criterion(_ text: String, defaults: Defaults = Defaults()) throws(Wrong) -> Criterion {
        var reader = try ConditionText(text)
        var condition = try reader.statement(.criterion, defaults)
        if let word = reader.words.first, word.text == "for" {
            throw Wrong(offset: word.offset, message: "a criterion has no duration: the stage's bake is its duration")
        }
        let settings = try reader.settings(defaults, of: &condition, .criterion)
        try reader.finish()
        return Criterion(condition: condition, minimum: settings.minimum)
    }

    /// A metric alone.
    package static func metric(_ text: String, defaults: Defaults = Defaults()) throws(Wrong) -> Metric {
        var reader = try ConditionText(text)
        let metric = try reader.metric(defaults)
        try reader.finish()
        return metric
    }

    mutating func next(_ what: String) throws(Wrong) -> Word {
        guard !words.isEmpty else { throw Wrong(offset: end, message: "\(what) is missing at the end") }
        return words.removeFirst()
    }

    mutating func keyword(_ keyword: String, _ mend: String) throws(Wrong) {
        let word = try next("“\(keyword)”")
        guard word.text == keyword else {
            throw Wrong(offset: word.offset, message: "“\(keyword)” is expected here, not “\(word.text)”", mend: mend)
        }
    }

    func value(_ word: Word, _ unit: Metric.Unit) throws(Wrong) -> Int {
        do {
            switch unit {
            case .ratio: return try Quantity.partsPerMillion(word.text)
            case .time: return Int(try Quantity.duration(word.text).rawValue)
            case .rate: return try Quantity.rate(word.text)
            case .number: return try Quantity.decimal(word.text, places: 6)
            }
        } catch {
            throw Wrong(offset: word.offset, message: error.message, mend: error.mend)
        }
    }

    mutating func duration() throws(Wrong) -> TimeSpan {
        let word = try next("a duration")
        return try duration(word)
    }

    func duration(_ word: Word) throws(Wrong) -> TimeSpan {
        do {
            return try Quantity.duration(word.text)
        } catch {
            throw Wrong(offset: word.offset, message: error.message, mend: error.mend)
        }
    }

    mutating func decimal(_ what: String, places: Int) throws(Wrong) -> Int {
        let word = try next(what)
        do {
            return try Quantity.decimal(word.text, places: places)
        } catch {
            throw Wrong(offset: word.offset, message: error.message, mend: error.mend)
        }
    }

    private mutating func settings(_ defaults: Defaults, of condition: inout Condition, _ use: Use) throws(Wrong)
        -> Defaults
    {
        var settings = defaults
        guard words.first?.text == "(" else { return settings }
        words.removeFirst()
        let allowed = use.settings(of: condition)
        repeat {
            let word = try next("a setting")
            var name = word.text
            if ["max", "no"].contains(name) { name += " " + (try next("“gap” or “data”").text) }
            guard allowed.contains(name) else {
                throw Wrong(
                    offset: word.offset,
                    message: "there is no setting “\(name)” here",
                    mend: Suggestion.mend(name, among: allowed)
                )
            }
            switch name {
            case "exit": settings.exit = try next("a threshold").text
            case "max gap": settings.maxGap = try duration()
            case "no data": settings.noData = try duration()
            case "minimum": settings.minimum = try count()
            case "missing": settings.missing = try choice("missing data cannot “%”")
            case "scope": settings.scope = try choice("a rollback takes back no “%”")
            default: try set(name, of: &condition)
            }
            let separator = try next("“)”")
            if separator.text == ")" { return settings }
            guard separator.text == "," else {
                throw Wrong(offset: separator.offset, message: "“,” or “)” is expected here, not “\(separator.text)”")
            }
        } while true
    }

    private mutating func count() throws(Wrong) -> Int {
        let word = try next("a number")
        guard word.text.count <= 9, let count = Int(word.text), count >= 1 else {
            throw Wrong(
                offset: word.offset,
                message: "“\(word.text)” is not a number of samples",
                mend: "write a whole number from 1"
            )
        }
        return count
    }

    /// One of a few words.
    private mutating func choice<C: RawRepresentable<String> & CaseIterable>(_ message: String) throws(Wrong) -> C {
        let known = C.allCases.map(\.rawValue)
        let word = try next(known.joined(separator: ", "))
        guard let choice = C(rawValue: word.text) else {
            throw Wrong(
                offset: word.offset,
                message: message.replacing("%", with: word.text),
                mend: Suggestion.mend(word.text, among: known)
            )
        }
        return choice
    }

    /// T_out must lie on the healthy side of T_in.
    private func exit(_ text: String?, _ condition: Condition) throws(Wrong) -> Int? {
        guard let text, case .threshold(let side, let threshold) = condition.test else {
            return Trigger.defaultExit(condition)
        }
        let exit = try value(Word(text: text, offset: 0), condition.metric.unit)
        let isHealthier = side == .above ? exit <= threshold : exit >= threshold
        guard isHealthier else {
            throw Wrong(
                offset: 0,
                message: "the exit \(text) lies beyond the threshold of \(condition.text(asTrigger: true))",
                mend: "an exit lies on the healthy side: \(side == .above ? "lower" : "higher") than the threshold"
            )
        }
        return exit
    }

    private func finish() throws(Wrong) {
        if let word = words.first { throw Wrong(offset: word.offset, message: "“\(word.text)” is not expected here") }
    }
}
