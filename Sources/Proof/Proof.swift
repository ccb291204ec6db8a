package import ArgumentParser
import Foundation

/// The proof's command line; the scripts in `tools` call it.
package struct Proof: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "proof",
        abstract: "Searches, shakes and measures the core.",
        subcommands: [Prove.self]
    )

    package init() {}

    /// Runs the program.
    package static func start() async {
        // Whoever follows a long run through a pipe sees each line as it comes.
        setvbuf(stdout, nil, _IOLBF, 0)
        await main()
    }
}
