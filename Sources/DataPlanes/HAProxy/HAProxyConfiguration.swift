package import Foundation
package import MigrationCore
package import Routing

/// A ready-made configuration of HAProxy (2.6 or later) for one environment of a plan, and the map that it starts from.
///
/// The bucket of a key is xxh32 with seed 0 of `<migration>:<key>` modulo 10 000: monotone in the weight like the gateway's, and not the
/// same buckets. A request without a key draws one.
package struct HAProxyConfiguration: Sendable {
    let plan: Plan
    let listen: (host: String, port: Int)
    let folder: HAProxyFolder
    /// Where each request is told, by UDP on this host.
    let logPort: Int
    let scrape: Address?
    let trust: URL

    /// - Parameters:
    ///   - scrape: where a Prometheus is answered at `/metrics`; nil is nowhere.
    ///   - trust: the certificates (PEM) that implementations with `https://` are checked by.
    /// - Throws: a ``RoutingError`` for a key whose name cannot stand in HAProxy's configuration.
    package init(
        plan: Plan,
        host: String,
        port: Int,
        folder: HAProxyFolder,
        logPort: Int,
        scrape: Address? = nil,
        trust: URL = PlaneTrust.system
    ) throws(RoutingError) {
        try HAProxyPlane.requireSuitable(plan)
        guard !folder.url.path.contains(where: { $0.isWhitespace || $0 == ";" }) else {
            throw RoutingError(
                .unsuitable,
                "HAProxy’s socket takes no name with a blank or a semicolon: \(folder.url.path)",
                mend: "choose another folder"
            )
        }
        self.plan = plan
        listen = (host, port)
        self.folder = folder
        self.logPort = logPort
        self.scrape = scrape
        self.trust = trust
    }

    /// How long a request may wait for its connection to a back end.
    static let connecting = TimeSpan.seconds(2)

    /// All that HAProxy reads.
    package var files: [PlaneFile] {
        [PlaneFile(folder.map, Data(map.utf8)), PlaneFile(folder.configuration, Data(text.utf8))]
    }

    /// The text of the map: legacy for every service.
    private var map: String { "\(HAProxyAdapter.key) \(RouteText.legacy(plan).text)\n" }

    /// The text of `haproxy.cfg`.
    private var text: String {
        let services = plan.services.enumerated()
        let lines =
            head + frontend + exporter
            + services.flatMap { index, service in
                Implementation.allCases.flatMap { backend(index, service, $0) }
            }
        return lines.joined(separator: "\n") + "\n"
    }

    private var head: [String] {
        let longest = plan.services.map(\.timeout).max() ?? .seconds(60)
        return [
            "# \(plan.name): written by `migrate route config haproxy`. Until it is told otherwise, every request goes to legacy.",
            "global",
            "    description \(quoted(HAProxyAdapter.description + PlanMark(plan).text))",
            "    stats socket \(quoted(folder.socket.path)) mode 600 level admin",
            "    log 127.0.0.1:\(logPort) len 1024 format raw local0",
            "    hard-stop-after \(milliseconds(longest))",
            "",
            "defaults",
            "    mode http",
            "    log global",
            // A retry would hide a failure of the candidate, or carry a request out twice.
            "    retries 0",
            "    timeout connect \(milliseconds(Self.connecting))",
            "    timeout client 75s",
            "    timeout http-request 10s",
            "    timeout http-keep-alive 75s",
            "    option forwardfor",
            "    option http-ignore-probes",
            // Usual servers close idle connections after 5 s.
            "    default-server pool-purge-delay 2s",
            "",
        ]
    }

    private var frontend: [String] {
        var lines = [
            "frontend migrate",
            "    bind \(listen.host):\(listen.port)",
            "    capture response header cache-status len 200",
            // For which plan this was written; which implementation, how it ended, how long it took, whose it was, what its cache said.
            "    log-format \"\(PlanMark(plan).text) %b %ST %ts %Ta %[var(txn.user)] %hs\"",
        ]
        for place in plan.stickyBy { lines.append("    " + key(place)) }
        lines += [
            "    http-request set-var-fmt(txn.name) \(quoted("\(plan.name):%[var(txn.key)]")) if { var(txn.key) -m found }",
            "    http-request set-var(txn.bucket) var(txn.name),xxh32,mod(\(Self.buckets)) if { var(txn.key) -m found }",
            "    http-request set-var(txn.user) var(txn.name),xxh64 if { var(txn.key) -m found }",
            "    http-request set-var(txn.bucket) rand(\(Self.buckets)) if !{ var(txn.key) -m found }",
            "    http-request set-var(txn.route) str(\(HAProxyAdapter.key)),map(\(quoted(folder.map.path)))",
        ]
        for (index, service) in plan.services.enumerated() {
            lines.append(
                "    http-request set-var(txn.first) var(txn.route),field(\(RouteText.field(of: index)),:),add(0) if { path \(quoted(service.path)) }"
            )
        }
        for (index, service) in plan.services.enumerated() {
            let path = "{ path \(quoted(service.path)) }"
            lines += [
                // A process from before a reload cannot be told any more: it serves legacy.
                "    use_backend \(BackEnd.name(index, .candidate)) if \(path) !{ stopping } { var(txn.bucket),sub(txn.first) ge 0 }",
                "    use_backend \(BackEnd.name(index, .legacy)) if \(path)",
            ]
        }
        return lines + ["    default_backend none", "", "backend none", "    http-request return status 404", ""]
    }

    /// HAProxy's own exporter, whose requests are nobody's and are told to nobody.
    private var exporter: [String] {
        scrape.map { place in
            [
                "frontend scrape", "    bind \(place.host):\(place.port)", "    no log",
                "    http-request use-service prometheus-exporter if { path /metrics }",
                "    http-request return status 404", "",
            ]
        } ?? []
    }

    private static let buckets = 10_000

    /// Takes the key from a place, where none was found before.
    private func key(_ place: StickyKey) -> String {
        let (sample, isThere): (String, String)
        switch place {
        case .header(let name):
            // All of the first field's text: `hdr` would take what stands behind its last comma.
            (sample, isThere) = ("req.fhdr(\(name),1)", "req.fhdr(\(name),1) -m len gt 0")
        case .cookie(let name): (sample, isThere) = ("req.cook(\(name))", "req.cook(\(name)) -m len gt 0")
        case .clientIP: return "http-request set-var-fmt(txn.key) %[src] if !{ var(txn.key) -m found }"
        }
        return "http-request set-var(txn.key) \(sample) if !{ var(txn.key) -m found } { \(isThere) }"
    }

    private func backend(_ index: Int, _ service: Service, _ implementation: Implementation) -> [String] {
        let text = implementation == .legacy ? service.legacy : service.candidate
        guard let address = Address(text) else { return [] }
        // A candidate that nobody resolves is down, and keeps nobody from legacy; without legacy nothing begins.
        let start = implementation == .candidate ? " init-addr last,libc,none" : ""
        return [
            "backend \(BackEnd.name(index, implementation))",
            "    timeout server \(milliseconds(service.timeout))",
            "    server \(implementation.rawValue) \(address.host):\(address.port)\(address.isSecure ? secure(address.certificateName) : "")\(start)",
            "",
        ]
    }

    /// TLS, and only with who shows a certificate for this name.
    private func secure(_ name: String) -> String {
        " ssl ssl-min-ver TLSv1.2 verify required ca-file \(quoted(trust.path)) verifyhost \(name) sni str(\(name))"
    }

    private func milliseconds(_ span: TimeSpan) -> String { "\(max(1, span.rawValue / 1_000))ms" }

    /// A word of the configuration in quotation marks, so that nothing in it is taken for more: as in a shell.
    private func quoted(_ word: String) -> String { PlaneFile.quoted(word) }
}
