package import Foundation
package import MigrationLog
package import Postgres

/// Opens the log that a command is about: the named database, the environment's, or an embedded one.
package struct LogAccess: Sendable {
    package let log: MigrationLog
    package let conninfo: String
    /// The embedded cluster; nil for a database that somebody else looks after.
    package let cluster: PrivateCluster?

    /// - Parameters:
    ///   - options: where the database is.
    ///   - name: what the connections are called in the database.
    ///   - schema: what the database has to have; an embedded one is brought to this release's.
    package init(_ options: DatabaseOptions, name: String = "migrate", schema: Need = .current) async throws {
        let named = options.database ?? ProcessEnvironment.databaseURL
        if let named, !named.isEmpty {
            conninfo = named
            cluster = nil
        } else {
            let embedded = Self.embedded
            try embedded.start()
            conninfo = embedded.conninfo
            cluster = embedded
        }
        log = MigrationLog(pool: PostgresPool(conninfo, name: name))
        if cluster != nil { _ = try await SchemaInstaller(pool: log.pool).install() }
        switch schema {
        case .any: break
        case .readable: try await SchemaInstaller(pool: log.pool).requireReadable()
        case .current: try await SchemaInstaller(pool: log.pool).requireCurrent()
        }
    }

    /// What a command needs of a database's schema.
    package enum Need: Sendable {
        case any
        /// This release's, or an earlier one that it reads as well: a release is tried on the log before the database is brought to it.
        case readable
        case current
    }

    /// The embedded cluster of this user, which need not exist.
    package static var embedded: PrivateCluster {
        PrivateCluster(folder: StateFolder.url.appendingPathComponent("postgres"))
    }
}

extension LogAccess {
    /// A way to the log of which nobody knows whether it is open: for those who go on without the database.
    package struct Reach: Sendable {
        package let log: MigrationLog
        package let conninfo: String

        package init(_ options: DatabaseOptions, name: String) throws {
            if let named = options.database ?? ProcessEnvironment.databaseURL {
                conninfo = named
            } else {
                let embedded = LogAccess.embedded
                // One that cannot be started is away, like any other.
                try? embedded.start()
                conninfo = embedded.conninfo
            }
            log = MigrationLog(pool: PostgresPool(conninfo, name: name))
        }
    }
}

/// Where this user's embedded database and gateways keep what they must not lose.
package enum StateFolder {
    package static var url: URL {
        let environment = ProcessInfo.processInfo.environment
        if let folder = environment["MIGRATE_STATE_DIR"], !folder.isEmpty {
            return URL(fileURLWithPath: folder, isDirectory: true)
        }
        if getuid() == 0 { return URL(fileURLWithPath: "/var/lib/migrate", isDirectory: true) }
        if let state = environment["XDG_STATE_HOME"], !state.isEmpty {
            return URL(fileURLWithPath: state, isDirectory: true).appendingPathComponent("migrate")
        }
        return FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".local/state/migrate")
    }
}
