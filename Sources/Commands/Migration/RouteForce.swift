import ArgumentParser
import Foundation
import Gateway
import MigrationCore
import Signals

struct RouteForce: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "force",
        abstract: "Prints the header with which a request goes to one side of a gateway, whatever its key.",
        discussion: """
            The gateway has the same secret (--force-key), and takes the header until it expires. A candidate that has nobody, at 0 %, has nobody who asks for it
            either; and such requests are in no window, as they show nothing of what users meet. Other data planes do not know the header.

            Example:
              openssl rand -hex 32 > force.key
              curl -H "$(migrate route force recommendations candidate --environment production --key force.key)" http://127.0.0.1:8080/getRecommendations
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "legacy or candidate.") var side: String
    @Option(help: "The environment.") var environment: String
    @Option(help: "The file of the secret, 32 bytes at least.") var key: String
    @Option(name: .customLong("for"), help: "How long it is taken, a day at most.")
    var life: DurationArgument = .init(seconds: 900)

    func validate() throws {
        if Implementation(rawValue: side) == nil { throw ValidationError("the side is legacy or candidate") }
        if life.span <= .zero || life.span > ForceKey.longestLife {
            throw ValidationError("--for is a day at most, and \(life.span) is not")
        }
    }

    func run() throws {
        guard let side = Implementation(rawValue: side) else { return }
        let key = try Self.key(key, migration, environment)
        Output.line("\(ForceKey.field): \(key.value(side, expires: SystemClock.now + life.span))")
    }

    static func key(_ file: String, _ migration: String, _ environment: String) throws -> ForceKey {
        do throws(ForceKey.Weak) {
            return try ForceKey(file: URL(fileURLWithPath: file), migration: migration, environment: environment)
        } catch {
            throw Failure(.refused, error.message, mend: "make one: openssl rand -hex 32 > \(file)")
        }
    }
}
