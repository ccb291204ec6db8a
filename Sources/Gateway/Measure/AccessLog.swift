import Foundation
import Logging
import MigrationCore
import ServiceLifecycle
import Signals
import Synchronization

/// Leaves a line of JSON for each request, without the user's key, the query or the body. The traffic never waits for the file: when the file cannot
/// keep up, lines are dropped, and counted.
///
/// A file that was moved away is begun anew, as `logrotate` expects.
final class AccessLog: ServiceLifecycle.Service {
    private static let pause = Duration.milliseconds(200)
    /// So much waits for the file, in bytes.
    private static let most = 8 * 1_024 * 1_024

    private struct Waiting {
        var bytes: [UInt8] = []
        var dropped: Int64 = 0
    }

    private let file: URL
    private let logger: Logger
    private let waiting = Mutex(Waiting())

    init(_ file: URL, logger: Logger) {
        self.file = file
        self.logger = logger
    }

    /// Lines that were dropped since the gateway began.
    var dropped: Int64 { waiting.withLock { $0.dropped } }

    func write(_ exchange: Exchange, _ outcome: Outcome?) {
        let micros = (SystemClock.steady - exchange.startedAt).rawValue
        let word =
            switch outcome {
            case .answered?: "answered"
            case .failed?: "failed"
            case .timedOut?: "timed-out"
            case nil: "given-up"
            }
        // A service's name is of letters, digits and .-_, which the plan's reader sees to: nothing is to be escaped.
        write(
            """
            {"at":\(SystemClock.now.rawValue),"service":"\(exchange.entry.service.name)","to":"\(exchange.implementation.rawValue)",\
            "fallback":\(exchange.isFallback),"forced":\(exchange.isForced),"bucket":\(exchange.bucket),"status":\(exchange.status),"outcome":"\(word)",\
            "micros":\(micros),"bytesIn":\(exchange.bodyBytes),"bytesOut":\(exchange.answerBytes),"trace":"\(exchange.traceID)"}\n
            """
        )
    }

    /// A request that no service has seen, as the gateway itself answered it.
    func write(refusal status: Int) {
        write("{\"at\":\(SystemClock.now.rawValue),\"status\":\(status),\"outcome\":\"refused\"}\n")
    }

    private func write(_ line: String) {
        waiting.withLock { waiting in
            guard waiting.bytes.count + line.utf8.count <= Self.most else {
                waiting.dropped += 1
                return
            }
            waiting.bytes.append(contentsOf: line.utf8)
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.pause)
                self.flush()
            }
        }
        flush()
    }

    /// Opens the file for each batch, so that one that was moved is begun anew.
    private func flush() {
        let bytes = waiting.withLock { waiting in
            let bytes = waiting.bytes
            waiting.bytes = []
            return bytes
        }
        guard !bytes.isEmpty else { return }
        do {
            let descriptor = open(file.path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else { throw CocoaError(.fileWriteNoPermission) }
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try handle.write(contentsOf: Data(bytes))
        } catch {
            let lines = Int64(bytes.count { $0 == UInt8(ascii: "\n") })
            waiting.withLock { $0.dropped += lines }
            logger.warning("access log not written", metadata: ["file": "\(file.path)", "lines": "\(lines)"])
        }
    }
}
