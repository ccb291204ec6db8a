import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes keys, and says which ones the log takes: whose, and what for.",
        discussion: """
            Once a key has the role keys, only what is signed by such a key changes them; once signatures are required, only signed overrides
            are carried out. All of it is in the log, and replayed with it.

            Examples:
              migrate keys generate ana.pem
              migrate keys add --owner ana --role keys --role operate --file ana.pem --reason "first on call"
              migrate keys require on --key ana.pem --reason "production"
              migrate halt recommendations --actor ana --key ana.pem --reason "a careful look"
            """,
        subcommands: [
            KeysList.self, KeysGenerate.self, KeysAdd.self, KeysRotate.self, KeysRevoke.self, KeysRequire.self,
        ],
        defaultSubcommand: KeysList.self
    )
}

extension Role: ExpressibleByArgument {}

/// A public key on the command line, in base64 or from the file of the private one.
struct PublicKeyOptions: ParsableArguments {
    @Option(help: "The public key: 32 bytes in base64.") var publicKey: String?
    @Option(help: "The file of the private key, from which the public one is taken.") var file: String?

    func validate() throws {
        if (publicKey == nil) == (file == nil) { throw ValidationError("give --public-key or --file") }
    }

    func key() throws -> PublicKey {
        if let file { return try KeyFile.read(file).publicKey }
        guard let key = publicKey.flatMap({ PublicKey(base64: $0) }) else {
            throw Failure(.usage, "--public-key is 32 bytes in base64", mend: "migrate keys generate prints it")
        }
        return key
    }
}

/// Who changes the keys, and with which.
struct TrustOptions: ParsableArguments {
    @Option(help: "Who gives the command; else the system's user.") var actor: String?
    @Option(help: "The file of the key that it is signed with; else MIGRATE_KEY.") var key: String?
    @Option(help: "Why.") var reason: String
    @OptionGroup var database: DatabaseOptions

    func perform(_ command: TrustCommand) async throws {
        let access = try await LogAccess(database)
        let key = try (key ?? ProcessEnvironment.key).map(KeyFile.read)
        let state = try await access.log.perform(command, by: actor ?? NSUserName(), key: key)
        Output.line(state == nil ? "nothing to change" : "keys version \(state?.version ?? 0)")
        for line in KeysList.lines(try await access.log.trustHistory().latest) { Output.line("  " + line) }
    }
}

struct KeysList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "The keys that the log takes, and those that it took."
    )
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let state = try await LogAccess(database).log.trustHistory().latest
        switch format.format {
        case .json: try Output.json(state)
        case .text: for line in Self.lines(state) { Output.line(line) }
        }
    }

    static func lines(_ state: TrustState) -> [String] {
        guard state.version > 0 else { return ["the log has no keys: overrides are not signed"] }
        var table = TextTable([.left, .left, .left, .left, .left])
        for key in state.keys {
            let end = key.revokedAt.map { "revoked at version \($0)" } ?? ""
            table.add(
                key.key.id,
                key.owner,
                key.roles.map(\.rawValue).joined(separator: ", "),
                key.key.text,
                end
            )
        }
        let required = state.isSignatureRequired ? "overrides have to be signed" : "overrides may be unsigned"
        return table.lines() + [required]
    }
}

struct KeysGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Makes an Ed25519 key in a file that only you can read, and prints its public half."
    )
    @Argument(help: "The file; one that is there is left as it is.") var file: String

    func run() throws {
        let key = SigningKey()
        try KeyFile.write(key, to: file)
        Output.line("key \(key.publicKey.id)")
        Output.line("public key: \(key.publicKey.text)")
        if let verifier = Checkpoint.verifierKey(key.publicKey) { Output.line("verifier key: \(verifier)") }
    }
}

struct KeysAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Has the log take a key.")
    @Option(help: "Whose it is: the actor of what it signs.") var owner: String
    @Option(help: "What for: operate, approve, keys, checkpoint; may be given more than once.") var role: [Role]
    @OptionGroup var publicKey: PublicKeyOptions
    @OptionGroup var options: TrustOptions

    func validate() throws {
        if role.isEmpty { throw ValidationError("a key has at least one --role") }
    }

    func run() async throws {
        try await options.perform(
            .addKey(owner: owner, key: publicKey.key(), roles: role, reason: options.reason)
        )
    }
}

struct KeysRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Puts another key in the place of one; its owner may, and whoever has the role keys."
    )
    @Argument(help: "The ID of the key that is no longer taken.") var id: String
    @OptionGroup var publicKey: PublicKeyOptions
    @OptionGroup var options: TrustOptions

    func run() async throws {
        try await options.perform(.rotateKey(from: id, to: publicKey.key(), reason: options.reason))
    }
}

struct KeysRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Has the log no longer take a key; what it signed before stays valid."
    )
    @Argument(help: "The key's ID.") var id: String
    @OptionGroup var options: TrustOptions

    func run() async throws { try await options.perform(.revokeKey(id: id, reason: options.reason)) }
}

struct KeysRequire: AsyncParsableCommand {
    enum State: String, ExpressibleByArgument, CaseIterable { case on, off }

    static let configuration = CommandConfiguration(
        commandName: "require",
        abstract: "Says whether overrides have to be signed."
    )
    @Argument(help: "on or off.") var state: State
    @OptionGroup var options: TrustOptions

    func run() async throws {
        try await options.perform(.requireSignatures(isRequired: state == .on, reason: options.reason))
    }
}
