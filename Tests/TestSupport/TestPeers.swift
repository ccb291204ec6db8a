import Foundation

/// Programs that `tools/test` has installed for the tests.
package enum TestPeers {
    /// Envoy's.
    package static func envoy() throws -> String {
        guard let path = ProcessInfo.processInfo.environment["MIGRATE_TEST_ENVOY"] else {
            throw TestFailure("MIGRATE_TEST_ENVOY is not set: run the tests with tools/test")
        }
        return path
    }
}
