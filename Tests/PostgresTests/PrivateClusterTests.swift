import Foundation
import Postgres
import TestSupport
import Testing

@Suite("A private cluster")
struct PrivateClusterTests {
    @Test("is created, started twice, refuses a wrong password, is killed, started again, and stopped")
    func life() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pc-\(UUID().uuidString.prefix(8))")
        let cluster = PrivateCluster(folder: folder)
        defer {
            try? cluster.stop()
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(atPath: folder.path + ".lock")
        }
        #expect(!cluster.isRunning)
        try cluster.start()
        try cluster.start()
        #expect(cluster.isRunning)
        let connection = try await PostgresConnection(cluster.conninfo, name: "test")
        try await connection.run { try $0.script("create role p login password 'right'") }
        let rules = folder.appendingPathComponent("data/pg_hba.conf")
        try Data("local all p scram-sha-256\nlocal all all trust\n".utf8).write(to: rules, options: [])
        try await connection.run { _ = try $0.query("select pg_reload_conf()") }
        let wrong = cluster.conninfo + " user=p password=wrong"
        try await eventually("the password to be asked for") {
            do {
                try await PostgresConnection(wrong, name: "test").close()
                return false
            } catch let error as PostgresError {
                #expect(error.code == .refused)
                return true
            }
        }
        try await PostgresConnection(cluster.conninfo + " user=p password=right", name: "test").close()
        await connection.close()
        let postmaster = try #require(cluster.postmaster)
        kill(postmaster, SIGKILL)
        try await eventually("the cluster to be gone") { kill(postmaster, 0) != 0 }
        try await eventually("the cluster to start again") { (try? cluster.start()) != nil }
        try cluster.stop()
        #expect(!cluster.isRunning)
    }

    @Test("says what its server wrote when it does not start")
    func broken() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pc-\(UUID().uuidString.prefix(8))")
        let cluster = PrivateCluster(folder: folder)
        defer {
            try? cluster.stop()
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(atPath: folder.path + ".lock")
        }
        try cluster.start()
        try cluster.stop()
        let settings = folder.appendingPathComponent("data/postgresql.conf")
        try Data("shared_buffers = 'nonsense'\n".utf8).write(to: settings, options: [])
        let error = #expect(throws: PostgresError.self) { try cluster.start() }
        #expect(error?.message.contains("shared_buffers") == true, "\(error?.message ?? "")")
    }

    @Test("says when its folder's name is too long for a socket")
    func tooLong() {
        let folder = URL(fileURLWithPath: "/tmp/" + String(repeating: "x", count: 120))
        let error = #expect(throws: PostgresError.self) { try PrivateCluster(folder: folder).start() }
        #expect(error?.hint?.contains("MIGRATE_STATE_DIR") == true)
    }
}
