import JSON
import Resumes

/// What applying recommendations has brought.
struct Comparison {
    private let before: (overall: Int, ats: Int, findings: Int)
    private let after: (overall: Int, ats: Int, findings: Int)

    init(before: Resume, after: Resume, engine: Engine, keywords: [String]) {
        func look(_ resume: Resume) -> (Int, Int, Int) {
            let findings = engine.findings(in: resume, keywords: keywords)
            return (
                Scores(Array(findings.prefix(Engine.most))).overall, Scores.ats(resume, keywords: keywords),
                findings.count
            )
        }
        self.before = look(before)
        self.after = look(after)
    }

    var json: JSONValue {
        func side(_ side: (overall: Int, ats: Int, findings: Int)) -> JSONValue {
            ["overallScore": .int(side.overall), "atsCompatibility": .int(side.ats), "findings": .int(side.findings)]
        }
        return [
            "before": side(before), "after": side(after), "scoreChange": .int(after.overall - before.overall),
            "findingsResolved": .int(max(0, before.findings - after.findings)),
        ]
    }
}
