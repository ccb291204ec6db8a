package import Foundation
package import MigrationCore
package import Routing

/// What a gateway remembers of its routes across restarts, written so that a crash leaves the old file or the new one.
package struct RouteStore: Sendable {
    /// What is kept: enough to serve with the database away.
    package struct Kept: Hashable, Codable, Sendable {
        package var plan: Plan
        package var table: RouteTable

        package init(plan: Plan, table: RouteTable) {
            self.plan = plan
            self.table = table
        }
    }

    private let file: URL

    package init(file: URL) { self.file = file }

    /// What was kept; nil when nothing ever was.
    ///
    /// - Throws: ``RoutingError/Code/storage`` for a file that cannot be read: a gateway that has forgotten its revision is not safe.
    package func read() throws(RoutingError) -> Kept? {
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do {
            return try JSONDecoder().decode(Kept.self, from: Data(contentsOf: file))
        } catch {
            throw RoutingError(
                .storage,
                "the state file \(file.path) cannot be read",
                mend: "remove it while the gateway is stopped and the database is there"
            )
        }
    }

    /// Keeps the routes; when this returns, they are on the disk.
    package func write(_ kept: Kept) throws(RoutingError) {
        do {
            let folder = file.deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            let next = file.appendingPathExtension("next")
            try sync(next, try encoder.encode(kept))
            guard rename(next.path, file.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
            try syncFolder(folder)
        } catch {
            throw RoutingError(.storage, "the state file \(file.path) cannot be written: \(error.localizedDescription)")
        }
    }

    private func sync(_ url: URL, _ data: Data) throws {
        let descriptor = open(url.path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteNoPermission) }
        defer { close(descriptor) }
        try data.withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
                guard written > 0 else { throw CocoaError(.fileWriteUnknown) }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
        }
        guard fsync(descriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    private func syncFolder(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
