package import MigrationCore
import Routing

/// What the gateway decides of one request, by itself: which service it is for, whose it is, and which implementation he has.
package struct RouteDecision {
    private let snapshot: RouteSnapshot
    private let bytes: [UInt8]
    private let path: Range<Int>
    private let fields: FieldTable
    private let client = ClientAddress(nil, isSecure: false)
    private var random = SystemRandomNumberGenerator()

    /// - Parameters:
    ///   - weights: what is in force.
    ///   - request: a head with its empty line.
    /// - Returns: nil for what the gateway would refuse.
    package init?(plan: Plan, weights: [String: Weight], request: String) {
        bytes = Array(request.utf8)
        var fields = FieldTable()
        guard let head = bytes.withUnsafeBytes({ try? RequestHead($0, &fields) }) else { return nil }
        path = head.path
        self.fields = fields
        snapshot = RouteSnapshot(plan: plan, weights: weights)
    }

    /// Decides it once more. Allocates nothing.
    ///
    /// - Returns: nil where no service has the path.
    package mutating func implementation() -> Implementation? {
        bytes.withUnsafeBytes { bytes -> Implementation? in
            guard let entry = snapshot.entry(UnsafeRawBufferPointer(rebasing: bytes[path])) else { return nil }
            let owner = snapshot.owner(fields, bytes, client: client, using: &random)
            return Bucket.implementation(owner.bucket, weight: entry.weight)
        }
    }
}
