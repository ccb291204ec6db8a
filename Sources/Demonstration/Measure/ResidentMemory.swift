import Foundation

/// What a process holds in memory, in bytes; 0 for a process that is not there.
enum ResidentMemory {
    static func of(_ pid: Int32) -> Int { read(/VmRSS:\s+([0-9]+) kB/, pid) }

    /// The most that it ever held. What the kernel tells of a process that has ended counts its parent's too, from before it became another program.
    static func most(of pid: Int32) -> Int { read(/VmHWM:\s+([0-9]+) kB/, pid) }

    private static func read(_ line: Regex<(Substring, Substring)>, _ pid: Int32) -> Int {
        let text = String(
            decoding: FileManager.default.contents(atPath: "/proc/\(pid)/status") ?? Data(),
            as: UTF8.self
        )
        return text.firstMatch(of: line).flatMap { Int($0.1) }.map { $0 * 1_024 } ?? 0
    }
}
