import Foundation
import Routing

/// The processes of an nginx, as the system has them.
enum NginxProcess {
    /// The process that a file names, where it is an nginx's first.
    static func master(of file: URL) -> Int32? {
        guard let data = FileManager.default.contents(atPath: file.path),
            let pid = Int32(String(decoding: data, as: UTF8.self).filter(\.isNumber)), pid > 1,
            title(of: pid)?.hasPrefix("nginx: master") == true
        else { return nil }
        return pid
    }

    /// - Throws: where nobody can say which they are: then nobody can say that the old ones are gone.
    static func children(of master: Int32) throws(RoutingError) -> Set<Int32> {
        let text = FileManager.default.contents(atPath: "/proc/\(master)/task/\(master)/children") ?? Data()
        let children = Set(String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) })
        guard !children.isEmpty else {
            throw RoutingError(
                .unreachable,
                "the workers of nginx (process \(master)) cannot be seen",
                mend: "run this where nginx runs, as its user, on a system that has /proc"
            )
        }
        return children
    }

    /// Whether a worker takes no new connection any more, or is gone.
    static func isEnding(_ worker: Int32) -> Bool { title(of: worker)?.contains("shutting down") ?? true }

    /// What a process says that it is.
    private static func title(of pid: Int32) -> String? {
        FileManager.default.contents(atPath: "/proc/\(pid)/cmdline").map { String(decoding: $0, as: UTF8.self) }
    }
}
