import DataPlanes
import Foundation
import JSON
import MigrationCore
import TestSupport

/// A Gateway of Kubernetes: a real Envoy that goes by the HTTPRoute of an API server that is none, but answers as one does.
final class TestKubernetes: TestPlane {
    let plan: Plan
    let folder: KubernetesFolder
    let place: KubernetesPlace
    let api: TestClusterAPI
    private let connectTimeout: TimeSpan
    private let envoy: TestEnvoy
    private let server: TestUpstream
    var url: String { envoy.url }
    var plane: any DataPlane {
        KubernetesPlane(folder: folder, place: place, access: access, connectTimeout: connectTimeout)
    }
    var adapter: KubernetesAdapter { adapter() }
    var access: KubernetesAccess {
        KubernetesAccess(
            server: "http://127.0.0.1:\(server.port)",
            token: folder.url.appendingPathComponent("token"),
            authority: nil,
            gateway: (envoy.url, "shop.example")
        )
    }

    /// - Parameters:
    ///   - wiring: a plan with the addresses of two upstreams, which the cluster's services stand for.
    ///   - connectTimeout: how long a connection to them may take; Envoy lets them take two seconds.
    init(_ wiring: Plan, connectTimeout: TimeSpan = .milliseconds(100)) async throws {
        self.connectTimeout = connectTimeout
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
            patience: .seconds(2),
            connectTimeout: .microseconds(connectTimeout.rawValue)
        )
    }

    /// Runs the Gateway, and the controller that tells it, while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        // Once the controller has told it, it says nothing of an Envoy of ours.
        try await envoy.run(serves: false) {
            try await eventually("the Gateway to answer") { (try? await SteadyLoad.side(url, user: "u")) != nil }
            return try await api.controlled(body)
        }
    }

    func close() async {
        await server.close()
        envoy.remove()
        try? FileManager.default.removeItem(at: folder.url)
    }
}
