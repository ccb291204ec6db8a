package import AsyncHTTPClient
import Logging
package import MigrationCore
import NIOCore
import NIOHTTP1
import ServiceLifecycle
package import Signals
import WholeAnswer

/// Asks both implementations of every service five times a window whether they are there: `GET /health` answers 200.
package struct Prober: ServiceLifecycle.Service {
    private static let perWindow: Int64 = 5
    private static let timeout = Duration.seconds(1)

    let plan: Plan
    let meter: Meter
    let client: HTTPClient

    package init(plan: Plan, meter: Meter, client: HTTPClient) {
        self.plan = plan
        self.meter = meter
        self.client = client
    }

    package func run() async throws {
        let pause = Duration.microseconds(max(100_000, plan.window.rawValue / Self.perWindow))
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await probeAll()
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Every address once, however many services stand behind it.
    private func probeAll() async {
        var targets: [String: [(Int, Implementation)]] = [:]
        for (index, service) in plan.services.enumerated() {
            for (text, implementation) in [(service.legacy, Implementation.legacy), (service.candidate, .candidate)] {
                guard let address = Address(text) else { continue }
                targets[address.url, default: []].append((index, implementation))
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for (address, services) in targets {
                group.addTask {
                    let isUp = await isUp(address)
                    // A probe that a stop has cut off has seen nothing.
                    guard !Task.isCancelled else { return }
                    for (index, implementation) in services {
                        meter.probe(service: index, implementation, isUp: isUp, at: SystemClock.now)
                    }
                }
            }
        }
    }

    private func isUp(_ address: String) async -> Bool {
        do {
            let request = HTTPClientRequest(url: address + "/health")
            return try await client.whole(request, within: Self.timeout, longest: 64 * 1024).response.status == .ok
        } catch {
            return false
        }
    }
}
