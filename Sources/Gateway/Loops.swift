import MigrationCore
import NIOCore

/// The event loops of a gateway with what belongs to each: its route snapshot and its upstream connections.
final class Loops: Sendable {
    private let states: [(loop: any EventLoop, state: NIOLoopBound<LoopState>)]

    /// Must be called off the loops; each state is made on its own.
    init(group: any EventLoopGroup, snapshot: RouteSnapshot, settings: GatewaySettings) async throws {
        var states: [(any EventLoop, NIOLoopBound<LoopState>)] = []
        for loop in group.makeIterator() {
            let state = try await loop.submit {
                NIOLoopBound(
                    LoopState(snapshot: snapshot, pool: UpstreamPool(loop: loop, settings: settings)),
                    eventLoop: loop
                )
            }.get()
            states.append((loop, state))
        }
        self.states = states
    }

    /// The state of the loop that this is called on.
    func state(of loop: any EventLoop) -> LoopState? {
        states.first { $0.loop === loop }?.state.value
    }

    /// Gives every loop the snapshot; when this returns, none uses an older one.
    func install(_ snapshot: RouteSnapshot) async {
        await withTaskGroup(of: Void.self) { group in
            for (loop, state) in states {
                group.addTask {
                    // A loop that is shut down has no traffic.
                    try? await loop.submit { state.value.snapshot = snapshot }.get()
                }
            }
        }
    }
}

/// What one event loop keeps for itself.
final class LoopState {
    var snapshot: RouteSnapshot
    let pool: UpstreamPool

    init(snapshot: RouteSnapshot, pool: UpstreamPool) {
        self.snapshot = snapshot
        self.pool = pool
    }
}
