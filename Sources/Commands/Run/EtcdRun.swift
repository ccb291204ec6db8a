import ArgumentParser
import DataPlanes
import Foundation

/// Which etcd, and where in it.
struct EtcdOptions: ParsableArguments {
    @Option(help: "Where etcd takes its clients.") var endpoint = "http://127.0.0.1:2379"
    @Option(help: "What all keys begin with.") var prefix = "/migrate"
    @OptionGroup var log: LoggedPlaneOptions

    func validate() throws {
        guard let url = URL(string: endpoint), ["http", "https"].contains(url.scheme), url.host != nil,
            url.path.isEmpty
        else { throw ValidationError("--endpoint is http://HOST:PORT or https://HOST:PORT, and is “\(endpoint)”") }
        guard !prefix.isEmpty, !prefix.hasSuffix("/") else {
            throw ValidationError("--prefix is the beginning of a key, such as /migrate, without a slash at its end")
        }
    }

    func keys(_ migration: String, _ environment: String) -> EtcdKeys {
        EtcdKeys(prefix: prefix, migration: migration, environment: environment)
    }
}

struct EtcdRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "etcd",
        abstract: "Has services that resolve their peers themselves follow the log, by a key in etcd.",
        discussion: """
            The services carry the requests; this writes who goes where into one key, only over what it has read, waits until every resolver that has a
            lease says that it decides by it, and measures what resolvers tell of their requests by UDP on this host. A resolver that has lost its lease
            serves legacy.

            Example:
              migrate route config etcd examples/recommendations.yaml --environment production --folder /var/lib/migrate/etcd
              migrate etcd --migration recommendations --environment production --folder /var/lib/migrate/etcd
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(help: "A name of its own among the migration's routers, which no other process has; else etcd-ENVIRONMENT.")
    var name: String?
    @Option(help: "Whose reads and writes etcd sees; else nobody's.") var user: String?
    @Option(help: "The file with the user's password; read anew with every sign-in.") var passwordFile: String?
    @OptionGroup var etcd: EtcdOptions
    @OptionGroup var follower: FollowerOptions

    func validate() throws {
        if (user == nil) != (passwordFile == nil) { throw ValidationError("--user and --password-file go together") }
    }

    /// Whom etcd is to know.
    ///
    /// - Throws: a ``Failure`` where the password cannot be read.
    private func account() throws -> EtcdAccount? {
        guard let user, let passwordFile else { return nil }
        let read: @Sendable () throws -> String = {
            try TextFile.read(passwordFile, "password").trimmingCharacters(in: .newlines)
        }
        _ = try read()
        return EtcdAccount(user: user, password: read)
    }

    func run() async throws {
        let plane = EtcdPlane(
            folder: EtcdFolder(etcd.log.folder),
            endpoint: etcd.endpoint,
            account: try account(),
            keys: etcd.keys(migration, environment),
            logPort: etcd.log.logPort
        )
        try await PlaneRun(migration: migration, environment: environment, options: follower).run(
            plane,
            name: name ?? "etcd-\(environment)"
        )
    }
}
