/// Where in etcd a migration's route in one environment is, and who resolves by it.
package struct EtcdKeys: Hashable, Sendable {
    /// The route in force (``RouteText``); none is legacy.
    package let route: String
    /// A key for each resolver, by its name: whose route it has for every decision from now on.
    package let resolvers: String

    /// - Parameter prefix: what all keys of this product begin with.
    package init(prefix: String, migration: String, environment: String) {
        let place = "\(prefix)/\(migration)/\(environment)"
        route = "\(place)/route"
        resolvers = "\(place)/resolvers/"
    }
}
