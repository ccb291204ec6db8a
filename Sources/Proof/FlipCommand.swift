import ArgumentParser
import Foundation
import MigrationLog

struct Flip: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Flips every byte of a bundle, one at a time: each has to be found, and none may crash the verification."
    )
    @Argument(help: "The bundle.") var file: String
    @Flag(help: "Every bit, not only one of each byte.") var bits = false

    func run() throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ValidationError("the file \(file) cannot be read")
        }
        _ = try LogBundle.verify(data)
        var bytes = Array(data)
        for place in bytes.indices {
            for bit in bits ? Array(0..<8) : [place % 8] {
                bytes[place] ^= 1 << UInt8(bit)
                defer { bytes[place] ^= 1 << UInt8(bit) }
                if (try? LogBundle.verify(Data(bytes))) != nil {
                    say("bit \(bit) of byte \(place) is not missed")
                    throw ExitCode(1)
                }
            }
        }
        say("a bundle of \(bytes.count) bytes: each that is flipped is found\(bits ? ", in every bit" : "")")
    }
}
