package import Foundation
package import JSON
import Synchronization

/// One HTTPRoute on an API server, and the controller of its Gateway.
///
/// The answers' shapes are those that kube-apiserver 1.29 with the Gateway API's v1 gives: `resourceVersion` compared on update (409), `generation` counted when
/// the spec changes, `status` kept through updates of the rest, errors as objects of the kind Status.
package final class TestClusterAPI: Sendable {
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
    package init(_ manifest: JSONValue, routes: URL) {
        state = Mutex(State(object: manifest))
        self.routes = routes
    }

    /// The object without what the server adds.
    package var object: JSONValue { state.withLock { $0.object } }
    package var puts: Int { state.withLock { $0.puts } }
    package var conflicts: Int { state.withLock { $0.conflicts } }
    /// Whether the controller has said anything yet.
    package var hasStatus: Bool { state.withLock { !$0.status.isEmpty } }
    package func pause(_ isPaused: Bool) { state.withLock { $0.isPaused = isPaused } }
    package func refuse(_ reason: String?) { state.withLock { $0.refusal = reason } }

    /// Changes the object as somebody else does.
    package func edit(_ change: (JSONValue) -> JSONValue?) {
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

    package func answer(_ request: String) -> String {
        let line = request.prefix { $0 != "\r\n" && $0 != "\r" }
        let body = request.range(of: "\r\n\r\n").map { String(request[$0.upperBound...]) } ?? ""
        guard request.lowercased().contains("authorization: bearer a token of the cluster\r\n") else {
            return Self.failure(401, "Unauthorized", "Unauthorized")
        }
        func metadata(_ name: String) -> String { object["metadata"]?[name]?.string ?? "" }
        let name = metadata("name"), resource = "httproutes.gateway.networking.k8s.io \"\(name)\""
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/\(metadata("namespace"))/httproutes/\(name)"
        guard line.hasPrefix("GET \(path) ") || line.hasPrefix("PUT \(path) ") else {
            return Self.failure(404, "NotFound", "\(resource) not found")
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
                    "Operation cannot be fulfilled on \(resource): the object has been modified; please apply your changes to the latest version and try again"
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

    /// Carries out what is told while the body runs.
    package func controlled<R>(_ body: () async throws -> R) async throws -> R {
        let controller = Task {
            while !Task.isCancelled {
                try await reconcile()
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

    /// Carries out what the spec says, and says so.
    private func reconcile() async throws {
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
        // The first rule is the one for asking.
        let routes = (object["spec"]?["rules"]?.array ?? []).enumerated().map { index, rule -> JSONValue in
            let path = rule["matches"]?[0]?["path"]?["value"] ?? ""
            if let redirect = rule["filters"]?[0]?["requestRedirect"]?["hostname"] {
                return [
                    "match": ["path": path], "redirect": ["host_redirect": redirect, "response_code": "FOUND"],
                ]
            }
            let clusters = (rule["backendRefs"]?.array ?? []).map { reference -> JSONValue in
                [
                    "name": .string("\(index - 1).\(reference["name"] == "old" ? "legacy" : "candidate")"),
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
