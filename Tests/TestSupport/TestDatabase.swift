import Foundation
import Postgres
package import Testing

/// A real database of a suite's or test's own, made before it and dropped after it; `tools/test` starts the server.
package struct TestDatabase: SuiteTrait, TestTrait, TestScoping {
    @TaskLocal private static var current: String?

    /// How libpq reaches the database of the running test.
    package static var conninfo: String {
        get throws {
            guard let current else { throw TestFailure("the test has no database: give it the trait .database") }
            return current
        }
    }

    /// Every test of a suite, and every case of a test, has one of its own.
    package var isRecursive: Bool { true }

    @concurrent
    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard let server = ProcessInfo.processInfo.environment["MIGRATE_TEST_DATABASE"] else {
            throw TestFailure("MIGRATE_TEST_DATABASE is not set: run the tests with tools/test")
        }
        // One that has a database already waits for nobody.
        guard Self.current == nil else { return try await prepared(on: server, function) }
        await Self.places.enter()
        let result: Result<Void, any Error>
        do {
            result = .success(try await prepared(on: server, function))
        } catch {
            result = .failure(error)
        }
        await Self.places.leave()
        try result.get()
    }

    /// More at once would have no connections left to them, and wait for each other past their bounds.
    private static let places = Places(16)

    private func prepared(
        on server: String,
        _ function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let name = "test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let admin = try await PostgresConnection(server, name: "test")
        try await admin.run { _ = try $0.query("create database \(name)") }
        let result: Result<Void, any Error>
        do {
            try await Self.$current.withValue("\(server) dbname=\(name)") { try await function() }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await admin.run { _ = try $0.query("drop database \(name) with (force)") }
        await admin.close()
        try result.get()
    }
}

/// So many may be in at once; the others wait, in the order of their coming.
private actor Places {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        guard !waiting.isEmpty else {
            free += 1
            return
        }
        waiting.removeFirst().resume()
    }
}

extension Trait where Self == TestDatabase {
    /// A real database for this test alone.
    package static var database: Self { TestDatabase() }
}

/// A test that could not be carried out, which is a failure.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Waits for a condition, with a bound.
package func eventually(
    within seconds: Int = 60,
    _ what: String,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw TestFailure("waited \(seconds) s in vain for \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
