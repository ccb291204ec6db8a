import Foundation
import MigrationCore
import MigrationLog
import Postgres

/// The services and all that stands before them, each real and on ports of its own: an nginx that answers for legacy and one for the candidate; the gateway,
/// HAProxy, Envoy and nginx, each with a migration of its own.
struct RoutingPeers: Sendable {
    private enum Kind: String, CaseIterable {
        case gateway, haproxy, envoy, nginx

        var name: String {
            switch self {
            case .gateway: "gateway"
            case .haproxy: "HAProxy"
            case .envoy: "Envoy"
            case .nginx: "nginx"
            }
        }
    }

    let stage: Stage
    let envoy: String
    private let legacy: Int
    private let candidate: Int
    /// Two for each kind.
    private let ports: [Int]

    init(stage: Stage, envoy: String) throws {
        self.stage = stage
        self.envoy = envoy
        let all = try FreePort.take(2 + Kind.allCases.count * 2)
        (legacy, candidate) = (all[0], all[1])
        ports = Array(all.dropFirst(2))
    }

    /// Starts everything.
    ///
    /// - Returns: the service itself first.
    func open() async throws -> [RoutingDoor] {
        try service("legacy", legacy, logs: false)
        try service("candidate", candidate, logs: true)
        var doors = [
            RoutingDoor(
                name: "the service alone",
                url: "http://127.0.0.1:\(legacy)",
                actors: ["legacy"],
                migration: nil
            )
        ]
        for (index, kind) in Kind.allCases.enumerated() {
            doors.append(try open(kind, Array(ports[index * 2..<index * 2 + 2])))
        }
        for door in doors {
            try await wait("\(door.name) to answer", seconds: 30) { await Cast.isUp(door.url + "/a") }
        }
        return doors
    }

    /// When the candidate had its last request, in microseconds since 1970, to the millisecond; 0 never.
    func lastCandidateAt() -> Int64 {
        let text = FileManager.default.contents(atPath: path("candidate") + "/requests.log") ?? Data()
        let last = String(decoding: text.suffix(200), as: UTF8.self).split(separator: "\n").last
        return last.flatMap { Double($0) }.map { Int64($0 * 1_000_000) } ?? 0
    }

    private func path(_ name: String) -> String { stage.folder.appendingPathComponent(name).path }

    private func service(_ name: String, _ port: Int, logs: Bool) throws {
        let folder = path(name)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let body = String(repeating: "x", count: 1_024)
        let text = """
            worker_processes 1; pid \(folder)/nginx.pid; error_log \(folder)/error.log; daemon off;
            events { worker_connections 4096; }
            http {
              access_log off; keepalive_requests 100000000;
              client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p; fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
              \(logs ? "log_format at '$msec';" : "")
              server {
                listen 127.0.0.1:\(port) backlog=4096;
                location = /health { return 200 ok; }
                location / { \(logs ? "access_log \(folder)/requests.log at;" : "") default_type application/json; return 200 '\(body)'; }
              }
            }

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/nginx.conf"))
        try stage.start(peer: name, "/usr/sbin/nginx", ["-e", folder + "/error.log", "-c", folder + "/nginx.conf"])
    }

    private func open(_ kind: Kind, _ ports: [Int]) throws -> RoutingDoor {
        let name = "bench-\(kind.rawValue)"
        let folder = path(name)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let plan = folder + "/plan.yaml"
        try Data(Self.plan(name, legacy, candidate).utf8).write(to: URL(fileURLWithPath: plan))
        try stage.migrate(["create", plan])
        let listen = ["--listen", "127.0.0.1:\(ports[0])"]
        let whose = ["--migration", name, "--environment", "p", "--database", stage.conninfo]
        let log = [.haproxy, .nginx].contains(kind) ? ["--log-port", "\(ports[1])"] : []
        var actors = [name]
        if kind == .gateway {
            try stage.start(name, "migrate", ["gateway", "--state", folder + "/state.json"] + listen + whose)
        } else {
            let place = ["--folder", folder] + log
            try stage.migrate(["route", "config", kind.rawValue, plan, "--environment", "p"] + listen + place)
            try stage.start(peer: name, program(kind).path, program(kind).arguments(folder))
            // It counts each request of a data plane that tells them, which is a part of what they cost.
            try stage.start(name + "-follower", "migrate", [kind.rawValue] + place + whose)
            actors.append(name + "-follower")
        }
        return RoutingDoor(name: kind.name, url: "http://127.0.0.1:\(ports[0])", actors: actors, migration: name)
    }

    private func program(_ kind: Kind) -> (path: String, arguments: (String) -> [String]) {
        switch kind {
        case .gateway: ("", { _ in [] })
        case .haproxy: ("/usr/sbin/haproxy", { ["-db", "-f", $0 + "/haproxy.cfg"] })
        case .envoy:
            // With hot restarts it would end with the thread that started it (PR_SET_PDEATHSIG).
            (
                envoy,
                { ["-c", $0 + "/envoy.json", "--concurrency", "2", "--log-level", "error", "--disable-hot-restart"] }
            )
        case .nginx:
            ("/usr/sbin/nginx", { ["-e", $0 + "/error.log", "-c", $0 + "/nginx.conf", "-g", "daemon off;"] })
        }
    }

    static func plan(_ name: String, _ legacy: Int, _ candidate: Int) -> String {
        """
        migration: \(name)
        services:
          a: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 5s }
        sticky_by: [header:x-user-id]
        window: 200ms
        stages: [{ name: p, environment: p, steps: [100%], bake: 1h }]
        criteria: [error_rate < 50%]
        rollback: [error_rate > 99% for 1h]
        watch: 1h
        expires: 10d

        """
    }
}
