import Foundation
package import JSON
import Postgres

/// Programs that `tools/test` has installed for the tests.
package enum TestPeers {
    /// Envoy's.
    package static func envoy() throws -> String {
        guard let path = ProcessInfo.processInfo.environment["MIGRATE_TEST_ENVOY"] else {
            throw TestFailure("MIGRATE_TEST_ENVOY is not set: run the tests with tools/test")
        }
        return path
    }

    /// A Python with the libraries beside which the recommendation services are laid.
    package static func python() throws -> String { try installed("python") }

    /// The Python functions framework.
    package static func functionsFramework() throws -> String { try installed("functions-framework") }

    private static func installed(_ name: String) throws -> String {
        guard let folder = ProcessInfo.processInfo.environment["MIGRATE_TEST_PEERS"] else {
            throw TestFailure("MIGRATE_TEST_PEERS is not set: run the tests with tools/test")
        }
        return "\(folder)/\(name)"
    }

    /// A file of `Tests/Peers`.
    package static func file(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Peers/\(name)").path
    }

    /// What a JSON Schema validator holds against each text, of JSON or YAML, as `PLACE: KEYWORD`.
    package static func faults(_ texts: [String], schema: JSONValue) async throws -> [[String]] {
        let input: JSONValue = ["schema": schema, "texts": .array(texts.map { .string($0) })]
        let output = try await output("schema.py", input: input.text, interpreter: "/usr/bin/python3")
        return (try JSONValue(parsing: output).array ?? []).map { ($0.array ?? []).compactMap(\.string) }
    }

    /// What a script of `Tests/Peers` prints.
    ///
    /// - Parameter interpreter: nil for the Python with the libraries of ``python()``.
    package static func output(
        _ script: String,
        _ arguments: [String] = [],
        input: String? = nil,
        interpreter: String? = nil
    ) async throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appendingPathComponent("out").path
        // What it is given goes through a file: a pipe would want somebody to feed it.
        let given = folder.appendingPathComponent("in").path
        try Data((input ?? "").utf8).write(to: URL(fileURLWithPath: given))
        let line = [try interpreter ?? python(), file(script)] + arguments
        let process = try ChildProcess("/bin/sh", ["-c", "exec \"$@\" < \"$0\"", given] + line, output: output)
        let code = try await offThread { process.wait() }
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        guard code == 0 else { throw TestFailure("\(script) ended with \(code): \(text.suffix(2_000))") }
        return text
    }
}

/// The folder of the built programs, which is the tests' own.
package enum BuiltPrograms {
    package static func path(_ name: String) -> String {
        let configuration = ProcessInfo.processInfo.environment["MIGRATE_TEST_CONFIGURATION"] ?? "debug"
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/\(configuration)/\(name)").path
    }
}
