import AsyncHTTPClient
import Foundation
import JSON
import LanguageModel
import NIOCore
import NIOHTTP1
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite("The language model")
struct ModelTests {
    private static let request = ModelRequest(
        system: "s",
        prompt: #"{"lines":[{"id":"a","text":"x","draft":"Led “5” teams ä€😀"}]}"#,
        name: "lines",
        schema: ["type": "object"],
        accepts: { $0["lines"]?.array != nil }
    )
    private static let answer: JSONValue = ["lines": [["id": "a", "text": "Led “5” teams ä€😀"]]]

    private static func model(
        _ wire: any ModelWire,
        _ address: String,
        _ name: String,
        key: String? = "stub-key",
        budget: ModelBudget = ModelBudget(requests: 100, tokens: 1_000_000),
        breaker: ModelBreaker = ModelBreaker()
    ) -> HTTPModel {
        HTTPModel(
            wire,
            HTTPModel.Settings(address: address, model: name, key: { key }, budget: budget, breaker: breaker)
        )
    }

    private static let wires: [(name: String, wire: any ModelWire)] = [
        ("anthropic", AnthropicWire()), ("openai", OpenAIWire()),
    ]

    private static func error(_ model: HTTPModel, within: Duration = .seconds(20)) async -> ModelError? {
        do throws(ModelError) {
            _ = try await model.complete(request, deadline: .now + within)
            return nil
        } catch {
            return error
        }
    }

    @Test("both formats: the answer, its pieces, its tokens, retries, and every way to fail")
    func formats() async throws {
        try await withStubModel { address in
            for (name, wire) in Self.wires {
                let pieces = Pieces()
                let reply = try await Self.model(wire, address, "stub").complete(
                    Self.request,
                    deadline: .now + .seconds(20)
                ) { pieces.add($0) }
                #expect(reply.value == Self.answer)
                #expect(reply.usage.input == 112 && reply.usage.cached == 100 && reply.usage.output > 0)
                #expect(pieces.count > 3 && pieces.text == Self.answer.text)
                for series in ["stub-429-2", "stub-529-1", "stub-500-3", "stub-408-1", "stub-409-1"] {
                    #expect(await Self.error(Self.model(wire, address, "\(series)-own-\(name)")) == nil, "\(series)")
                }
                let cases: [(String, ModelError)] = [
                    ("stub-quota", .spendLimit), ("stub-truncated", .truncated), ("stub-refusal", .refused),
                    ("stub-prose", .malformed("the answer is not JSON")),
                    ("stub-400-9-\(name)", .rejected(status: 400, "api_error")),
                    ("stub-503-99-\(name)", .unavailable("it answered 503")),
                    ("stub-429-99-\(name)", .rateLimited),
                ]
                for (model, expected) in cases {
                    #expect(await Self.error(Self.model(wire, address, model)) == expected, "\(model)")
                }
                for model in ["stub-garbage", "stub-cut"] {
                    guard case .malformed? = await Self.error(Self.model(wire, address, model)) else {
                        Issue.record("\(name) \(model)")
                        continue
                    }
                }
                #expect(await Self.error(Self.model(wire, address, "stub", key: "other")) == .unauthorized)
                #expect(await Self.error(Self.model(wire, address, "stub", key: nil)) == .unauthorized)
            }
        }
    }

    @Test("one deadline holds over all tries, a stall included")
    func deadline() async throws {
        try await withStubModel { address in
            for (name, wire) in Self.wires {
                for model in ["stub-stall", "stub-503-999-\(name)-deadline"] {
                    let started = ContinuousClock.now
                    let error = await Self.error(Self.model(wire, address, model), within: .milliseconds(600))
                    #expect(error == .deadline || error == .unavailable("it answered 503"))
                    // A stall is two minutes.
                    #expect(ContinuousClock.now - started < .seconds(30), "\(model)")
                }
            }
        }
        let nobody = Self.model(AnthropicWire(), "http://127.0.0.1:\(try freePort())", "stub")
        // The HTTP client goes on trying to connect for as long as there is time.
        let none = await Self.error(nobody, within: .seconds(2))
        #expect(none == .unavailable("no connection") || none == .deadline)
    }

    @Test("the breaker opens after failures in a row, lets one try after a pause, and a success forgets them")
    func breaker() async throws {
        try await withStubModel { address in
            let clock = HandClock()
            let breaker = ModelBreaker(limit: 2, pause: .seconds(10), now: { clock.now })
            func ask(_ name: String) async -> ModelError? {
                await Self.error(Self.model(OpenAIWire(), address, name, breaker: breaker))
            }
            #expect(await ask("stub-garbage") != nil)
            #expect(await ask("stub") == nil)
            #expect(await ask("stub-garbage") != nil)
            #expect(!breaker.isOpen)
            #expect(await ask("stub-garbage") != nil)
            #expect(breaker.isOpen)
            #expect(await ask("stub") == .breakerOpen)
            clock.advance(.seconds(11))
            #expect(await ask("stub-garbage") != nil)
            #expect(await ask("stub") == .breakerOpen)
            clock.advance(.seconds(11))
            #expect(await ask("stub") == nil)
            #expect(!breaker.isOpen)
            // A model that does not keep to the schema is none.
            for _ in 0..<2 {
                #expect(
                    await ask("stub-shapeless") == .malformed("the reply is not of the schema that was asked for")
                )
            }
            #expect(breaker.isOpen && breaker.lastOutcome == "malformed")
            clock.advance(.seconds(11))
            #expect(await ask("stub") == nil)
            // What is wrong with a request says nothing of the model.
            for _ in 0..<5 { #expect(await ask("stub-truncated") == .truncated) }
            #expect(!breaker.isOpen)
        }
    }

