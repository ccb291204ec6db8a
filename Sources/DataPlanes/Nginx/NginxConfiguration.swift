package import Foundation
package import MigrationCore
package import Routing

/// A ready-made configuration of nginx (1.22 or later) for one environment of a plan, and the routes that it starts from: legacy.
package struct NginxConfiguration: Sendable {
    let plan: Plan
    let listen: (host: String, port: Int)
    let folder: NginxFolder
    /// Where each request is told, by UDP on this host; by TCP there nginx says which route it has (a socket in the folder would outlive an nginx that was
    /// killed, and keep the next one from beginning).
    let logPort: Int
    let trust: URL

    /// - Parameter trust: the certificates (PEM) that implementations with `https://` are checked by.
    /// - Throws: a ``RoutingError`` for what cannot stand in nginx's configuration.
    package init(
        plan: Plan,
        host: String,
        port: Int,
        folder: NginxFolder,
        logPort: Int,
        trust: URL = PlaneTrust.system
    ) throws(RoutingError) {
        try NginxPlane.requireSuitable(plan)
        let cookies = plan.stickyBy.compactMap { if case .cookie(let name) = $0 { name } else { nil } }
        let words =
            plan.services.map(\.path) + [folder.url.path, trust.path] + cookies.map { $0.replacing("-", with: "%") }
        let plain = { (letter: Character) in
            letter.isASCII && (letter.isLetter || letter.isNumber || "/._~:@+,=-".contains(letter))
        }
        if let word = words.first(where: { !$0.allSatisfy(plain) }) {
            throw RoutingError(
                .unsuitable,
                "nginx cannot be told of “\(word.replacing("%", with: "-"))”, which means something else in its configuration",
                mend:
                    "use letters, digits and /._~:@+,=- in paths and in the names of the folder and of the certificates' file, and no hyphen in a cookie's; or let the gateway carry this migration"
            )
        }
        self.plan = plan
        listen = (host, port)
        self.folder = folder
        self.logPort = logPort
        self.trust = trust
    }

    /// All that nginx reads, and a program that starts it.
    package var files: [PlaneFile] {
        let routes = Data(NginxRoutes.text(.legacy(plan), plan).utf8)
        let command =
            "nginx -e \(PlaneFile.quoted(folder.errors.path)) -c \(PlaneFile.quoted(folder.configuration.path))"
        return [
            PlaneFile(folder.routes, routes), PlaneFile(folder.configuration, Data(text.utf8)),
            PlaneFile(folder.legacy, routes),
            .start(
                folder.start,
                "\(plan.name): written by `migrate route config nginx`",
                legacy: folder.legacy,
                routes: folder.routes,
                command: command,
                // A candidate's name may have ceased to be resolved.
                check: "\(command) -t -q"
            ),
        ]
    }

    /// The text of `nginx.conf`.
    private var text: String {
        let lines = head + keys + upstreams + secure + admin + front
        return lines.joined(separator: "\n") + "\n"
    }

    private var head: [String] {
        let longest = plan.services.map(\.timeout).max() ?? .seconds(60)
        return [
            "# \(plan.name): written by `migrate route config nginx`. Until it is told otherwise, every request goes to legacy.",
            "worker_processes auto;",
            "pid '\(folder.pid.path)';",
            "error_log '\(folder.errors.path)' error;",
            // A worker of an older configuration goes on with its requests for so long, and until it is gone no new one is acknowledged.
            "worker_shutdown_timeout \(milliseconds(longest));",
            // A request takes two, and what is asked of nginx itself one more.
            "worker_rlimit_nofile 32768;",
            "events { worker_connections 8192; }",
            "http {",
            "client_body_temp_path '\(folder.url.path)/body';",
            "proxy_temp_path '\(folder.url.path)/proxy';",
            "fastcgi_temp_path '\(folder.url.path)/fastcgi'; uwsgi_temp_path '\(folder.url.path)/uwsgi'; scgi_temp_path '\(folder.url.path)/scgi';",
            "client_max_body_size 10m;",
            "client_header_timeout 10s;",
            "keepalive_timeout 75s;",
            "keepalive_requests 1000000;",
            "variables_hash_max_size 4096;",
            // Without it a field such as `user_id` would be passed over.
            "underscores_in_headers on;",
            "proxy_http_version 1.1;",
            "proxy_set_header Connection '';",
            "proxy_set_header Host $http_host;",
            "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
            "proxy_connect_timeout 2s;",
            // A retry would hide a failure of the candidate, or carry a request out twice.
            "proxy_next_upstream off;",
            // Which implementation, how it ended, how long it took, how long until it was connected, what its cache said, whose it was.
            "log_format migrate escape=json '$migrate_side|$status|$request_completion|$request_time|$upstream_connect_time|$upstream_http_cache_status|$migrate_user';",
        ]
    }

    /// The first place of `sticky_by` that a request has, or a random one.
    private var keys: [String] {
        var lines: [String] = []
        let places = plan.stickyBy.enumerated().reversed()
        var otherwise = "''"
        for (index, place) in places {
            let source =
                switch place {
                case .header(let name): "$http_\(variable(name))"
                case .cookie(let name): "$cookie_\(name)"
                case .clientIP: "$remote_addr"
                }
            let name = index == 0 ? "$migrate_user" : "$migrate_user_\(index)"
            lines.append("map \(source) \(name) { '' \(otherwise); default \(source); }")
            otherwise = name
        }
        return lines + [
            "map $migrate_user $migrate_name { '' '\(plan.name):$request_id'; default '\(plan.name):$migrate_user'; }",
            "include '\(folder.routes.path)';",
        ]
    }

    /// Those of candidates come with the routes.
    private var upstreams: [String] {
        plan.services.indices.compactMap { NginxRoutes.upstream($0, .legacy, plan) }
    }

    /// Which back ends are reached over TLS, under which name, and whom they have to be.
    private var secure: [String] {
        let secure = plan.services.enumerated().flatMap { index, service in
            [(service.legacy, Implementation.legacy), (service.candidate, .candidate)].compactMap { text, side in
                Address(text).flatMap { address in
                    address.isSecure ? (name: BackEnd.name(index, side), host: address.certificateName) : nil
                }
            }
        }
        guard !secure.isEmpty else { return [] }
        let schemes = secure.map { "\($0.name) https;" }.joined(separator: " ")
        let hosts = secure.map { "\($0.name) \($0.host);" }.joined(separator: " ")
        return [
            "map $migrate_side $migrate_scheme { default http; \(schemes) }",
            "map $migrate_side $migrate_host { default ''; \(hosts) }",
            "proxy_ssl_protocols TLSv1.2 TLSv1.3;", "proxy_ssl_verify on;", "proxy_ssl_verify_depth 5;",
            "proxy_ssl_trusted_certificate '\(trust.path)';",
            "proxy_ssl_server_name on;", "proxy_ssl_name $migrate_host;",
        ]
    }

    /// How it says which plan it was written for.
    static func plan(_ mark: PlanMark) -> String { "return 200 \(mark.text);" }

    private var admin: [String] {
        [
            "server {", "listen 127.0.0.1:\(logPort);", "access_log off;",
            "location = /route { default_type text/plain; return 200 $migrate_route; }",
            "location = /plan { default_type text/plain; \(Self.plan(PlanMark(plan))) }", "}",
        ]
    }

    private var front: [String] {
        var lines = [
            "server {", "listen \(listen.host):\(listen.port) backlog=1024;", "merge_slashes off;",
            "access_log off;",
        ]
        let scheme = secure.isEmpty ? "http" : "$migrate_scheme"
        for (index, service) in plan.services.enumerated() {
            lines += [
                "location = '\(service.path)' {", "set $migrate_side $migrate_\(index);",
                "access_log syslog:server=127.0.0.1:\(logPort),nohostname,tag=migrate_\(PlanMark(plan).text) migrate;",
                "proxy_read_timeout \(milliseconds(service.timeout)); proxy_send_timeout \(milliseconds(service.timeout));",
                "proxy_pass \(scheme)://$migrate_\(index);", "}",
            ]
        }
        return lines + ["location / { return 404; }", "}", "}"]
    }

    private func variable(_ header: String) -> String { header.lowercased().replacing("-", with: "_") }

    private func milliseconds(_ span: TimeSpan) -> String { "\(max(1, span.rawValue / 1_000))ms" }
}
