import Foundation
import Synchronization

/// Text for people and programs, line by line.
package enum Output {
    private static let lock = Mutex(())

    package static func line(_ text: String) { write(text + "\n", FileHandle.standardOutput) }
    package static func error(_ text: String) { write(text + "\n", FileHandle.standardError) }
    static func rawError(_ text: String) { write(text, FileHandle.standardError) }
    /// What has to arrive, whole.
    ///
    /// - Throws: a ``Failure`` where it is not taken: by a disk that is full, or by nobody any more.
    static func raw(_ bytes: [UInt8]) throws {
        try lock.withLock { _ in
            do {
                try FileHandle.standardOutput.write(contentsOf: Data(bytes))
            } catch {
                throw Failure(.failed, "the output is not taken: \(error.localizedDescription)")
            }
        }
    }
    /// - Throws: a ``Failure`` where it is not taken.
    package static func raw(_ text: String) throws { try raw(Array(text.utf8)) }

    package static var isTerminal: Bool { isatty(1) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

    private static func write(_ text: String, _ handle: FileHandle) {
        lock.withLock { _ in
            // Nobody may be reading any more; that is no reason to fail.
            try? handle.write(contentsOf: Data(text.utf8))
        }
    }

    /// A value as documented, versioned JSON: sorted keys, one object.
    ///
    /// - Throws: a ``Failure`` where it is not taken.
    package static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try raw(Array(encoder.encode(value)) + [UInt8(ascii: "\n")])
    }
}
