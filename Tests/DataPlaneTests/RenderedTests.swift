import DataPlanes
import MigrationCore
import Routing
import TestSupport
import Testing

@Suite("Routes rendered for others to apply")
struct RenderedTests {
    private static let plan = {
        var plan = TestRoutes.plan(legacy: 8_080, candidate: 9_090)
        plan.services[0].legacy = "http://old.shop.svc:8080"
        plan.services[0].candidate = "http://new.shop.svc:9090"
        return plan
    }()

    private func text(_ kind: RenderedRoutes.Kind, _ basisPoints: Int) throws -> String {
        try RenderedRoutes(plan: Self.plan, weights: ["a": SamplePlan.weight(basisPoints)]).text(kind)
    }

    @Test(
        "what Consul has no two services for is refused",
        arguments: ["http://old.shop.svc:9090", "http://10.0.0.7:80"]
    )
    func same(candidate: String) throws {
        var plan = Self.plan
        plan.services[0].candidate = candidate
        let routes = try RenderedRoutes(plan: plan, weights: [:])
        let error = #expect(throws: RoutingError.self) { try routes.text(.consul) }
        #expect(error?.code == .unsuitable && error?.message.contains(candidate) == true)
        #expect(try routes.text(.traefik).contains(candidate))
    }

    @Test("a service splitter of Consul splits by hundredths of a percent")
    func consul() throws {
        #expect(
            try text(.consul, 1_234) == """
                Kind = "service-splitter"
                Name = "m-a"
                Splits = [
                  { weight = 87.66, service = "old.shop.svc" },
                  { weight = 12.34, service = "new.shop.svc" },
                ]

                """
        )
    }

    @Test("a file of Traefik has a weighted service for each of the plan's")
    func traefik() throws {
        #expect(
            try text(.traefik, 10_000) == """
                http:
                  routers:
                    m-a: { rule: "Path(`/a`)", service: m-a }
                  services:
                    m-a:
                      weighted:
                        services:
                          - { name: m-a-legacy, weight: 0 }
                          - { name: m-a-candidate, weight: 10000 }
                    m-a-legacy:
                      loadBalancer: { servers: [{ url: "http://old.shop.svc:8080" }] }
                    m-a-candidate:
                      loadBalancer: { servers: [{ url: "http://new.shop.svc:9090" }] }

                """
        )
    }

    @Test("a path that could mean something else there is refused")
    func refuses() {
        var plan = Self.plan
        plan.services[0].path = "/a`) || Path(`/b"
        let error = #expect(throws: RoutingError.self) { try RenderedRoutes(plan: plan, weights: [:]) }
        #expect(error?.code == .unsuitable)
    }
}
