import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract:
            "Puts an exported migration into a database without commits: a fixture to replay, explain and ask what-if of.",
        discussion: """
            The rows stand as they were exported, under the log's own IDs; what is appended after them goes on from there. It takes the
            schema's owner.

            Example: migrate import recommendations.bundle --database postgresql:///fixture
            """
    )
    @Argument(help: "The file that migrate export wrote.") var file: String
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let access = try await LogAccess(database)
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(.failed, "the file \(file) cannot be read")
        }
        do {
            let report = try await access.log.importBundle(data)
            let phase = report.state.migration?.phase.name ?? "unplanned"
            Output.line("\(report.head.stream): \(report.head.commits) commits, \(phase)")
            Output.line("  look at it: migrate replay \(report.head.stream)")
        } catch let broken as LogBundle.Broken {
            throw Failure(.failed, "\(file):\(broken.line): BROKEN: \(broken.message)")
        }
    }
}
