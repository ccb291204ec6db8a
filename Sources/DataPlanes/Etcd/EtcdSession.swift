import Synchronization

/// A user of an etcd that asks who is there.
package struct EtcdAccount: Sendable {
    let user: String
    let password: @Sendable () throws -> String

    /// - Parameter password: is asked for whenever a token is fetched, so that another one is taken as it comes.
    package init(user: String, password: @escaping @Sendable () throws -> String) {
        self.user = user
        self.password = password
    }
}

/// The token that an etcd has given for an account, until it is none any more.
final class EtcdSession: Sendable {
    let account: EtcdAccount
    private let kept = Mutex<String?>(nil)

    init(_ account: EtcdAccount) { self.account = account }

    var token: String? { kept.withLock { $0 } }

    func keep(_ token: String) { kept.withLock { $0 = token } }

    /// Gives up a token that was refused; another one that has been fetched meanwhile stays.
    func forget(_ token: String) { kept.withLock { if $0 == token { $0 = nil } } }
}
