import AsyncHTTPClient
import Callable
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import PlanFile

/// The services on the stage and where they listen.
struct Cast: Sendable {
    /// A gateway of one migration.
    struct Door: Sendable {
        let name: String
        let environment: String
        let url: String
        let admin: String
    }

    let legacy: String
    let legacyAdmin: String
    let candidate: String
    let candidateAdmin: String
    /// Signs the users' tokens.
    let issuer: DevelopmentIssuer

    /// Starts legacy and candidate, with jobs for so many users.
    ///
    /// - Parameters:
    ///   - hasModel: whether the candidate asks a language model, a stub that invents something in every line.
    ///   - options: more options of legacy.
    static func start(_ stage: Stage, users: Int, hasModel: Bool = false, legacy options: [String] = []) async throws
        -> Cast
    {
        let ports = try FreePort.take(5)
        let database = ["--database", stage.shopConninfo]
        try stage.start("seed", "recommendations", ["seed", "--users", "\(users)"] + database)
        try await wait("the jobs", seconds: 60) { stage.printed("seed").contains("jobs are there") }
        let issuer = try DevelopmentIssuer(
            folder: stage.folder.appendingPathComponent("issuer"),
            project: "demo-recommendations"
        )
        let common = database + ["--token-keys", issuer.certificates.absoluteString, "--set", "calls-per-minute=0"]
        var model: [String] = []
        if hasModel {
            setenv("RECOMMENDATIONS_MODEL_KEY", StubModelServer.key, 1)
            try stage.start("model", "demo", ["model", "--port", "\(ports[3])"])
            try await wait("the model to answer", seconds: 30) { await isUp("http://127.0.0.1:\(ports[3])/health") }
            model = [
                "model=anthropic", "model-address=http://127.0.0.1:\(ports[3])", "model-name=stub-hallucinate",
                "model-requests-per-minute=1000000", "model-tokens-per-minute=1000000000",
            ].flatMap { ["--set", $0] }
        }
        try stage.start(
            "legacy",
            "recommendations",
            ["--implementation", "legacy", "--port", "\(ports[0])", "--admin-port", "\(ports[4])"] + common + options
        )
        try stage.start(
            "candidate",
            "recommendations",
            ["--implementation", "candidate", "--port", "\(ports[1])", "--admin-port", "\(ports[2])"] + common + model
        )
        let cast = Cast(
            legacy: "http://127.0.0.1:\(ports[0])",
            legacyAdmin: "http://127.0.0.1:\(ports[4])",
            candidate: "http://127.0.0.1:\(ports[1])",
            candidateAdmin: "http://127.0.0.1:\(ports[2])",
            issuer: issuer
        )
        for url in [cast.legacy, cast.candidate] {
            try await wait("\(url) to answer", seconds: 30) { await isUp(url + "/health") }
        }
        return cast
    }

    /// The plan with these services' addresses, at another speed and under another name, as a file.
    func plan(_ file: String, name: String, speed: Int64, in folder: URL) throws -> (plan: Plan, file: String) {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw StageError("the plan \(file) cannot be read")
        }
        var plan = try PlanFile.parse(String(decoding: data, as: UTF8.self), file: file).divided(by: speed)
        plan.name = name
        for index in plan.services.indices {
            plan.services[index].legacy = legacy
            plan.services[index].candidate = candidate
        }
        let target = folder.appendingPathComponent("\(name).yaml").path
        try Data(PlanFile.render(plan).utf8).write(to: URL(fileURLWithPath: target))
        return (plan, target)
    }

    /// Starts a migration's gateways: one for each environment, two for the last.
    static func open(_ plan: Plan, _ stage: Stage) async throws -> [Door] {
        let environments = plan.environments + [plan.environments[plan.environments.count - 1]]
        let ports = try FreePort.take(environments.count * 2)
        var doors: [Door] = []
        for (index, environment) in environments.enumerated() {
            let name = "gateway-\(plan.name)-\(index + 1)"
            try stage.start(
                name,
                "migrate",
                [
                    "gateway", "--migration", plan.name, "--environment", environment, "--name", name,
                    "--listen", "127.0.0.1:\(ports[index * 2])", "--admin", "127.0.0.1:\(ports[index * 2 + 1])",
                    "--state", stage.folder.appendingPathComponent("\(name).json").path, "--threads", "1", "--database",
                    stage.conninfo,
                ]
            )
            doors.append(
                Door(
                    name: name,
                    environment: environment,
                    url: "http://127.0.0.1:\(ports[index * 2])",
                    admin: "http://127.0.0.1:\(ports[index * 2 + 1])"
                )
            )
        }
        for door in doors {
            try await wait("\(door.name) to serve", seconds: 30) { await isUp(door.admin + "/health") }
        }
        return doors
    }

    static func isUp(_ url: String) async -> Bool { (try? await get(url)) != nil }

    /// The body of a successful answer.
    static func get(_ url: String) async throws -> Data {
        let response = try await Web.client.execute(HTTPClientRequest(url: url), timeout: .seconds(2))
        guard response.status == .ok else { throw StageError("\(url) answered \(response.status)") }
        return Data(buffer: try await response.body.collect(upTo: 1 << 20))
    }

    /// How many requests have arrived at the candidate, by its own count.
    func candidateRequests() async throws -> Int {
        struct Seen: Decodable { var requests: Int }
        return try JSONDecoder().decode(Seen.self, from: try await Self.get(candidateAdmin + "/requests")).requests
    }

    /// Makes so many thousandths of the candidate's requests fail.
    func setFaults(permille: Int) async throws {
        var request = HTTPClientRequest(url: "\(candidateAdmin)/faults/\(permille)")
        request.method = .PUT
        let response = try await Web.client.execute(request, timeout: .seconds(2))
        guard response.status == .noContent else {
            throw StageError("the candidate's switch answered \(response.status)")
        }
    }
}

/// What a gateway's `GET /routes` says.
struct DoorState: Decodable {
    var candidateRequests: Int64
    var candidateRequestsSinceAcknowledgement: Int64
    var lastCandidateAt: Int64
    var legacyRequests: Int64

    static func of(_ door: Cast.Door) async throws -> DoorState {
        try JSONDecoder().decode(DoorState.self, from: try await Cast.get(door.admin + "/routes"))
    }
}

extension Data {
    init(buffer: ByteBuffer) { self = Data(buffer.readableBytesView) }
}
