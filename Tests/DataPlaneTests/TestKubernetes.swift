import DataPlanes
import Foundation
import JSON
import MigrationCore
import Postgres
import Synchronization
import TestSupport

/// A Gateway of Kubernetes: a real Envoy that goes by the HTTPRoute of an API server that is none, but answers as one does.
final class TestKubernetes: TestPlane {
    let plan: Plan
    let folder: KubernetesFolder
    let place: KubernetesPlace
    let api: TestClusterAPI
    private let envoy: TestEnvoy
    private let server: TestUpstream
    var url: String { envoy.url }
    var plane: any DataPlane { KubernetesPlane(folder: folder, place: place, access: access) }
    var adapter: KubernetesAdapter { adapter() }
    var access: KubernetesAccess {
        KubernetesAccess(
            server: "http://127.0.0.1:\(server.port)",
            token: folder.url.appendingPathComponent("token"),
            authority: nil,
            gateway: (envoy.url, "shop.example")
        )
    }

    /// - Parameter wiring: a plan with the addresses of two upstreams, which the cluster's services stand for.
    init(_ wiring: Plan) async throws {
        var plan = wiring
        plan.services[0].legacy = "http://old.shop.svc:8080"
        plan.services[0].candidate = "http://new.other.svc:9090"
        self.plan = plan
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("kube-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = KubernetesFolder(path.path)
        try Data("a token of the cluster\n".utf8).write(to: path.appendingPathComponent("token"))
        place = KubernetesPlace(namespace: "shop", name: nil, migration: plan.name, environment: "production")
        let manifest = try KubernetesConfiguration(plan: plan, place: place, gateway: "web").text()
        envoy = try await TestEnvoy(wiring)
        api = TestClusterAPI(try JSONValue(parsing: Array(manifest)), routes: envoy.folder.routes)
        let api = api
        server = try await TestUpstream(.says { api.answer($0) })
    }

    /// One that has less patience than the plane's.
    func adapter(at place: KubernetesPlace? = nil, _ access: KubernetesAccess? = nil) -> KubernetesAdapter {
        KubernetesAdapter(
            router: "r",
            plan: plan,
            place: place ?? self.place,
            access: access ?? self.access,
            patience: .seconds(2)
        )
    }

    /// Runs the Gateway, and the controller that tells it, while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let api = api
        return try await envoy.run {
            let controller = Task {
                while !Task.isCancelled {
                    try await api.reconcile()
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            let result: Result<R, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            controller.cancel()
            _ = await controller.result
            return try result.get()
        }
    }

    func close() async {
        await server.close()
        envoy.remove()
        try? FileManager.default.removeItem(at: folder.url)
    }
}

/// One HTTPRoute on an API server, and the controller of its Gateway.
///
/// The answers' shapes are those that kube-apiserver 1.29 with the Gateway API's v1 gives: `resourceVersion` compared on update (409), `generation` counted when
/// the spec changes, `status` kept through updates of the rest, errors as objects of the kind Status.
final class TestClusterAPI: Sendable {
    private struct State {
        var object: JSONValue
        var version = 1_001
        var generation = 1
        /// What the controller has carried out.
        var carriedOut = 0
        var isPaused = false
        /// What the controller says to what it has seen, where it does not take it.
        var refusal: String?
        var status: [JSONValue] = []
        var conflicts = 0
        var puts = 0
    }

    private let state: Mutex<State>
    private let routes: URL

    /// - Parameters:
    ///   - manifest: what was applied.
    ///   - routes: the file of the Envoy that is the Gateway.
    init(_ manifest: JSONValue, routes: URL) {
        state = Mutex(State(object: manifest))
        self.routes = routes
    }

    /// The object without what the server adds.
    var object: JSONValue { state.withLock { $0.object } }
    var puts: Int { state.withLock { $0.puts } }
    var conflicts: Int { state.withLock { $0.conflicts } }
    /// Whether the controller has said anything yet.
    var hasStatus: Bool { state.withLock { !$0.status.isEmpty } }
    func pause(_ isPaused: Bool) { state.withLock { $0.isPaused = isPaused } }
    func refuse(_ reason: String?) { state.withLock { $0.refusal = reason } }

    /// Changes the object as somebody else does.
    func edit(_ change: (JSONValue) -> JSONValue?) {
        state.withLock { state in
            guard let changed = change(state.object) else { return }
            put(changed, &state)
        }
    }

    private func put(_ object: JSONValue, _ state: inout State) {
        state.version += 1
        if object["spec"] != state.object["spec"] { state.generation += 1 }
        state.object = object
    }

    private func whole(_ state: State) -> JSONValue {
        guard case .object(var fields) = state.object, case .object(var metadata) = fields["metadata"] ?? [:] else {
            return state.object
        }
        metadata["resourceVersion"] = .string("\(state.version)")
        metadata["generation"] = .int(state.generation)
        metadata["uid"] = "9a1f5c1e-7f0b-4e53-9d2c-6b1f0a8c3f11"
        metadata["creationTimestamp"] = "2026-11-02T09:14:07Z"
        fields["metadata"] = .object(metadata)
        fields["status"] = ["parents": .array(state.status)]
        return .object(fields)
    }

    // MARK: The server

    func answer(_ request: String) -> String {
        let line = request.prefix { $0 != "\r\n" && $0 != "\r" }
        let body = request.range(of: "\r\n\r\n").map { String(request[$0.upperBound...]) } ?? ""
        guard request.lowercased().contains("authorization: bearer a token of the cluster\r\n") else {
            return Self.failure(401, "Unauthorized", "Unauthorized")
        }
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/m-production"
        guard line.hasPrefix("GET \(path) ") || line.hasPrefix("PUT \(path) ") else {
            return Self.failure(404, "NotFound", #"httproutes.gateway.networking.k8s.io "m-production" not found"#)
        }
        return state.withLock { state in
            guard line.hasPrefix("PUT ") else { return Self.http(200, whole(state)) }
            guard let sent = try? JSONValue(parsing: body), case .object(var fields) = sent,
                case .object(var metadata) = fields["metadata"] ?? .null
            else { return Self.failure(400, "BadRequest", "the object provided is unrecognized") }
            guard metadata["resourceVersion"] == .string("\(state.version)") else {
                state.conflicts += 1
                return Self.failure(
                    409,
                    "Conflict",
                    #"Operation cannot be fulfilled on httproutes.gateway.networking.k8s.io "m-production": the object has been modified; please apply your changes to the latest version and try again"#
                )
            }
            for added in ["resourceVersion", "generation", "uid", "creationTimestamp"] { metadata[added] = nil }
            fields["metadata"] = .object(metadata)
            // The status is a resource of its own.
            fields["status"] = nil
            state.puts += 1
            put(.object(fields), &state)
            return Self.http(200, whole(state))
        }
    }

    private static func http(_ status: Int, _ body: JSONValue) -> String {
        "HTTP/1.1 \(status) Status\r\ncontent-type: application/json\r\ncontent-length: \(body.bytes.count)\r\n\r\n\(body.text)"
    }

    private static func failure(_ code: Int, _ reason: String, _ message: String) -> String {
        http(
            code,
            [
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
                "reason": .string(reason), "code": .int(code),
            ]
        )
    }

    // MARK: The controller

    /// Carries out what the spec says, and says so.
    func reconcile() async throws {
        let due = state.withLock { state -> (JSONValue, Int)? in
            guard !state.isPaused, state.carriedOut != state.generation || refusalIsNew(state) else { return nil }
            return (state.object, state.generation)
        }
        guard let (object, generation) = due else { return }
        if state.withLock({ $0.refusal }) == nil { try carryOut(object, generation) }
        state.withLock { state in
            state.carriedOut = generation
            func condition(_ type: String, _ refusal: String?) -> JSONValue {
                [
                    "type": .string(type), "status": refusal == nil ? "True" : "False",
                    "observedGeneration": .int(generation), "lastTransitionTime": "2026-11-02T09:14:08Z",
                    "reason": .string(refusal ?? type), "message": .string(refusal.map { "\($0): service" } ?? "ok"),
                ]
            }
            state.status = [
                [
                    "parentRef": ["group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"],
                    "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                    "conditions": [condition("Accepted", nil), condition("ResolvedRefs", state.refusal)],
                ]
            ]
        }
    }

    private func refusalIsNew(_ state: State) -> Bool {
        let said = state.status.first?["conditions"]?[1]?["reason"]?.string
        return (state.refusal ?? "ResolvedRefs") != said
    }

    /// The HTTPRoute as Envoy has it: weights that deal requests at random.
    private func carryOut(_ object: JSONValue, _ generation: Int) throws {
        let routes = (object["spec"]?["rules"]?.array ?? []).map { rule -> JSONValue in
            let path = rule["matches"]?[0]?["path"]?["value"] ?? ""
            if let redirect = rule["filters"]?[0]?["requestRedirect"]?["hostname"] {
                return [
                    "match": ["path": path], "redirect": ["host_redirect": redirect, "response_code": "FOUND"],
                ]
            }
            let clusters = (rule["backendRefs"]?.array ?? []).map { reference -> JSONValue in
                [
                    "name": reference["name"] == "old" ? "0.legacy" : "0.candidate",
                    "weight": reference["weight"] ?? 1,
                ]
            }
            return ["match": ["path": path], "route": ["weighted_clusters": ["clusters": .array(clusters)]]]
        }
        let file: JSONValue = [
            "version_info": .string("\(generation)"),
            "resources": [
                [
                    "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "migrate",
                    "virtual_hosts": [["name": "shop", "domains": ["*"], "routes": .array(routes)]],
                ]
            ],
        ]
        try Data(file.bytes).write(to: self.routes, options: .atomic)
    }
}
