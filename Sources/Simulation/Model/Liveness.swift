import MigrationCore
import Routing

/// What becomes of a world in which nothing goes wrong any more: everybody does his work in turn, and windows are good.
struct Liveness {
    /// So many rounds are more than any migration of a small world needs.
    private static let rounds = 80

    /// Runs a world on without faults and without people, until nothing changes.
    ///
    /// - Throws: invariant 19 when what is desired, acknowledged and observed do not come to agree, or a gate waits for ever.
    static func check(_ start: World, _ mutant: Mutant?) throws(Violation) {
        var world = start
        world.left = SmallWorld.Limits(people: 0, crashes: 0, restarts: 0, losses: 0)
        for _ in 0..<rounds {
            if world.isSettled { return }
            world = try round(world, mutant)
        }
        let state = world.log.migration.map { "\($0.phase.name)" } ?? "nothing"
        throw Violation(invariant: 19, message: "nothing goes wrong any more, and it stays \(state) for ever")
    }

    private static func round(_ start: World, _ mutant: Mutant?) throws(Violation) -> World {
        var world = start
        // The right route of each environment reaches its routers, and they say so.
        for router in world.routers.indices {
            let environment = world.routers[router].environment
            // One telling may be lost, and who tells only once has then told nobody.
            if mutant == .toldOnce { continue }
            if let table = world.table(of: environment), world.routers[router].table != table {
                if !world.offered.contains(table) { world.offered.append(table) }
                if let index = world.offered.firstIndex(of: table),
                    let next = try world.after(.deliver(table: index, router: router), mutant)
                {
                    world = next
                }
            }
            if let next = try world.after(.report(router: router), mutant) { world = next }
        }
        // The slow worker finds out what it does not know; the quick one does what is due.
        if case .unknown = world.slow.state, let next = try world.after(.resolve, mutant) { world = next }
        if case .prepared = world.slow.state, let next = try world.after(.append(.heard), mutant) { world = next }
        for _ in 0..<8 {
            guard let next = try world.after(.work(quality: .good), mutant) else { break }
            world = next
        }
        if let next = try world.after(.timePasses, mutant) { world = next }
        return world
    }
}

extension World {
    /// Everything that is desired is acknowledged and in force, and only people could bring anything else about.
    fileprivate var isSettled: Bool {
        log.migration?.isSettled { migration in
            routers.allSatisfy { router in
                guard let table = table(of: router.environment) else { return true }
                let known = migration.routers.first { $0.name == router.name }?.revision ?? 0
                return table.revision <= 1 || (router.table == table && known >= table.revision)
            }
        } ?? true
    }
}
