import MigrationCore
import TestSupport
import Testing

@Suite("Who may, by the keys of a log")
struct TrustTests {
    private static func key(_ id: String) -> PublicKey { PublicKey(id: id, text: id) }

    private func trust(_ commands: [TrustCommand], signer: String? = "k") throws -> TrustState {
        try commands.reduce(TrustState()) { state, command in
            state.folding(try state.decide(command, by: "kim", signer: state.isGoverned ? signer : nil))
        }
    }

    private static let first: [TrustCommand] = [
        .addKey(owner: "kim", key: key("k"), roles: [.keys], reason: "first"),
        .addKey(owner: "ana", key: key("a"), roles: [.operate], reason: "first"),
        .addKey(owner: "ben", key: key("b"), roles: [.approve], reason: "first"),
    ]

    @Test("the first key is taken on trust; from then on only one with the role keys changes them")
    func governed() throws {
        let state = try trust(Self.first)
        #expect(state.keys.map(\.owner) == ["kim", "ana", "ben"])
        let more = TrustCommand.addKey(owner: "eve", key: Self.key("e"), roles: [.operate], reason: "x")
        for (actor, signer) in [("kim", nil), ("ana", "a"), ("eve", "e"), ("ana", "k")] as [(String, String?)] {
            #expect(throws: Refusal.self, "\(actor)") { try state.decide(more, by: actor, signer: signer) }
        }
        #expect(try state.decide(more, by: "kim", signer: "k").count == 1)
        #expect(throws: Refusal.self) { try state.decide(more, by: "worker:w", signer: "k") }
    }

    @Test(
        "what makes no sense is refused",
        arguments: [
            .addKey(owner: "x", key: key("a"), roles: [.operate], reason: "known already"),
            .addKey(owner: "x", key: key("n"), roles: [], reason: "without a role"),
            .addKey(owner: "worker:w", key: key("n"), roles: [.operate], reason: "a worker's"),
            .revokeKey(id: "n", reason: "unknown"), .revokeKey(id: "k", reason: "the last that may"),
            .rotateKey(from: "a", to: key("b"), reason: "to a known one"),
        ] as [TrustCommand]
    )
    func refused(_ command: TrustCommand) throws {
        let state = try trust(Self.first)
        #expect(throws: Refusal.self) { try state.decide(command, by: "kim", signer: "k") }
    }

    @Test("signatures cannot be required where nobody could give one")
    func nobody() throws {
        let require = TrustCommand.requireSignatures(isRequired: true, reason: "x")
        #expect(throws: Refusal.self) { try trust([Self.first[0], require]) }
        #expect(try trust(Self.first + [require]).isSignatureRequired)
        #expect(try trust(Self.first + [require]).decide(require, by: "kim", signer: "k").isEmpty)
    }

    @Test("a key's owner may put another in its place; the old one is no longer taken")
    func rotated() throws {
        let state = try trust(Self.first)
        let rotate = TrustCommand.rotateKey(from: "a", to: Self.key("a2"), reason: "a year")
        #expect(throws: Refusal.self) { try state.decide(rotate, by: "ben", signer: "b") }
        let next = state.folding(try state.decide(rotate, by: "ana", signer: "a"))
        #expect(next.key("a")?.revokedAt == 4)
        #expect(next.key("a2")?.roles == [.operate])
        let halt = Command.halt(reason: "x")
        #expect(next.forbids(halt, by: "ana", signer: "a")?.code == .unsigned)
        #expect(next.forbids(halt, by: "ana", signer: "a2") == nil)
    }

    @Test("roles: everybody with a key stops and takes back, operators move, approvers open gates")
    func roles() throws {
        let state = try trust(Self.first + [.requireSignatures(isRequired: true, reason: "x")])
        let weight = Command.setWeight(weight: .all, service: nil, environment: nil, reason: "x")
        let approve = Command.approve(stage: "s", step: .all, reason: nil)
        let cases: [(Command, ana: Bool, ben: Bool)] = [
            (.halt(reason: "x"), true, true), (.rollBack(reason: "x"), true, true), (.abandon(reason: "x"), true, true),
            (.setFlag(service: nil, enabled: false, reason: "x"), true, true),
            (.setFlag(service: nil, enabled: true, reason: "x"), true, false), (weight, true, false),
            (.resume(reason: "x"), true, false), (.declareRewound(reason: "x"), true, false),
            (.skip(stage: "s", step: .all, reason: "x"), true, false), (approve, false, true),
            (.reportCheck(check: "c", isPassed: true, detail: ""), false, true),
        ]
        for (command, ana, ben) in cases {
            #expect((state.forbids(command, by: "ana", signer: "a") == nil) == ana, "\(command)")
            #expect((state.forbids(command, by: "ben", signer: "b") == nil) == ben, "\(command)")
            #expect(state.forbids(command, by: "ana", signer: nil)?.code == .unsigned)
            #expect(state.forbids(command, by: "eve", signer: "a")?.code == .unsigned)
            #expect(state.forbids(command, by: "eve", signer: "e")?.code == .unsigned)
        }
        // What a worker sees is not signed; and where nothing has to be, nobody is asked.
        #expect(state.forbids(.tick, by: "worker:w", signer: nil) == nil)
        #expect(try trust(Self.first).forbids(weight, by: "eve", signer: nil) == nil)
    }
}
