import MigrationCore
import Routing

/// Everything that a routing decision needs, immutable; each event loop has its own reference, so a decision takes no lock.
final class RouteSnapshot: Sendable {
    final class Entry: Sendable {
        let index: Int
        let service: Service
        let path: [UInt8]
        let legacy: Address
        let candidate: Address
        let weight: Weight

        init(index: Int, service: Service, legacy: Address, candidate: Address, weight: Weight) {
            self.index = index
            self.service = service
            path = Array(service.path.utf8)
            self.legacy = legacy
            self.candidate = candidate
            self.weight = weight
        }

        func address(_ implementation: Implementation) -> Address {
            switch implementation {
            case .legacy: legacy
            case .candidate: candidate
            }
        }
    }

    /// What stands before a key where its bucket is computed.
    private let prefix: [UInt8]
    private let sticky: [StickyPlace]
    private let entries: [Entry]

    /// - Parameters:
    ///   - plan: the services and where a request's key is.
    ///   - weights: what is in force; a service without one is at legacy.
    init(plan: Plan, weights: [String: Weight]) {
        prefix = Array("\(plan.name):".utf8)
        sticky = plan.stickyBy.map { StickyPlace($0) }
        entries = plan.services.enumerated().compactMap { index, service in
            guard let legacy = Address(service.legacy), let candidate = Address(service.candidate) else { return nil }
            return Entry(
                index: index,
                service: service,
                legacy: legacy,
                candidate: candidate,
                weight: weights[service.name] ?? .zero
            )
        }
    }

    /// By service.
    var weights: [String: Weight] { Dictionary(entries.map { ($0.service.name, $0.weight) }) { first, _ in first } }

    /// The service that has a path; a plan has few, so they are looked through.
    func entry(_ path: UnsafeRawBufferPointer) -> Entry? {
        entries.first { entry in
            entry.path.count == path.count && entry.path.withUnsafeBytes { $0.elementsEqual(path) }
        }
    }

    /// The bucket of a request, and a hash of its key; a request without a key draws its bucket.
    ///
    /// - Parameters:
    ///   - fields: the request's.
    ///   - bytes: its head, in which they are.
    func owner(
        _ fields: FieldTable,
        _ bytes: UnsafeRawBufferPointer,
        client: ClientAddress,
        using random: inout some RandomNumberGenerator
    ) -> (bucket: Int, user: UInt64?) {
        let found = RequestKey.with(sticky, fields, bytes, client: client) { key in
            key.map { (bucket: Bucket.of($0, prefix: prefix), user: XXHash64.hash($0)) }
        }
        if let found { return (found.bucket, found.user) }
        return (Int.random(in: 0..<Bucket.count, using: &random), nil)
    }

    /// The same for a path that another snapshot had.
    func entry(_ path: [UInt8]) -> Entry? { path.withUnsafeBytes { entry($0) } }
}