    @Test("a minute's requests and tokens are a budget, and what was not used comes back")
    func budget() async throws {
        try await withStubModel { address in
            let clock = HandClock()
            func model(_ budget: ModelBudget) -> HTTPModel {
                Self.model(AnthropicWire(), address, "stub", budget: budget)
            }
            let requests = model(ModelBudget(requests: 2, tokens: 1_000_000, now: { clock.now }))
            #expect(await Self.error(requests) == nil)
            #expect(await Self.error(requests) == nil)
            #expect(await Self.error(requests) == .budget)
            clock.advance(.seconds(61))
            #expect(await Self.error(requests) == nil)
            // One is thought to take a bit over 4,096 tokens, and takes less than 200.
            let tokens = model(ModelBudget(requests: 100, tokens: 4_200, now: { clock.now }))
            #expect(await Self.error(tokens) == nil)
            #expect(await Self.error(tokens) == .budget)
            clock.advance(.seconds(61))
            #expect(await Self.error(tokens) == nil)
            #expect(await Self.error(model(ModelBudget(requests: 9, tokens: 4_000))) == .budget)
        }
    }

    @Test("the official clients understand the stub as this client does")
    func officialClients() async throws {
        try await withStubModel { address in
            let port = address.split(separator: ":").last.map(String.init) ?? ""
            let lines = try await TestPeers.output("models.py", [port]).split(separator: "\n")
            var told: [String: JSONValue] = [:]
            for line in lines {
                let value = try JSONValue(parsing: String(line))
                told[value[0]?.string ?? ""] = .array(Array((value.array ?? []).dropFirst()))
            }
            for (name, stop, short, refused) in [
                ("anthropic", "end_turn", "max_tokens", "refusal"), ("openai", "stop", "length", "content_filter"),
            ] {
                // Nothing is kept of a prompt's beginning unless that is asked for.
                for (form, cached) in [
                    ("whole", 0), ("stream", 0), ("retried", 0), ("overloaded", 0), ("structured", 100),
                ] {
                    let whole: JSONValue = ["ok", [.string(Self.answer.text), .string(stop), .int(cached)]]
                    #expect(told["\(name) \(form)"] == whole, "\(name) \(form)")
                }
                #expect(told["\(name) truncated"]?[1]?[1] == .string(short))
                #expect(told["\(name) refusal"]?[1]?[1] == .string(refused))
                #expect(told["\(name) key"] == ["AuthenticationError", 401])
                #expect(told["\(name) given up"]?[1] == 503)
                #expect(told["\(name) shapeless"] == ["BadRequestError", 400])
            }
            #expect(told["anthropic quota"]?[1] == 400)
            #expect(told["openai quota"] == ["RateLimitError", 429])
        }
    }
}

extension ModelTests {
    @Test("numbers of tokens that nobody can have counted are a malformed answer")
    func tokens() {
        let events: [(any ModelWire, JSONValue)] = [
            (
                AnthropicWire(),
                [
                    "type": "message_start",
                    "message": ["usage": ["input_tokens": .int(.max), "cache_read_input_tokens": 1]],
                ]
            ),
            (AnthropicWire(), ["type": "message_delta", "usage": ["output_tokens": -1]]),
            (OpenAIWire(), ["choices": [], "usage": ["prompt_tokens": .int(.max), "completion_tokens": .int(.max)]]),
        ]
        for (wire, value) in events {
            var collector = wire.collector()
            #expect(throws: ModelError.self) { try collector.take(ServerSentEvent(name: "m", data: value.text)) }
        }
    }

    @Test("what this sends has only fields that the official clients have, and asks for its form where they do")
    func fields() async throws {
        try await withStubModel { address in
            for (path, wire) in [
                ("/v1/messages", AnthropicWire() as any ModelWire), ("/v1/chat/completions", OpenAIWire()),
            ] {
                let request = ModelRequest(system: "s", prompt: "{}", name: "lines", schema: ["type": "object"])
                guard case .object(let sound) = wire.body(request, model: "stub") else {
                    Issue.record("a request is an object")
                    continue
                }
                var misspelt = sound, shapeless = sound
                misspelt["output_confg"] = [:]
                let place = sound["output_config"] == nil ? "response_format" : "output_config"
                shapeless[place] = ["type": "json_schema"]
                for (body, status) in [(sound, 200), (misspelt, 400), (shapeless, 400)] {
                    var call = HTTPClientRequest(url: address + path)
                    call.method = .POST
                    for (name, value) in wire.fields(key: "stub-key") { call.headers.add(name: name, value: value) }
                    call.body = .bytes(JSONValue.object(body).bytes)
                    let response = try await HTTPClient.shared.execute(call, timeout: .seconds(5))
                    _ = try await response.body.collect(upTo: 1 << 20)
                    #expect(Int(response.status.code) == status, "\(path)")
                }
            }
        }
    }
}

/// An answer piece by piece.
final class Pieces: Sendable {
    private let all = Mutex<[String]>([])
    func add(_ piece: String) { all.withLock { $0.append(piece) } }
    var count: Int { all.withLock { $0.count } }
    var text: String { all.withLock { $0.joined() } }
}
