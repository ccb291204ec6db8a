import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Verifies an exported migration without a database: hashes, chain, signatures, evidence, and every decision.",
        discussion: """
            Exits 1 at the first line that does not hold. tools/verify-bundle checks the hashes without this program.

            Examples:
              migrate verify recommendations.bundle
              migrate verify recommendations.bundle --checkpoint monday.note --public-key 3q2+7w…
            """
    )
    @Argument(help: "The file that migrate export wrote.") var file: String
    @Option(help: "A checkpoint that you have kept; the bundle's has to be it, or to be shown to go on from it.")
    var checkpoint: String?
    @Option(help: "The checkpoint key that you know, in base64; else the one that the bundle itself names is taken.")
    var publicKey: String?
    @Flag(help: "Takes commits after the last that the checkpoint covers, for which the chain alone speaks.")
    var allowTail = false
    @OptionGroup var format: FormatOptions

    /// The result for programs.
    struct Result: Encodable {
        var format = 2
        var migration: String?
        var log: String?
        var commits: Int64?
        var head: String?
        var phase: String?
        /// The version up to which the checkpoint vouches for the commits; and its size.
        var covered: Int64?
        var checkpoint: Int64?
        /// Whether those were all that there were when the checkpoint was made; false where it does not say.
        var complete: Bool?
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
            try hold(report)
            switch format.format {
            case .json: try Output.json(result(report))
            case .text: for line in lines(report) { Output.line(line) }
            }
        } catch let broken as LogBundle.Broken {
            switch format.format {
            case .json: try Output.json(Result(whole: false, line: broken.line, message: broken.message))
            case .text: Output.line("\(file):\(broken.line): BROKEN: \(broken.message)")
            }
            throw ExitCode(Failure.Code.failed.rawValue)
        }
    }

    /// Holds the bundle against what the auditor knows himself.
    private func hold(_ report: LogBundle.Report) throws {
        func broken(_ message: String) -> LogBundle.Broken { LogBundle.Broken(line: 1, message: message) }
        if let publicKey {
            guard let key = PublicKey(base64: publicKey) else {
                throw Failure(.usage, "--public-key is 32 bytes in base64")
            }
            guard let checkpoint = report.checkpoint else { throw broken("the bundle has no checkpoint") }
            guard checkpoint.isSigned(by: key) else {
                throw broken("the checkpoint is not signed by the key that you know")
            }
        }
        if publicKey != nil || checkpoint != nil, !allowTail, let tail = tail(report) {
            throw broken("\(tail): export it again once there is a checkpoint of all, or take them with --allow-tail")
        }
        if let file = checkpoint {
            let kept = try CheckpointFile.read(file)
            guard let own = report.checkpoint else { throw broken("the bundle has no checkpoint") }
            let isSame = own.isSame(as: kept)
            let since = report.since
            let isSince = since?.isSame(as: kept) ?? false
            guard isSame || isSince else {
                throw broken(
                    own.size > kept.size && since == nil
                        ? "nothing shows that the checkpoint goes on from yours: export it with --since \(file)"
                        : "the checkpoint is not yours, and does not go on from it"
                )
            }
            guard own.streams != nil || kept.streams == nil else {
                throw broken(
                    "the checkpoint does not say which commits were the last ones, and yours, which is earlier, does"
                )
            }
            // Whoever wrote the bundle may have gone on from yours by himself, with keys of his own.
            guard isSame || publicKey != nil || report.signer.map({ kept.isSigned(by: $0.key) }) ?? false else {
                throw broken(
                    "the checkpoint goes on from yours, and was signed by another key: give the one that you know as --public-key"
                )
            }
        }
    }

    /// What the checkpoint does not cover, in words; nil where it covers everything.
    private func tail(_ report: LogBundle.Report) -> String? {
        guard report.checkpoint != nil, report.covered < report.head.commits else { return nil }
        return "versions \(report.covered + 1) to \(report.head.commits) are covered by no checkpoint"
    }

    private func result(_ report: LogBundle.Report) -> Result {
        Result(
            migration: report.head.stream,
            log: report.head.logs.last?.id,
            commits: report.head.commits,
            head: report.head.head,
            phase: report.state.migration?.phase.name,
            covered: report.checkpoint == nil ? nil : report.covered,
            checkpoint: report.checkpoint?.size,
            complete: report.checkpoint == nil ? nil : report.isComplete,
            whole: true
        )
    }

    private func lines(_ report: LogBundle.Report) -> [String] {
        var lines = [
            "\(file): \(report.head.commits) commits of \(report.head.stream), chain whole, \(report.head.commits) decisions the same; it ends \(report.state.migration?.phase.name ?? "unplanned")",
            "  log \(report.head.logs.last?.id ?? ""), last hash \(report.head.head)",
        ]
        guard let checkpoint = report.checkpoint, let signer = report.signer else {
            lines.append(
                "  no checkpoint covers it: only somebody who was told that hash before can say that it is the one there was"
            )
            return lines
        }
        let revoked = signer.isActive ? "" : ", which the log no longer takes"
        lines.append(
            "  versions 1 to \(report.covered) are in the checkpoint of \(checkpoint.size) commits, signed by \(signer.owner)’s key \(signer.key.id)\(revoked)"
        )
        lines.append(
            report.isComplete
                ? "  which were all that it had by then"
                : "  which does not say whether it had more by then: it is of a release before that"
        )
        if let tail = tail(report) { lines.append("  \(tail): whoever wrote the bundle may have made them") }
        if let since = report.since { lines.append("  which goes on from that of \(since.size) commits") }
        if self.checkpoint == nil {
            lines.append("  whether that checkpoint is one that you were told before, you say: --checkpoint FILE")
        }
        return lines
    }
}
