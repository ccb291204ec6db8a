import Foundation
import Postgres

/// The stub of `demo model`, run as a program while the body runs.
package func withStubModel(_ body: (String) async throws -> Void) async throws {
    let port = try freePort()
    let output = FileManager.default.temporaryDirectory.appendingPathComponent("stub-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: output) }
    let process = try ChildProcess(BuiltPrograms.path("demo"), ["model", "--port", "\(port)"], output: output)
    defer {
        process.signal(SIGKILL)
        process.wait()
    }
    try await eventually("the stub") {
        String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self).contains("\(port)")
    }
    try await body("http://127.0.0.1:\(port)")
}
