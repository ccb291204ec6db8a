import MigrationCore

/// Why a window is missing.
struct Unmeasured: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One program of a Gateway, as it is scraped.
struct GatewayProgram: Hashable, CustomStringConvertible {
    let job: String
    let instance: String
    var description: String { "\(instance) of the job \(job)" }

    init(_ labels: [String: String]) throws {
        guard let job = labels["job"], let instance = labels["instance"] else {
            throw Unmeasured("\(labels) has no labels job and instance: sum up nothing")
        }
        self.job = job
        self.instance = instance
    }
}

/// What a Gateway's programs had counted when a window had ended.
struct GatewayCounts {
    /// What the series of one selector have counted, by their labels.
    typealias Side = [[String: String]: Double]

    let k: Int64
    /// The label that holds a status.
    let code: String
    let asksForTimeouts: Bool
    /// When each program was scraped.
    let ends: [GatewayProgram: Timestamp]
    /// By selector.
    var sides: [Side] = []
    /// By selector, the series that were never there before.
    var news: [Set<[String: String]>] = []

    init(k: Int64, code: String, asksForTimeouts: Bool, ends: [GatewayProgram: Timestamp]) {
        self.k = k
        self.code = code
        self.asksForTimeouts = asksForTimeouts
        self.ends = ends
    }

    /// What one side did since.
    func counts(_ side: Int, since before: GatewayCounts) throws -> Counts {
        let changed = Set(ends.keys).symmetricDifference(before.ends.keys)
        guard changed.isEmpty else {
            throw Unmeasured("came or went: \(changed.map(\.description).sorted().joined(separator: ", "))")
        }
        var counts = Counts()
        for (labels, value) in sides[side] {
            // A series that was never there has counted nothing before: its program was scraped.
            guard let begin = before.sides[side][labels] ?? (news[side].contains(labels) ? 0 : nil) else {
                throw Unmeasured("\(labels) is back, and what it counted meanwhile is not known")
            }
            guard let code = labels[code] else { throw Unmeasured("\(labels) has no label \(code)") }
            let number = Int((value - begin).rounded())
            guard number >= 0 else { throw Unmeasured("\(labels) has begun anew") }
            counts.requests += number
            switch try Ending(code) {
            case .good: break
            case .timeout: counts.timeouts += number
            case .bad: counts.errors += number
            case .badOrTimeout:
                guard !asksForTimeouts || number == 0 else {
                    throw Unmeasured("\(code) does not tell time-outs, and the plan has a condition on them")
                }
                counts.errors += number
            }
        }
        return counts
    }

    /// What a status says.
    private enum Ending {
        case good, bad, timeout, badOrTimeout

        init(_ code: String) throws {
            switch code.lowercased() {
            case "504": self = .timeout
            case let code where code.wholeMatch(of: /[1-4]([0-9][0-9]|xx)/) != nil: self = .good
            case "5xx": self = .badOrTimeout
            // Of Envoy's classes and of gRPC's codes the same figures say opposite things.
            case let code where code.wholeMatch(of: /[1-9]/) != nil: throw Unmeasured("\(code) is no status of HTTP")
            // What has no status, such as 0 or one of gRPC, is no health.
            default: self = .bad
            }
        }
    }
}
