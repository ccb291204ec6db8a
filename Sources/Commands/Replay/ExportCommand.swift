import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a migration's commits to a file that can be verified without a database.",
        discussion: "Example: migrate export recommendations > recommendations.bundle"
    )
    @Argument(help: "The migration.") var migration: String
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let access = try await LogAccess(database)
        // Verified on its way out: a log that does not hold is not exported as if it did.
        var last: Replay.Step?
        let report: Replay.Report
        do {
            report = try await Replay(migration, of: access.log).run { last = $0 }
        } catch let error as LogError where error.code == .unknownStream {
            throw await Overrides.unknown(migration, access.log)
        }
        if let divergence = report.divergence {
            for line in ReplayText.divergence(divergence) { Output.error(line) }
            throw ExitCode(Failure.Code.failed.rawValue)
        }
        guard let last else { throw await Overrides.unknown(migration, access.log) }
        let log = try await access.log.incarnations()
        Output.raw(try LogBundle.head(log: log, stream: migration, commits: report.commits, last: last.hash))
        var version: Int64 = 0
        while version < report.commits {
            let rows = try await access.log.rows(migration, after: version)
            // What was appended since the replay is for the next export.
            for row in rows where row.version <= report.commits { Output.raw(try LogBundle.line(row)) }
            guard let end = rows.last?.version else { break }
            version = end
        }
    }
}

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verifies an exported migration without a database: hashes, chain, and every decision.",
        discussion: """
            Exits 1 at the first line that does not hold. tools/verify-bundle checks the hashes without this program.

            Example: migrate verify recommendations.bundle
            """
    )
    @Argument(help: "The file that migrate export wrote.") var file: String
    @OptionGroup var format: FormatOptions

    /// The result for programs.
    struct Result: Encodable {
        var format = 1
        var migration: String?
        var log: String?
        var commits: Int64?
        var head: String?
        var phase: String?
        var whole: Bool
        var line: Int?
        var message: String?
    }

    func run() throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(.failed, "the file \(file) cannot be read")
        }
        do {
            let report = try LogBundle.verify(data)
            switch format.format {
            case .json:
                try Output.json(
                    Result(
                        migration: report.head.stream,
                        log: report.head.logs.last,
                        commits: report.head.commits,
                        head: report.head.head,
                        phase: report.state.migration?.phase.name,
                        whole: true
                    )
                )
            case .text:
                Output.line(
                    "\(file): \(report.head.commits) commits of \(report.head.stream), chain whole, \(report.head.commits) decisions the same; it ends \(report.state.migration?.phase.name ?? "unplanned")"
                )
                Output.line("  log \(report.head.logs.last ?? ""), last hash \(report.head.head)")
                Output.line(
                    "  what only somebody outside can say: whether that hash is the one that he was told before"
                )
            }
        } catch let broken as LogBundle.Broken {
            switch format.format {
            case .json: try Output.json(Result(whole: false, line: broken.line, message: broken.message))
            case .text: Output.line("\(file):\(broken.line): BROKEN: \(broken.message)")
            }
            throw ExitCode(Failure.Code.failed.rawValue)
        }
    }
}
