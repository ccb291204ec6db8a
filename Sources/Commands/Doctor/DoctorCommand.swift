import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import Signals

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks at the log as a whole: what is wrong with it or beside it, and what mends it.",
        discussion: """
            Heads that are not the last commits, migrations that cannot be read, who keeps appends waiting, commits without a number and who holds them back, an unsealed
            tail after a logical restore, migrations that no worker sees to, projections that are behind, snapshots beside no commit, dead leases, old measurements, a clock that is off. Exits 1 while something is wrong.

            Example: migrate doctor --mend
            """
    )
    @Flag(help: "Mends what needs no person’s judgement.") var mend = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    private struct Result: Encodable {
        struct Finding: Encodable {
            var kind: String
            var message: String
            var mend: String?
            var mended: String?
        }
        var format = 1
        var findings: [Finding]
    }

    func run() async throws {
        let doctor = Doctor(try await LogAccess(database).log)
        let findings = try await doctor.look(now: SystemClock.now)
        var results: [Result.Finding] = []
        for finding in findings {
            let mended = mend ? try await doctor.mend(finding) : nil
            results.append(
                Result.Finding(
                    kind: finding.kind.rawValue,
                    message: finding.message,
                    mend: finding.mend,
                    mended: mended
                )
            )
        }
        switch format.format {
        case .json: try Output.json(Result(findings: results))
        case .text:
            for result in results {
                Output.line("\(result.kind): \(result.message)")
                if let mended = result.mended {
                    Output.line("  mended: \(mended)")
                } else {
                    Output.line("  \(result.mend ?? "migrate doctor --mend")")
                }
            }
            if results.isEmpty { Output.line("the log is well") }
        }
        if results.contains(where: { $0.mended == nil }) { throw ExitCode(Failure.Code.failed.rawValue) }
    }
}
