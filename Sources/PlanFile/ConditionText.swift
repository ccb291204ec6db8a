package import MigrationCore

/// Conditions as people write them: `error_rate > 2% for 2m (exit 1.5%, max gap 20s, no data 5m, minimum 20, missing hold)`.
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

        package init(
            exit: String? = nil,
            maxGap: TimeSpan? = nil,
            noData: TimeSpan? = nil,
            minimum: Int = 1,
            missing: Trigger.Missing = .hold
        ) {
            self.exit = exit
            self.maxGap = maxGap
            self.noData = noData
            self.minimum = minimum
            self.missing = missing
        }
    }

    private struct Word {
        var text: String
        var offset: Int
    }

    private static let longest = 400
    private var words: [Word]
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

    /// A condition that rolls back: a comparison, `for` a duration, and settings in brackets.
    ///
    /// - Parameters:
    ///   - text: the condition.
    ///   - window: the length of a window, from which the settings that are not given follow.
    package static func trigger(_ text: String, window: TimeSpan, defaults: Defaults = Defaults()) throws(Wrong)
        -> Trigger
    {
        var reader = try ConditionText(text)
        let condition = try reader.comparison()
        try reader.keyword("for", "a trigger says for how long: \(condition) for 2m")
        let duration = try reader.duration()
        let settings = try reader.settings(defaults, allowed: ["exit", "max gap", "no data", "minimum", "missing"])
        try reader.finish()
        let exit = try reader.exit(settings.exit, condition)
        return Trigger(
            condition: condition,
            duration: duration,
            exit: exit,
            maxGap: settings.maxGap ?? window * 2,
            noData: settings.noData,
            minimum: settings.minimum,
            missing: settings.missing
        )
    }

    /// A condition that a step must show.
    package static func criterion(_ text: String, defaults: Defaults = Defaults()) throws(Wrong) -> Criterion {
        var reader = try ConditionText(text)
        let condition = try reader.comparison()
        if let word = reader.words.first, word.text == "for" {
            throw Wrong(offset: word.offset, message: "a criterion has no duration: the stage's bake is its duration")
        }
        let settings = try reader.settings(defaults, allowed: ["minimum"])
        try reader.finish()
        return Criterion(condition: condition, minimum: settings.minimum)
    }

    private mutating func next(_ what: String) throws(Wrong) -> Word {
        guard !words.isEmpty else { throw Wrong(offset: end, message: "\(what) is missing at the end") }
        return words.removeFirst()
    }

    private mutating func keyword(_ keyword: String, _ mend: String) throws(Wrong) {
        let word = try next("“\(keyword)”")
        guard word.text == keyword else {
            throw Wrong(offset: word.offset, message: "“\(keyword)” is expected here, not “\(word.text)”", mend: mend)
        }
    }

    private mutating func comparison() throws(Wrong) -> Condition {
        let name = try next("a metric")
        guard let metric = Metric(rawValue: name.text) else {
            throw Wrong(
                offset: name.offset,
                message: "there is no metric “\(name.text)”",
                mend: Suggestion.mend(name.text, among: Metric.allCases.map(\.rawValue))
            )
        }
        let comparison = try next("> or <")
        guard let side = Condition.Side(rawValue: comparison.text) else {
            throw Wrong(
                offset: comparison.offset,
                message: "“\(comparison.text)” is not a comparison",
                mend: "use > or <"
            )
        }
        let threshold = try next("a threshold")
        return Condition(metric: metric, side: side, threshold: try value(threshold, metric.unit))
    }

    private func value(_ word: Word, _ unit: Metric.Unit) throws(Wrong) -> Int {
        do {
            switch unit {
            case .ratio: return try Quantity.partsPerMillion(word.text)
            case .time: return Int(try Quantity.duration(word.text).rawValue)
            }
        } catch {
            throw Wrong(offset: word.offset, message: error.message, mend: error.mend)
        }
    }

    private mutating func duration() throws(Wrong) -> TimeSpan {
        let word = try next("a duration")
        do {
            return try Quantity.duration(word.text)
        } catch {
            throw Wrong(offset: word.offset, message: error.message, mend: error.mend)
        }
    }

    private mutating func settings(_ defaults: Defaults, allowed: [String]) throws(Wrong) -> Defaults {
        var settings = defaults
        guard words.first?.text == "(" else { return settings }
        words.removeFirst()
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
            default: settings.missing = try missing()
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

    private mutating func missing() throws(Wrong) -> Trigger.Missing {
        let word = try next("hold, breach or pass")
        guard let missing = Trigger.Missing(rawValue: word.text) else {
            throw Wrong(
                offset: word.offset,
                message: "missing data cannot “\(word.text)”",
                mend: Suggestion.mend(word.text, among: Trigger.Missing.allCases.map(\.rawValue))
            )
        }
        return missing
    }

    /// T_out must lie on the healthy side of T_in.
    private func exit(_ text: String?, _ condition: Condition) throws(Wrong) -> Int {
        guard let text else { return Trigger.defaultExit(condition) }
        let exit = try value(Word(text: text, offset: 0), condition.metric.unit)
        let isHealthier = condition.side == .above ? exit <= condition.threshold : exit >= condition.threshold
        guard isHealthier else {
            throw Wrong(
                offset: 0,
                message: "the exit \(text) lies beyond the threshold of \(condition)",
                mend:
                    "an exit lies on the healthy side: \(condition.side == .above ? "lower" : "higher") than the threshold"
            )
        }
        return exit
    }

    private func finish() throws(Wrong) {
        if let word = words.first { throw Wrong(offset: word.offset, message: "“\(word.text)” is not expected here") }
    }
}
