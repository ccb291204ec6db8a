import DataPlanes
import Foundation
import MigrationCore
import Postgres
import TestSupport

/// A real nginx with the configuration that is made for a plan, in a folder of its own.
final class TestNginx: TestPlane {
    let plan: Plan
    let folder: NginxFolder
    let port: Int
    let logPort: Int
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane { NginxPlane(folder: folder, logPort: logPort) }

    /// Prepares the folder; nothing runs yet.
    init(_ plan: Plan, trust: URL = PlaneTrust.system) async throws {
        self.plan = plan
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("nginx-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = NginxFolder(path.path)
        port = try freePort()
        logPort = try freePort()
        let configuration = try NginxConfiguration(
            plan: plan,
            host: "127.0.0.1",
            port: port,
            folder: folder,
            logPort: logPort,
            trust: trust
        )
        for file in configuration.files { try file.write() }
    }

    /// An nginx before two upstreams that name themselves.
    static func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        _ body: (TestNginx, TestRoutes, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let nginx = try await TestNginx(TestRoutes.plan(legacy: legacy.port, candidate: other.port))
        defer { nginx.remove() }
        try await body(nginx, TestRoutes(), other)
        await legacy.close()
        await other.close()
    }

    func start(_ arguments: [String]) throws -> ChildProcess {
        let path = folder.url.path
        return try ChildProcess(
            "/usr/sbin/nginx",
            ["-e", "\(path)/error.log", "-c", folder.configuration.path] + arguments,
            output: "\(path)/nginx.log"
        )
    }

    /// Whether nginx itself takes the configuration.
    func check() throws -> Int32 { try start(["-t"]).wait() }

    /// Runs an nginx while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await run(try start(Self.foreground), body)
    }

    private static let foreground = ["-g", "daemon off;"]

    /// Runs an nginx that is started by the program for that while the body runs.
    func runAnew<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let output = "\(folder.url.path)/nginx.log"
        return try await run(try ChildProcess(folder.start.path, Self.foreground, output: output), body)
    }

    private func run<R: Sendable>(_ process: ChildProcess, _ body: () async throws -> R) async throws -> R {
        let result: Result<R, any Error>
        do {
            let adapter = plane.adapter(router: "n", plan: plan)
            try await eventually("nginx to answer") {
                if let code = process.poll() { throw TestFailure("nginx ended with \(code)") }
                return (try? await adapter.read()) != nil
            }
            result = .success(try await body())
        } catch {
            let said = ["nginx.log", "error.log"].map { name in
                String(
                    decoding: FileManager.default.contents(atPath: "\(folder.url.path)/\(name)") ?? Data(),
                    as: UTF8.self
                )
            }.joined()
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        // As where a machine goes down: the first process alone would leave its workers, which go on, and keep the port.
        let workers = children(of: process.pid)
        for pid in [process.pid] + workers { kill(pid, SIGKILL) }
        _ = try await offThread { process.wait() }
        try await eventually("its workers to be gone") { workers.allSatisfy { kill($0, 0) != 0 } }
        return try result.get()
    }

    /// What it has said of itself.
    var errors: String {
        get throws { try String(contentsOf: folder.url.appendingPathComponent("error.log"), encoding: .utf8) }
    }

    /// Its first process, by its own file.
    func master() throws -> Int32 {
        let text = try String(contentsOf: folder.pid, encoding: .utf8)
        guard let pid = Int32(text.filter(\.isNumber)) else { throw TestFailure("nginx has no process") }
        return pid
    }

    func isNginx(_ pid: Int32) -> Bool {
        let title = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
        return String(decoding: title, as: UTF8.self).hasPrefix("nginx: ")
    }

    func children(of pid: Int32) -> [Int32] {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/task/\(pid)/children") ?? Data()
        return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
