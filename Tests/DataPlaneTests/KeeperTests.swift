import AsyncHTTPClient
import DataPlanes
import Foundation
import Gateway
import Logging
import MigrationCore
import Routing
import Signals
import Synchronization
import TestSupport
import Testing

@Suite("What holds a data plane to its route")
struct KeeperTests {
    /// A data plane that forgets, hangs and falls silent as a test says.
    private final class Plane: PlaneAdapter {
        struct State {
            var route: RouteText
            /// Revisions that it takes only once it is not asked for them any more.
            var hangsAt: Int64?
            var isHanging = false
            var readsFail = false
            var readsWait = false
            var isWaiting = false
            var isForeign = false
            var isDeaf = false
            /// The last revision that it did not hear.
            var refused: Int64?
            /// The revisions of which it was told only what sends nobody more to a candidate.
            var lowered: [Int64] = []
        }

        let router = "r"
        private let plan: Plan
        let state: Mutex<State>

        init(_ plan: Plan, _ table: RouteTable) {
            self.plan = plan
            state = Mutex(State(route: RouteText(table, plan)))
        }

        func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
            if state.withLock({ $0.hangsAt }) == table.revision {
                state.withLock { $0.isHanging = true }
                while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(1)) }
                throw RoutingError(.unreachable, "it hung")
            }
            if state.withLock({ $0.isDeaf }) {
                state.withLock { $0.refused = table.revision }
                throw RoutingError(.unreachable, "nobody is there")
            }
            state.withLock { $0.route = RouteText(table, plan) }
            return Acknowledgement(router: router, revision: table.revision, at: Timestamp(rawValue: 0))
        }

        func requireOwnConfiguration() async throws(RoutingError) {
            if state.withLock({ $0.isForeign }) { throw RoutingError(.unsuitable, "another's") }
        }

        func lower(to table: RouteTable) async throws(RoutingError) {
            state.withLock { $0.lowered.append(table.revision) }
        }

        func read() async throws(RoutingError) -> RouteText {
            if state.withLock({ $0.readsWait }) {
                state.withLock { $0.isWaiting = true }
                while state.withLock({ $0.readsWait }) { try? await Task.sleep(for: .milliseconds(1)) }
            }
            if state.withLock({ $0.readsFail }) { throw RoutingError(.unreachable, "no answer") }
            return state.withLock { $0.route }
        }
    }

    /// What has such an adapter, and measures nothing.
    private struct Program: DataPlane {
        let name = "nothing"
        let adapter: Plane
        let state: URL

        func requireSuitable(_ plan: Plan) {}
        func adapter(router: String, plan: Plan) -> any PlaneAdapter { adapter }
        func windows(_ plan: Plan, meter: Meter, client: HTTPClient) -> any PlaneWindows { NoWindows() }
    }

    private struct NoWindows: PlaneWindows {
        func begin() async {}
        func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? { nil }
        func close() async {}
    }

    private let plan = TestRoutes.plan(legacy: 1, candidate: 2)
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent("keeper-\(UUID().uuidString)")

    private func keeper(_ plane: Plane, first: RouteTable? = nil) throws -> PlaneKeeper {
        try PlaneKeeper(plane, plan: plan, state: state, first: first, logger: Logger(label: "test"))
    }

    @Test("what was kept is not told where the log is known to say otherwise by now; it is where nobody knows better")
    func begunAnew() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .all))
        try await keeper(plane).apply(TestRoutes.table(1, .all))
        // Host and data plane were off, and a rollback came meanwhile.
        plane.state.withLock { $0.route = .legacy(plan) }
        let back = TestRoutes.table(2, .zero)
        #expect(try await keeper(plane, first: back).reassert() == true)
        #expect(plane.state.withLock { $0.route } == RouteText(back, plan))
        plane.state.withLock { $0.route = .legacy(plan) }
        #expect(try await keeper(plane).reassert() == true)
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(1, .all), plan))
    }

    @Test(
        "what was kept is shown to be in force where nobody wants anything else, and what the data plane has is said, whoever told it"
    )
    func confirmed() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .all))
        let first = try keeper(plane)
        #expect(try await first.confirm() == nil)
        try await first.apply(TestRoutes.table(9, .all))
        // Begun anew, with a log that has lost it and says nothing.
        let second = try keeper(plane)
        #expect(try await second.confirm() == TestRoutes.table(9, .all))
        // With a log that has gone on from less.
        await #expect(throws: RoutingError.self) { try await second.apply(TestRoutes.table(8, .zero)) }
        #expect(try await second.beyond(TestRoutes.table(8, .zero)) == TestRoutes.table(9, .all))
        #expect(try await second.beyond(TestRoutes.table(9, .all)) == nil)
        // What nobody here has told is said, and not kept.
        plane.state.withLock { $0.route = RouteText(TestRoutes.table(12, .all), plan) }
        #expect(try await second.beyond(TestRoutes.table(10, .zero)) == TestRoutes.table(12, .all))
        #expect(await second.table == TestRoutes.table(9, .all))
        #expect(try RouteStore(file: state).read()?.table == TestRoutes.table(9, .all))
        // Where the log's head is known nothing older is said.
        #expect(try await keeper(plane, first: TestRoutes.table(10, .zero)).confirm() == nil)
    }

    @Test("one that cannot be asked, or was not configured for the plan, is told nothing that sends anybody on")
    func unasked() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .zero))
        let keeper = try keeper(plane)
        plane.state.withLock { $0.readsFail = true }
        await #expect(throws: RoutingError.self) { try await keeper.apply(TestRoutes.table(2, .all)) }
        plane.state.withLock {
            $0.readsFail = false
            $0.isForeign = true
        }
        await #expect(throws: RoutingError.self) { try await keeper.apply(TestRoutes.table(3, .all)) }
        #expect(plane.state.withLock { $0.lowered } == [2, 3])
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(1, .zero), plan))
        #expect(await keeper.table == nil)
        plane.state.withLock { $0.isForeign = false }
        try await keeper.apply(TestRoutes.table(3, .all))
        // A rollback of all asks for nothing.
        plane.state.withLock { $0.readsFail = true }
        try await keeper.apply(TestRoutes.table(4, .zero))
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(4, .zero), plan))
    }

    @Test("one that cannot be asked any more is told again what sends nobody more to a candidate")
    func mute() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .zero))
        let keeper = try keeper(plane)
        plane.state.withLock { $0.readsFail = true }
        // Nobody knows what is wanted.
        await #expect(throws: RoutingError.self) { try await keeper.reassert() }
        #expect(plane.state.withLock { $0.lowered } == [])
        try await keeper.apply(TestRoutes.table(4, .zero))
        await #expect(throws: RoutingError.self) { try await keeper.reassert() }
        #expect(plane.state.withLock { $0.lowered } == [4])
    }

    @Test(
        "a rollback that could not be told is not forgotten by whoever is begun anew with a data plane that has forgotten all"
    )
    func untold() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .zero))
        let first = try keeper(plane)
        try await first.apply(TestRoutes.table(5, .all))
        plane.state.withLock { $0.isDeaf = true }
        await #expect(throws: RoutingError.self) { try await first.apply(TestRoutes.table(7, SamplePlan.weight(100))) }
        await #expect(throws: RoutingError.self) { try await first.apply(TestRoutes.table(8, .all)) }
        plane.state.withLock {
            $0.isDeaf = false
            $0.route = .legacy(plan)
        }
        let second = try keeper(plane)
        #expect(try await second.reassert() == true)
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(7, SamplePlan.weight(100)), plan))
    }

    @Test("a rollback does not wait for an advance that is told again, nor for the log's asking for that once more")
    func overtaken() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let (up, down) = (TestRoutes.table(2, .all), TestRoutes.table(3, .zero))
        let plane = Plane(plan, TestRoutes.table(1, .zero)), routes = TestRoutes()
        let router = try PlaneRouter(
            name: "r",
            environment: "production",
            plan: plan,
            plane: Program(adapter: plane, state: state),
            source: routes,
            sink: routes,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await running(router) {
            plane.state.withLock { $0.isDeaf = true }
            routes.route(up)
            try await eventually("the advance to be refused") { plane.state.withLock { $0.refused } == 2 }
            plane.state.withLock {
                $0.isDeaf = false
                $0.hangsAt = 2
            }
            try await eventually("it to be told again") { plane.state.withLock { $0.isHanging } }
            routes.route(up)
            routes.route(down)
            try await eventually("the rollback") { routes.acknowledged.contains(3) }
            #expect(plane.state.withLock { $0.route } == RouteText(down, plan))
            #expect(!routes.acknowledged.contains(2))
        }
    }

    @Test("a new route does not wait for what was kept to be shown in force")
    func confirmedLate() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .all))
        try await keeper(plane).apply(TestRoutes.table(9, .all))
        let second = try keeper(plane)
        plane.state.withLock { $0.hangsAt = 9 }
        let confirming = Task { try await second.confirm() }
        try await eventually("it to hang") { plane.state.withLock { $0.isHanging } }
        try await second.apply(TestRoutes.table(10, .zero))
        #expect(try await confirming.value == nil)
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(10, .zero), plan))
    }

    @Test("a new route does not wait for one that is told again and not taken")
    func retold() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .all))
        let keeper = try keeper(plane)
        try await keeper.apply(TestRoutes.table(1, .all))
        plane.state.withLock {
            $0.route = .legacy(plan)
            $0.hangsAt = 1
        }
        let again = Task { try await keeper.reassert() }
        try await eventually("the older one to be told again") { plane.state.withLock { $0.isHanging } }
        try await keeper.apply(TestRoutes.table(2, .zero))
        #expect(plane.state.withLock { $0.route } == RouteText(TestRoutes.table(2, .zero), plan))
        #expect(try await again.value == nil)
        #expect(await keeper.table?.revision == 2)
    }

    @Test(
        "a new route does not wait for an answer to whether the older one stands, which then says nothing of the new one"
    )
    func asked() async throws {
        defer { try? FileManager.default.removeItem(at: state) }
        let plane = Plane(plan, TestRoutes.table(1, .all))
        let keeper = try keeper(plane)
        try await keeper.apply(TestRoutes.table(1, .all))
        plane.state.withLock { $0.readsWait = true }
        let question = Task { try await keeper.reassert() }
        try await eventually("the question") { plane.state.withLock { $0.isWaiting } }
        try await keeper.apply(TestRoutes.table(2, .zero))
        plane.state.withLock {
            $0.readsFail = true
            $0.readsWait = false
        }
        #expect(try await question.value == nil)
        // Without a new route the silence is told.
        await #expect(throws: RoutingError.self) { try await keeper.reassert() }
    }
}
