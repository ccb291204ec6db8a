import Foundation

/// Whether everything that HAProxy did was told: it is the same process, it dropped no line, and the kernel lost none.
actor HAProxyRecord {
    private let socket: RuntimeSocket
    private let receiver: LogReceiver
    /// What was read at the last look, and at the one before.
    private var last: Mark?
    private var earlier: Mark?

    private struct Mark: Hashable {
        var process: Substring
        var dropped: Substring
        var lost: UInt32
    }

    init(socket: RuntimeSocket, receiver: LogReceiver) {
        self.socket = socket
        self.receiver = receiver
    }

    /// Whether all was told in the window that is over. The last look came after its beginning, so nothing may have been lost since the look
    /// before that; false the first two times.
    func isWhole() async -> Bool {
        let mark = await look()
        defer { (earlier, last) = (last, mark) }
        return mark != nil && mark == last && mark == earlier
    }

    private func look() async -> Mark? {
        guard let answer = try? await socket.ask("show info"), let lost = await receiver.dropped() else { return nil }
        func value(_ name: String) -> Substring? {
            answer.split(separator: "\n").first { $0.hasPrefix(name + ": ") }?.dropFirst(name.count + 2)
        }
        guard let process = value("Pid"), let dropped = value("DroppedLogs") else { return nil }
        return Mark(process: process, dropped: dropped, lost: lost)
    }
}
