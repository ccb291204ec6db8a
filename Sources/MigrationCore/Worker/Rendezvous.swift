/// Highest-random-weight hashing (Thaler and Ravishankar, 1998): every worker works out alone who has which migration, and a worker
/// that comes or goes moves only its own.
package enum Rendezvous {
    /// - Parameters:
    ///   - key: the migration's name.
    ///   - workers: the names of the live workers, in any order.
    /// - Returns: the owner's name, or nil when nobody lives.
    package static func owner(of key: String, among workers: [String]) -> String? {
        workers.map { (XXHash64.hash("\($0)/\(key)"), $0) }.max { $0 < $1 }?.1
    }
}
