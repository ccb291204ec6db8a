import MigrationCore
import Routing

/// Tells a move as one tells what happened.
enum Story {
    static func line(_ move: Move, in world: World) -> String {
        let plan = world.log.migration?.plan
        let at = "\(Int(SmallWorld.tick.rawValue / 1_000_000) * world.time) s"
        return "\(String(repeating: " ", count: max(0, 6 - at.count)))\(at)  \(words(move, in: world, plan))"
    }

    private static func words(_ move: Move, in world: World, _ plan: Plan?) -> String {
        switch move {
        case .timePasses: return "time passes"
        case .work(let quality):
            guard let next = try? world.after(move, nil), let commit = next.history?.commit else {
                return "the quick worker works"
            }
            return "the quick worker appends \(command(commit.command, quality))"
        case .look(let quality):
            guard let looked = try? world.after(move, nil), case .prepared(let prepared) = looked.slow.state else {
                return "the slow worker reads version \(world.log.version)"
            }
            return
                "the slow worker reads version \(world.log.version) and decides \(command(prepared.command, quality))"
        case .draft(let person): return "\(person.name), on a slow line: \(command(person.command, nil))"
        case .append(let outcome):
            guard case .prepared(let prepared) = world.slow.state else { return "the slow worker appends" }
            let what = command(prepared.command, prepared.quality)
            let isStale = prepared.expected != world.log.version ? ", decided on an older version" : ""
            switch outcome {
            case .heard: return "the slow worker appends \(what)\(isStale)"
            case .unheard: return "the slow worker appends \(what)\(isStale), and does not hear that it is in the log"
            case .lost: return "the slow worker sends \(what), which does not arrive"
            }
        case .resolve: return "the slow worker finds out what became of its command"
        case .leaseMoves: return "the lease runs out and goes to the other worker"
        case .deliver(let table, let router):
            let offered = world.offered[table]
            let weights = offered.weights.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", "
            )
            return "\(world.routers[router].name) is told revision \(offered.revision): \(weights)"
        case .restart(let router): return "\(world.routers[router].name) restarts"
        case .report(let router):
            let revision = world.routers[router].table?.revision ?? 0
            return "\(world.routers[router].name) reports revision \(revision)"
        case .person(let person): return "\(person.name): \(command(person.command, nil))"
        case .loseTail: return "a failover loses version \(world.log.version)"
        }
    }

    private static func command(_ command: Command, _ quality: Quality?) -> String {
        switch command {
        case .sealWindow(let window): return "window \(window.k % 1_000), \(quality.map { "\($0)" } ?? "")"
        case .acknowledge(let router, let revision): return "\(router) has revision \(revision)"
        case .plan: return "the plan"
        default: return "\(command)"
        }
    }
}
