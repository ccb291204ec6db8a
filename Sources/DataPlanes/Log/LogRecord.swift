import AsyncHTTPClient
import MigrationCore
import Signals

/// Whether everything that a data plane did was told: it is the same process, it dropped no line, the kernel lost none, and none was of
/// somebody else.
actor LogRecord {
    private let process: @Sendable () async -> String?
    private let receiver: LogReceiver
    /// What was read at the last look, and at the one before.
    private var last: Mark?
    private var earlier: Mark?

    private struct Mark: Hashable {
        var process: String
        var lost: UInt32
        var foreign: Int
    }

    /// - Parameter process: what is the same as long as it is the same process and has dropped nothing; nil when it cannot be asked.
    init(receiver: LogReceiver, process: @escaping @Sendable () async -> String?) {
        self.process = process
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
        guard let process = await process(), let lost = await receiver.dropped() else { return nil }
        return Mark(process: process, lost: lost, foreign: receiver.foreign)
    }
}

/// The windows of a data plane that is measured from its log.
struct LogWindows: PlaneWindows {
    private let meter: Meter
    private let receiver: LogReceiver
    private let record: LogRecord

    /// - Parameters:
    ///   - port: where the data plane tells its requests, by UDP on this host.
    ///   - isForeign: whether a line tells a request by a configuration that was not written for this plan.
    ///   - read: what a line says; nil for one that says nothing of an implementation.
    ///   - process: what is the same as long as it is the same process and has dropped nothing; nil when it cannot be asked.
    init(
        port: Int,
        _ plan: Plan,
        meter: Meter,
        client: HTTPClient,
        isForeign: @escaping @Sendable (Substring) -> Bool,
        read: @escaping @Sendable (Substring) -> LoggedRequest?,
        process: @escaping @Sendable () async -> String?
    ) async throws {
        self.meter = meter
        receiver = try await LogReceiver(
            port: port,
            services: plan.services.count,
            meter: meter,
            group: client.eventLoopGroup,
            isForeign: isForeign,
            read: read
        )
        record = LogRecord(receiver: receiver, process: process)
    }

    func begin() async {
        meter.restart()
        _ = await record.isWhole()
    }

    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
        let windows = meter.take(from: first, before: k)
        return await record.isWhole() ? windows : nil
    }

    func close() async { await receiver.close() }
}
