import Foundation

/// What processes have used.
enum ProcessorTime {
    /// The time that processes and their children have spent on processors, in microseconds.
    static func of(_ pids: [Int32]) -> Int64 { pids.map { own($0) + of(children(of: $0)) }.reduce(0, +) }

    private static func own(_ pid: Int32) -> Int64 {
        let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
        // The name, in parentheses, may have blanks; user and system time are the 12th and 13th words after it.
        let words = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard words.count > 13, let user = Int64(words[12]), let system = Int64(words[13]) else { return 0 }
        return (user + system) * 1_000_000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    private static func children(of pid: Int32) -> [Int32] {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/task/\(pid)/children") ?? Data()
        return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
    }
}
