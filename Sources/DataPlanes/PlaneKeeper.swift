package import Foundation
import Gateway
package import Logging
package import MigrationCore
package import Routing
import Signals

/// An adapter that can read back all of what is in force.
package protocol PlaneAdapter: ServiceDiscoveryAdapter {
    /// The data plane's name in the log.
    var router: String { get }
    func read() async throws(RoutingError) -> RouteText
    /// Puts into force what of a table sends nobody more to a candidate than before, as far as that can be told to whom nobody can ask, and acknowledges nothing. All of the table
    /// is told only to one that is certainly not there and will begin with a configuration of this plan.
    ///
    /// - Throws: ``RoutingError`` as `apply(_:)` does for what may not come before the table; where nothing could be told.
    func lower(to table: RouteTable) async throws(RoutingError)
    /// Whether a route that was acknowledged once is in force if it is read: nobody else has to have taken it.
    var isSeenByReading: Bool { get }
    /// - Throws: ``RoutingError/Code/unsuitable`` where its configuration was not written for this plan, as it says itself.
    func requireOwnConfiguration() async throws(RoutingError)
    /// Hears what was told before this process began: requests may still be on their way by that; nil where nobody knows.
    func remember(_ table: RouteTable?)
    /// Says, to whoever starts the data plane in the next moment, that what it finds is what is wanted, where it is.
    func vouch(for table: RouteTable)
}

extension PlaneAdapter {
    package var isSeenByReading: Bool { false }
    package func vouch(for table: RouteTable) {}
    package func remember(_ table: RouteTable?) {}

    package func current() async throws(RoutingError) -> Acknowledgement? {
        let now = try await read()
        return now.isUntold ? nil : Acknowledgement(router: router, revision: now.revision, at: SystemClock.now)
    }
}

