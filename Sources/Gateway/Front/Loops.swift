import MigrationCore
import NIOCore
import NIOSSL
import Randomness
import Signals

/// The event loops of a gateway with what belongs to each: its route snapshot and its upstream connections.
final class Loops: Sendable {
    /// How often silent clients and idle connections are looked for.
    private static let sweep = TimeAmount.milliseconds(250)

    private let shadow: ShadowCopier?
    private let states: [(loop: any EventLoop, state: NIOLoopBound<LoopState>)]

    /// Must be called off the loops; each state is made on its own.
    init(
        group: any EventLoopGroup,
        snapshot: RouteSnapshot,
        settings: GatewaySettings,
        tls: NIOSSLContext?,
        accessLog: AccessLog?,
        shadow: ShadowCopier?
    ) async throws {
        self.shadow = shadow
        var states: [(any EventLoop, NIOLoopBound<LoopState>)] = []
        for loop in group.makeIterator() {
            let state = try await loop.submit {
                let pool = UpstreamPool(loop: loop, settings: settings, tls: tls)
                let state = LoopState(snapshot: snapshot, pool: pool, accessLog: accessLog, shadow: shadow)
                let bound = NIOLoopBound(state, eventLoop: loop)
                loop.scheduleRepeatedTask(initialDelay: Self.sweep, delay: Self.sweep) { _ in bound.value.sweep() }
                return bound
            }.get()
            states.append((loop, state))
        }
        self.states = states
        await shadow?.install(snapshot.weights)
    }

    /// The state of the loop that this is called on.
    func state(of loop: any EventLoop) -> LoopState? {
        states.first { $0.loop === loop }?.state.value
    }

    /// Gives every loop the snapshot; when this returns, none uses an older one, and no copy goes to a candidate whose weight is 0.
    func install(_ snapshot: RouteSnapshot) async {
        await withTaskGroup(of: Void.self) { group in
            for (loop, state) in states {
                group.addTask {
                    // A loop that is shut down has no traffic.
                    try? await loop.submit { state.value.snapshot = snapshot }.get()
                }
            }
        }
        await shadow?.install(snapshot.weights)
    }

    /// What all loops know of an upstream.
    struct Condition: Hashable, Sendable {
        var connections = 0
        /// Connections that did not come about, since the gateway began.
        var failures = 0
        /// Loops whose breaker lets nothing through.
        var openBreakers = 0
    }

    /// By address.
    func conditions() async -> [String: Condition] {
        var all: [String: Condition] = [:]
        for (loop, state) in states {
            let found = try? await loop.submit {
                state.value.pool.condition.map { ($0.address.url, $0.connections, $0.failures, $0.isClosed) }
            }.get()
            for (address, connections, failures, isClosed) in found ?? [] {
                all[address, default: Condition()].connections += connections
                all[address, default: Condition()].failures += failures
                if !isClosed { all[address, default: Condition()].openBreakers += 1 }
            }
        }
        return all
    }
}

/// What one event loop keeps for itself.
final class LoopState {
    var snapshot: RouteSnapshot
    let pool: UpstreamPool
    let accessLog: AccessLog?
    let shadow: ShadowCopier?
    /// Random numbers without a call into the system for each: for buckets of requests without a key, and for trace IDs.
    var random = SplitMix(seed: .random(in: .min ... .max))
    /// The clients that are connected.
    var clients: [ObjectIdentifier: FrontHandler] = [:]

    init(snapshot: RouteSnapshot, pool: UpstreamPool, accessLog: AccessLog?, shadow: ShadowCopier?) {
        self.snapshot = snapshot
        self.pool = pool
        self.accessLog = accessLog
        self.shadow = shadow
    }

    func sweep() {
        let now = SystemClock.steady
        for client in clients.values { client.sweep(now) }
        pool.sweep(now)
    }
}
