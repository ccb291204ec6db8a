import MigrationCore

extension ConditionText {
    /// Where a condition stands.
    enum Use {
        case trigger, criterion

        /// The settings that it may have there.
        func settings(of condition: Condition) -> [String] {
            var names = self == .trigger ? ["minimum", "max gap", "no data", "missing", "scope"] : ["minimum"]
            switch condition.test {
            case .threshold: if self == .trigger { names.insert("exit", at: 0) }
            case .improved: break
            case .compared: names += ["confidence", "users"]
            case .ranked: names += ["confidence", "over"]
            case .burning: names.append("objective")
            }
            return names
        }
    }

    /// A metric and what is said of it.
    mutating func statement(_ use: Use, _ defaults: Defaults) throws(Wrong) -> Condition {
        let start = words.first?.offset ?? 0
        let metric = try metric(defaults)
        let word = try next("> or <")
        switch word.text {
        case ">", "<":
            let threshold = try next("a threshold")
            let side: Condition.Side = word.text == ">" ? .above : .below
            return Condition(metric: metric, side: side, threshold: try value(threshold, metric.unit))
        case "improved":
            try require(use == .criterion, word, "an improvement is a criterion: it does not roll back")
            if case .named = metric {
                throw Wrong(offset: start, message: "the baseline of \(metric.name) is not recorded")
            }
            try keyword("by", "improved by 87% on baseline")
            let by = try value(next("a percentage"), .ratio)
            try keyword("on", "improved by 87% on baseline")
            try keyword("baseline", "improved by 87% on baseline")
            return Condition(metric: metric, test: .improved(by: by))
        case "no", "worse": return try comparison(metric, word, use)
        case "burn":
            try require(use == .trigger, word, "a burn rate is a trigger: it does not let a step advance")
            return try burnRate(metric, start)
        default:
            throw Wrong(
                offset: word.offset,
                message: "“\(word.text)” is not a comparison",
                mend: "use > or <"
                    + (use == .trigger
                        ? ", “worse than legacy by” or “burn rate >”" : ", “no worse than legacy by” or “improved by”")
            )
        }
    }

    mutating func metric(_ defaults: Defaults) throws(Wrong) -> Metric {
        let name = try next("a metric")
        if let metric = Metric.common.first(where: { $0.name == name.text }) ?? Metric(quantile: name.text) {
            return metric
        }
        if let metric = defaults.named[name.text] { return metric }
        guard name.text == "slow_rate" else {
            let known = Metric.common.map(\.name) + ["slow_rate(2s)"] + defaults.named.keys.sorted()
            throw Wrong(
                offset: name.offset,
                message: "there is no metric “\(name.text)”",
                mend: Suggestion.mend(name.text, among: known)
            )
        }
        try keyword("(", "slow_rate(2s): the share of requests that take longer")
        let word = try next("a duration")
        let limit = try duration(word)
        try require(limit > .zero, word, "a request takes longer than nothing")
        try keyword(")", "slow_rate(2s): the share of requests that take longer")
        return .slowRate(over: limit)
    }

    private mutating func comparison(_ metric: Metric, _ first: Word, _ use: Use) throws(Wrong) -> Condition {
        let example = "\(metric.name) \(use == .trigger ? "worse" : "no worse") than legacy by 1.5x"
        if first.text == "no" { try keyword("worse", example) }
        try require(
            (first.text == "no") == (use == .criterion),
            first,
            use == .trigger ? "a trigger says what is bad" : "a criterion says what is good",
            example
        )
        for word in ["than", "legacy", "by"] { try keyword(word, example) }
        let amount = try next("1.5x or mann-whitney")
        if amount.text == "mann-whitney" {
            return Condition(metric: metric, test: .ranked(alpha: 50_000, over: .minutes(10)))
        }
        try require(
            metric.unit == .ratio,
            amount,
            "evidence compares shares of requests, and \(metric.name) is none",
            "use slow_rate(2s), or: \(metric.name) \(first.text == "no" ? "no " : "")worse than legacy by mann-whitney"
        )
        guard amount.text.hasSuffix("x") else {
            throw Wrong(offset: amount.offset, message: "“\(amount.text)” is not a factor", mend: "write 1.5x")
        }
        do {
            let factor = try Quantity.decimal(String(amount.text.dropLast()), places: 6)
            try require((10_000...1_000_000_000).contains(factor), amount, "a factor lies between 0.01x and 1000x")
            return Condition(metric: metric, test: .compared(factor: factor, alpha: 50_000))
        } catch let error as Quantity.Wrong {
            throw Wrong(offset: amount.offset, message: error.message, mend: "write 1.5x")
        } catch let error as Wrong {
            throw error
        } catch {
            throw Wrong(offset: amount.offset, message: "“\(amount.text)” is not a factor")
        }
    }

