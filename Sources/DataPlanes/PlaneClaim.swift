package import Foundation
package import Routing

/// Says that the program beside a data plane is there, to whoever starts that (``PlaneFile``) and to a second such program: a lock on a file of the folder, which the
/// system takes away with the program.
package final class PlaneClaim: Sendable {
    /// Whoever starts a data plane has the lock for a moment, and so has a program that is just ending.
    private static let patience = Duration.seconds(5)

    private let descriptor: Int32

    static func file(_ folder: URL) -> URL { folder.appendingPathComponent("teller.lock") }

    /// - Throws: ``RoutingError/Code/storage`` where the folder cannot be written, or another program has it.
    package init(_ folder: URL) async throws(RoutingError) {
        let path = Self.file(folder).path
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw RoutingError(.storage, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        let end = ContinuousClock.now + Self.patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard ContinuousClock.now < end, !Task.isCancelled else {
                throw RoutingError(
                    .storage,
                    "another program tells the data plane of \(folder.path)",
                    mend: "end that one, or give each a --folder of its own"
                )
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
