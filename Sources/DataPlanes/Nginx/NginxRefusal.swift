import Foundation
import MigrationCore
import Routing

/// Why an nginx does not take a configuration, as it says in its log.
struct NginxRefusal {
    /// Such as `host not found in upstream "a:80" in /d/routes.conf:2`.
    let reason: String

    /// What nginx says from a moment on.
    struct Log {
        private let file: URL
        private let start: UInt64

        init(_ file: URL) {
            self.file = file
            let size = try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? UInt64
            start = size ?? 0
        }

        /// - Parameter master: its first process, which reads its configuration.
        /// - Returns: nil where it has refused nothing.
        func refusal(of master: Int32) -> NginxRefusal? {
            guard let handle = try? FileHandle(forReadingFrom: file) else { return nil }
            defer { try? handle.close() }
            guard let size = try? handle.seekToEnd(), size != start,
                // Somebody may have begun it anew.
                (try? handle.seek(toOffset: size > start ? start : 0)) != nil, let data = try? handle.readToEnd()
            else { return nil }
            for line in String(decoding: data, as: UTF8.self).split(separator: "\n")
            // A time, a level, who it is, what it says; what clients say comes later.
            where line.dropFirst(20).hasPrefix("[emerg] \(master)#") {
                return NginxRefusal(reason: line.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? "")
            }
            return nil
        }
    }

    /// Whose candidate it is that nginx refuses; nil where it is none.
    ///
    /// - Parameters:
    ///   - routes: what nginx was to take (``NginxRoutes``).
    ///   - file: where that is.
    func service(in routes: String, of file: URL) -> Int? {
        guard let place = reason.range(of: " in \(file.path):"), let number = Int(reason[place.upperBound...]) else {
            return nil
        }
        let line = routes.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(number - 1).first
        return line?.prefixMatch(of: #/upstream ([0-9]+)\.candidate /#).flatMap { Int($0.output.1) }
    }

    func error(_ route: RouteText) -> RoutingError {
        RoutingError(
            .unreachable,
            "nginx refuses revision \(route.revision), of which it has taken what sends nobody more to a candidate, if anything: \(reason)",
            mend:
                "see that what it names can be reached, or write nginx’s configuration anew: migrate route config nginx"
        )
    }
}
