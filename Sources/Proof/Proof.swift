package import ArgumentParser
import Foundation

/// The proof's command line; the scripts in `tools` call it.
package struct Proof: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "proof",
        abstract: "Searches, shakes and measures the core.",
        subcommands: [Prove.self, ShakeCommand.self, Stats.self, Fuzz.self, Flip.self]
    )

    package init() {}

    /// Runs the program.
    package static func start() async { await main() }
}

/// Writes a line at once: a long run is followed through pipes too.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
