import Foundation

/// What the process was given by its caller.
enum ProcessEnvironment {
    static var databaseURL: String? {
        value("MIGRATE_DATABASE_URL")
    }

    /// The file of the key that a person signs with.
    static var key: String? { value("MIGRATE_KEY") }

    private static func value(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
