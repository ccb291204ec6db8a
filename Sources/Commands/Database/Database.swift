import ArgumentParser
import Foundation
import MigrationLog
import Postgres

struct Database: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db",
        abstract: "Installs the log's schema, says what a database has, archives, stops an embedded one.",
        subcommands: [DatabaseInstall.self, DatabaseStatus.self, DatabaseArchive.self, DatabaseStop.self]
    )
}

struct DatabaseInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Installs the schema, or upgrades it in place without losing a row.",
        discussion: "Example: migrate db install --database postgresql:///migrations"
    )
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let access = try await LogAccess(database, schema: .any)
        let installed = try await SchemaInstaller(pool: access.log.pool).install()
        let word = installed.isEmpty ? "is current" : "installed"
        Output.line("schema \(SchemaInstaller.newest) \(word)")
        if access.cluster != nil { Output.line("embedded PostgreSQL: \(access.conninfo)") }
    }
}

struct DatabaseStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Says whether the database answers and which schema it has.",
        discussion: "Example: migrate db status"
    )
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        if database.database == nil, ProcessEnvironment.databaseURL == nil, !LogAccess.embedded.isRunning {
            let word = LogAccess.embedded.exists ? "is stopped" : "does not exist yet"
            Output.line("the embedded PostgreSQL \(word); it is started when it is needed")
            return
        }
        let access = try await LogAccess(database, schema: .any)
        let installer = SchemaInstaller(pool: access.log.pool)
        let status = try await installer.status()
        switch status {
        case .current(let number): Output.line("schema \(number), current")
        case .behind, .newer, .edited, .absent: try await installer.requireCurrent()
        }
        Output.line(
            "log \(try await access.log.incarnations().all.last?.id.uuidString.lowercased() ?? ""), \(try await access.log.streams().count) migrations"
        )
    }
}

struct DatabaseStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stops the embedded PostgreSQL of this user; nothing committed is lost.",
        discussion: "Example: migrate db stop"
    )

    func run() async throws {
        let cluster = LogAccess.embedded
        guard cluster.isRunning else {
            Output.line("the embedded PostgreSQL does not run")
            return
        }
        try cluster.stop()
        Output.line("the embedded PostgreSQL is stopped")
    }
}