    private mutating func burnRate(_ metric: Metric, _ start: Int) throws(Wrong) -> Condition {
        let example = "\(metric.name) burn rate > 14.4 over 1h/5m (objective 99.9%)"
        guard metric.unit == .ratio else {
            throw Wrong(offset: start, message: "an error budget is a share of requests, and \(metric.name) is none")
        }
        try keyword("rate", example)
        try keyword(">", example)
        let rate = try decimal("a rate", places: 3)
        try keyword("over", example)
        let times = try next("two durations")
        let parts = times.text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, rate > 0 else {
            throw Wrong(offset: times.offset, message: "a burn rate is measured over two times", mend: example)
        }
        let long = try duration(Word(text: parts[0], offset: times.offset))
        let short = try duration(Word(text: parts[1], offset: times.offset + parts[0].count + 1))
        try require(long > short && short > .zero, times, "the first time is the longer one", example)
        return Condition(metric: metric, test: .burning(rate: rate, long: long, short: short, objective: 999_000))
    }

    /// A setting that belongs to the statement itself.
    mutating func set(_ name: String, of condition: inout Condition) throws(Wrong) {
        let word = try next("a value")
        switch (name, condition.test) {
        case ("confidence", .compared(let factor, _, let users)):
            condition.test = .compared(factor: factor, alpha: try alpha(word), users: users)
        case ("users", .compared(let factor, let alpha, _)):
            try require(
                condition.metric.countsUsers,
                word,
                "users are counted for error_rate and timeout_rate, and not for \(condition.metric.name)"
            )
            guard word.text.count <= 9, let users = Int(word.text), users >= 1 else {
                throw Wrong(
                    offset: word.offset,
                    message: "“\(word.text)” is not a number of users",
                    mend: "write the fewest different users that a window must have on either side: users 30"
                )
            }
            condition.test = .compared(factor: factor, alpha: alpha, users: users)
        case ("confidence", .ranked(_, let over)): condition.test = .ranked(alpha: try alpha(word), over: over)
        case ("over", .ranked(let alpha, _)):
            let over = try duration(word)
            try require(over > .zero, word, "ranks compare the windows of some time")
            condition.test = .ranked(alpha: alpha, over: over)
        case ("objective", .burning(let rate, let long, let short, _)):
            let objective = try value(word, .ratio)
            try require(objective < 1_000_000, word, "an objective of 100% leaves no budget")
            condition.test = .burning(rate: rate, long: long, short: short, objective: objective)
        default: throw Wrong(offset: word.offset, message: "“\(name)” does not belong here")
        }
    }

    private func alpha(_ word: Word) throws(Wrong) -> Int {
        let confidence = try value(word, .ratio)
        try require((500_000..<1_000_000).contains(confidence), word, "a confidence lies between 50% and 99.9999%")
        return 1_000_000 - confidence
    }

    private func require(_ holds: Bool, _ word: Word, _ message: String, _ mend: String? = nil) throws(Wrong) {
        if !holds { throw Wrong(offset: word.offset, message: message, mend: mend) }
    }
}
