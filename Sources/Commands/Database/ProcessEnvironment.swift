import Foundation

/// What the process was given by its caller.
enum ProcessEnvironment {
    static var databaseURL: String? {
        ProcessInfo.processInfo.environment["MIGRATE_DATABASE_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