/// Holds a data plane to what was decided: takes a table through the fence, keeps it, and tells it again whenever the data plane has
/// forgotten.
package actor PlaneKeeper {
    private let plan: Plan
    private let adapter: any PlaneAdapter
    private let store: RouteStore
    private let logger: Logger
    private var fence: Fence
    /// What the state file has: what was told last, or less that could not be told.
    private var kept: RouteTable?
    /// What was decided last, although the data plane may not have taken it yet: an older route is never told again.
    private var wanted: RouteTable?
    /// One at a time, or an older route could be told between a newer one and its acknowledgement.
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// How many tables were taken.
    private var taken = 0
    /// What is told again, which whatever is new cuts off.
    private var retelling: Task<Result<Bool, RoutingError>, Never>?

    /// - Parameter first: what is wanted from the beginning, in the place of what was kept; nil where nobody knows better.
    /// - Throws: ``RoutingError/Code/storage`` for a state file that cannot be read.
    package init(
        _ adapter: any PlaneAdapter,
        plan: Plan,
        state: URL,
        first: RouteTable? = nil,
        logger: Logger
    ) throws(RoutingError) {
        self.plan = plan
        self.logger = logger
        self.adapter = adapter
        store = RouteStore(file: state)
        kept = try store.read()?.table
        fence = Fence(kept)
        adapter.remember(kept)
        wanted = first
    }

    /// What was told last, or, of what a process before this one could not tell, the least; nil before the first.
    package var table: RouteTable? { fence.table }

    /// Cuts off what is told again where something else is wanted by now.
    package func giveWay(to table: RouteTable) {
        if table != wanted { retelling?.cancel() }
    }

    /// Puts a table into force. When it returns, the data plane has it, and it is kept.
    package func apply(_ table: RouteTable) async throws(RoutingError) {
        giveWay(to: table)
        await enter()
        defer { leave() }
        guard !Task.isCancelled else { throw RoutingError(.unreachable, "something newer has come") }
        var next = fence
        let isNew = try next.admit(table)
        wanted = table
        if !isNew, adapter.isSeenByReading, try await adapter.read() == RouteText(table, plan) {
            taken += 1
            return
        }
        do throws(RoutingError) {
            try await Self.tell(table, plan, adapter)
        } catch {
            if isNew { outlive(table) }
            throw error
        }
        taken += 1
        guard isNew else { return }
        try keep(table)
        fence = next
        logger.info(
            "route in force",
            metadata: ["revision": "\(table.revision)", "weights": "\(table.weights.mapValues(\.rawValue))"]
        )
    }

    /// Keeps what could not be told where it sends nobody more to a candidate: a data plane that forgets when it is restarted is told no more than that by whoever is restarted besides.
    private func outlive(_ table: RouteTable) {
        guard !adapter.isSeenByReading, let kept, !RouteText(table, plan).raises(RouteText(kept, plan)) else { return }
        do {
            try keep(table)
        } catch {
            logger.error("what could not be told is not kept", metadata: ["reason": "\(error.message)"])
        }
    }

    private func keep(_ table: RouteTable) throws(RoutingError) {
        if table == kept { return }
        try store.write(RouteStore.Kept(plan: plan, table: table))
        kept = table
    }

    /// Has the data plane show that what was kept is in force, where nobody wants anything else.
    ///
    /// - Returns: nil where something else is wanted, or nothing was ever kept.
    package func confirm() async throws(RoutingError) -> RouteTable? {
        guard !isBusy, let kept = fence.table, wanted ?? kept == kept else { return nil }
        await enter()
        defer { leave() }
        guard fence.table == kept, wanted ?? kept == kept else { return nil }
        let adapter = adapter, plan = plan, text = RouteText(kept, plan)
        let isShown = try await cutOffByNews { () async throws(RoutingError) in
            if adapter.isSeenByReading, try await adapter.read() == text { return true }
            try await Self.tell(kept, plan, adapter)
            return true
        }
        return isShown == nil ? nil : kept
    }

    /// Puts a table into force. Where the data plane's configuration was not written for this plan, or nobody says so, whom it would send where is not known: it is told only what
    /// sends nobody more to a candidate, and acknowledges nothing.
    private static func tell(_ table: RouteTable, _ plan: Plan, _ adapter: any PlaneAdapter)
        async throws(RoutingError)
    {
        let wanted = RouteText(table, plan)
        // A rollback of all waits for no answer.
        if wanted.raises(.legacy(plan)) {
            do throws(RoutingError) {
                if wanted.raises(try await adapter.read()) { try await adapter.requireOwnConfiguration() }
            } catch {
                try await adapter.lower(to: table)
                throw error
            }
        }
        _ = try await adapter.apply(table)
        try await adapter.requireOwnConfiguration()
    }

    /// Carries out what nobody new has asked for, in its turn.
    ///
    /// - Returns: nil where something new has come meanwhile.
    private func cutOffByNews(_ body: @escaping @Sendable () async throws(RoutingError) -> Bool)
        async throws(RoutingError) -> Bool?
    {
        let again = Task { () async -> Result<Bool, RoutingError> in
            do throws(RoutingError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        retelling = again
        let result = await withTaskCancellationHandler {
            await again.value
        } onCancel: {
            again.cancel()
        }
        retelling = nil
        return again.isCancelled ? nil : try result.get()
    }

    /// What the data plane has in force beyond what it was offered, whoever told it: another commit, or a later one. It is shown, and nothing of it is kept or wanted.
    ///
    /// - Returns: nil where it has nothing of the kind, or something new has come meanwhile.
    package func beyond(_ offered: RouteTable) async throws(RoutingError) -> RouteTable? {
        await enter()
        defer { leave() }
        let adapter = adapter, plan = plan
        let found = try await adapter.read()
        guard !found.isUntold, found.revision > offered.revision || found.hash != offered.hash else { return nil }
        let table = found.table(plan, in: offered.environment)
        let isShown = try await cutOffByNews { () async throws(RoutingError) in
            guard try await adapter.read() == found else { return false }
            try await Self.tell(table, plan, adapter)
            return true
        }
        return isShown ?? false ? table : nil
    }

    /// Tells the data plane again what it has forgotten: it starts from legacy, and so it may after a reload.
    ///
    /// It is asked beside whatever is told meanwhile, so that a route that comes does not wait for its turn (HAProxy's socket answers one after the other);
    /// only what looks forgotten is looked at in turn, and whatever is new cuts that off.
    ///
    /// - Returns: whether it had to be told; nil where somebody is telling it what is wanted now.
    package func reassert() async throws(RoutingError) -> Bool? {
        guard !isBusy else { return nil }
        let since = taken
        let before: RouteText
        do {
            before = try await adapter.read()
            // One that was started anew with another's configuration may have kept the route; what it has lost it is told first.
            if let table = wanted ?? fence.table, before == RouteText(table, plan) {
                try await adapter.requireOwnConfiguration()
            }
        } catch {
            // What was told and seen meanwhile is known better than by a question that had no answer.
            if taken != since { return nil }
            await lower()
            throw error
        }
        guard !isBusy else { return nil }
        guard let table = wanted ?? fence.table, before != RouteText(table, plan) else { return false }
        await enter()
        defer { leave() }
        guard let table = wanted ?? fence.table else { return false }
        let adapter = adapter, plan = plan, text = RouteText(table, plan)
        let wasTold = try await cutOffByNews { () async throws(RoutingError) in
            if try await adapter.read() == text { return false }
            try await Self.tell(table, plan, adapter)
            return true
        }
        guard let wasTold else { return nil }
        guard wasTold else { return false }
        logger.warning(
            "the data plane had another route and was told again",
            metadata: ["revision": "\(table.revision)"]
        )
        return true
    }

    /// Has a data plane that cannot be asked, and may have been told anything by somebody else, send nobody more to a candidate than is wanted, as far as it can be told.
    private func lower() async {
        guard !isBusy else { return }
        await enter()
        defer { leave() }
        guard let table = wanted ?? fence.table else { return }
        let adapter = adapter
        do {
            _ = try await cutOffByNews { () async throws(RoutingError) in
                try await adapter.lower(to: table)
                return true
            }
        } catch {
            logger.debug("the data plane cannot be told", metadata: ["reason": "\(error.message)"])
        }
    }

    /// Says to whoever starts the data plane that it finds what is wanted, where the log, or whoever has read it, has said what that is.
    package func vouch() {
        if let wanted { adapter.vouch(for: wanted) }
    }

    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}
