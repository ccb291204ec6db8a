import AsyncHTTPClient
import Foundation
package import Logging
package import MigrationCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Postgres
import WholeAnswer

/// Runs one check: starts its program, or posts to its address, and waits for what it shows.
package struct CheckRunner: Sendable {
    package struct Result: Hashable, Sendable {
        package var isPassed: Bool
        package var detail: String
    }

    let plan: Plan
    let run: CheckRun
    let logger: Logger

    package init(plan: Plan, run: CheckRun, logger: Logger) {
        self.plan = plan
        self.run = run
        self.logger = logger
    }

    /// What is told of an output or an answer, in bytes.
    private static let shown = 500
    /// What a check may write, in bytes; beyond it it is ended, before it fills the disk.
    private static let mostOutput = 64 << 20
    private var check: Check { plan.checks[run.check] }

    /// - Returns: nil when nothing was shown in the check's time; what happens then is the plan's to say.
    package func result() async -> Result? {
        let end = ContinuousClock.now + .microseconds(check.timeout.rawValue)
        logger.info("check begins", metadata: ["check": "\(check.name)"])
        switch check.how {
        case .reported: return nil
        case .process(let arguments): return await start(arguments, until: end)
        case .webhook(let url): return await post(url, until: end)
        }
    }

    /// What the check is about, for the program and for the address.
    private var facts: [String: String] {
        let stage = plan.stage(at: run.position)
        return [
            "migration": plan.name, "check": check.name, "stage": stage.name, "environment": stage.environment,
            "weight": Decimals.text(plan.weight(at: run.position).rawValue, scale: 100),
        ]
    }

    private func start(_ arguments: [String], until end: ContinuousClock.Instant) async -> Result? {
        guard let program = arguments.first else { return Result(isPassed: false, detail: "it names no program") }
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("check-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: output) }
        var environment = ProcessInfo.processInfo.environment
        for (key, value) in facts { environment["MIGRATE_\(key.uppercased())"] = value }
        let child: ChildProcess
        do {
            child = try ChildProcess(program, Array(arguments.dropFirst()), environment: environment, output: output)
        } catch {
            return Result(isPassed: false, detail: error.message)
        }
        while ContinuousClock.now < end, !Task.isCancelled {
            if let code = child.poll() {
                let said = Self.end(of: output).trimmingCharacters(in: .whitespacesAndNewlines)
                return Result(isPassed: code == 0, detail: code == 0 ? said : "exit code \(code): \(said)")
            }
            if Self.size(of: output) > Self.mostOutput {
                child.signal(SIGKILL)
                child.wait()
                return Result(isPassed: false, detail: "it wrote more than \(Self.mostOutput >> 20) MiB, and was ended")
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        child.signal(SIGKILL)
        child.wait()
        return nil
    }

    private static func size(of file: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }

    /// The last of a file, as much as is told of it.
    private static func end(of file: String) -> String {
        guard let handle = FileHandle(forReadingAtPath: file) else { return "" }
        defer { try? handle.close() }
        let start = max(0, size(of: file) - shown)
        guard (try? handle.seek(toOffset: UInt64(start))) != nil,
            let data = try? handle.read(upToCount: shown)
        else { return "" }
        return Self.text(data)
    }

    /// A database's text has no zero bytes.
    private static func text(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: Array(bytes), as: UTF8.self).replacing("\0", with: "\u{FFFD}")
    }

    private func post(_ url: String, until end: ContinuousClock.Instant) async -> Result? {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        guard let body = try? JSONEncoder().encode(facts) else { return nil }
        request.body = .bytes(ByteBuffer(data: body))
        while ContinuousClock.now < end, !Task.isCancelled {
            do {
                let (response, text) = try await HTTPClient.shared.whole(
                    request,
                    within: max(.milliseconds(1), end - ContinuousClock.now),
                    longest: 1 << 20
                )
                let said = Self.text(text.readableBytesView.prefix(Self.shown))
                let isPassed = (200..<300).contains(response.status.code)
                return Result(isPassed: isPassed, detail: isPassed ? said : "\(response.status.code): \(said)")
            } catch {
                // An address that cannot be reached has shown nothing yet.
                logger.warning("check is asked again", metadata: ["check": "\(check.name)", "reason": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
        return nil
    }
}
