import Foundation
import MigrationCore
import MigrationLog
import Postgres

/// Carries a person's command to the log; no worker has to be alive for it.
enum Overrides {
    /// - Returns: the commit.
    /// - Throws: the refusal, after it was recorded.
    static func perform(
        _ command: Command,
        on migration: String,
        _ options: OverrideOptions,
        _ access: LogAccess,
        also: [PostgresStatement] = []
    ) async throws -> MigrationLog.Performed {
        let performed: MigrationLog.Performed?
        do {
            performed = try await access.log.perform(
                command,
                on: migration,
                by: options.actorName,
                id: options.commandID,
                key: options.signingKey(),
                also: also
            )
        } catch let refusal as Refusal where refusal.code == .unplanned {
            throw await unknown(migration, access.log)
        }
        guard let performed else { throw Failure(.failed, "the command decided nothing") }
        try requireAccepted(performed)
        return performed
    }

    /// - Throws: the refusal that a commit records.
    static func requireAccepted(_ performed: MigrationLog.Performed) throws {
        guard case .overrideRefused(let refusal)? = performed.commit.events.first else { return }
        throw Failure(
            .refused,
            "refused: \(refusal.message) (recorded at version \(performed.commit.version))",
            mend: refusal.mend
        )
    }

    /// What there is instead of a migration that there is not.
    static func unknown(_ migration: String, _ log: MigrationLog) async -> Failure {
        let known = (try? await log.streams()) ?? []
        return Failure(
            .refused,
            "there is no migration “\(migration)”",
            mend: known.isEmpty
                ? "create one from its plan: migrate create FILE"
                : "there are: \(known.prefix(20).joined(separator: ", "))"
        )
    }

    /// Asks on a terminal before something that moves all traffic.
    static func confirm(_ question: String, _ options: OverrideOptions) throws {
        guard !options.yes, isatty(0) == 1, isatty(1) == 1 else { return }
        try Output.raw("\(question) [y/N] ")
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw Failure(.usage, "nothing was done")
        }
    }

    /// Performs a command and says what came of it.
    static func run(_ command: Command, on migration: String, _ options: OverrideOptions) async throws {
        let access = try await LogAccess(options.database)
        let performed = try await perform(command, on: migration, options, access)
        let texts: Texts
        do {
            texts = try await access.log.texts(of: migration)
        } catch {
            // It stands, whatever became of the database since.
            return Output.line(
                "\(migration) version \(performed.commit.version): done; what came of it cannot be told now: \(error)"
            )
        }
        guard let state = try texts.tell(performed.stream.state).migration else { return }
        // Of a commit that was made before, another plan may be in force by now.
        let plan =
            performed.isRepeated ? try await access.log.plan(of: migration, at: performed.commit.version) : nil
        let narrator = Narrator(plan: plan ?? state.plan)
        let again = performed.isRepeated ? " (this command ID had done it before)" : ""
        Output.line(
            "\(migration) version \(performed.commit.version): \(narrator.outcome(of: try texts.tell(performed.commit)))\(again)"
        )
        for line in StatusText.next(state) { Output.line("  " + line) }
    }
}
