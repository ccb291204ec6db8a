import ArgumentParser
import HTTPTypes
import Hummingbird
import JSON
import NIOCore
import Synchronization

/// A language model that is none: it speaks Anthropic's Messages and OpenAI's chat completions, errors and stalls included.
struct StubModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Serves a stub of a language model, for tests and the demonstration; its key is “stub-key”."
    )
    @Option(help: "The port to listen on.") var port: Int

    func run() async throws { try await StubModelServer(port: port).application().runService() }
}

struct StubModelServer {
    static let key = "stub-key"

    let port: Int
    private let series = Series()

    init(port: Int) { self.port = port }

    /// How often each series has failed.
    private final class Series: Sendable {
        private let counts = Mutex<[String: Int]>([:])
        func next(_ name: String) -> Int {
            counts.withLock { counts in
                counts[name, default: 0] += 1
                return counts[name] ?? 0
            }
        }
    }

    func application() -> some ApplicationProtocol {
        let router = Router()
        router.get("health") { _, _ in "ok\n" }
        router.post("v1/messages") { request, _ in try await answer(request, AnthropicShape()) }
        router.post("v1/chat/completions") { request, _ in try await answer(request, OpenAIShape()) }
        return Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)))
    }

    private func answer(_ request: Request, _ shape: any StubShape) async throws -> Response {
        let body = try await request.body.collect(upTo: 4 << 20)
        guard let value = try? JSONValue(parsing: body.readableBytesView), let model = value["model"]?.string else {
            return plain(.badRequest, shape.error("invalid_request_error", "the body is not a request"))
        }
        guard shape.key(request.headers) == Self.key else {
            return plain(.unauthorized, shape.error("authentication_error", "the key is not known"))
        }
        // As the real ones refuse it: what is misspelt would be left out without a word.
        if let fault = shape.fault(in: value) {
            return plain(.badRequest, shape.error("invalid_request_error", fault))
        }
        let behaviour = StubBehaviour(model: model)
        if behaviour == .quota {
            return plain(
                .init(code: shape.quota.status),
                shape.error(shape.quota.type, "the account may spend no more", code: shape.quota.code)
            )
        }
        if case .failing(let status, let times) = behaviour, series.next(model) <= times {
            var response = plain(
                .init(code: status),
                shape.error(status == 529 ? "overloaded_error" : "api_error", "as asked")
            )
            if let field = HTTPField.Name("retry-after-ms") { response.headers[field] = "20" }
            return response
        }
        let text = StubAnswer.text(behaviour, prompt: shape.prompt(value))
        let stop = shape.stop(behaviour), cached = shape.asksForCache(value) ? 100 : 0
        guard value["stream"]?.bool ?? false else { return plain(.ok, shape.whole(model, text, stop, cached: cached)) }
        return stream(shape.events(model, StubAnswer.pieces(text), stop, cached: cached), behaviour)
    }

    private func plain(_ status: HTTPResponse.Status, _ body: JSONValue) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body.bytes))
        )
    }

    private func stream(_ events: [(name: String?, data: String)], _ behaviour: StubBehaviour) -> Response {
        let body = ResponseBody { writer in
            if behaviour == .garbage {
                try await writer.write(ByteBuffer(bytes: Array("data: {\"type\":\n\n".utf8) + [0xFF, 0x0A, 0x0A]))
                return try await writer.finish(nil)
            }
            for (index, event) in events.enumerated() {
                let name = event.name.map { "event: \($0)\n" } ?? ""
                if index == events.count / 2 {
                    if behaviour == .cut {
                        try await writer.write(ByteBuffer(string: "\(name)data: \(event.data.prefix(10))"))
                        return try await writer.finish(nil)
                    }
                    if behaviour == .stall { try await Task.sleep(for: .seconds(120)) }
                }
                try await writer.write(ByteBuffer(string: "\(name)data: \(event.data)\n\n"))
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8"], body: body)
    }
}

/// How one of the two formats has it.
private protocol StubShape: Sendable {
    var quota: (status: Int, type: String, code: String?) { get }
    func key(_ fields: HTTPFields) -> String?
    func prompt(_ request: JSONValue) -> String
    /// The names of what a request may have.
    var fields: Set<String> { get }
    /// Where a request says in which form it wants the answer: its place, and what stands there.
    func format(_ request: JSONValue) -> (place: String, type: JSONValue?, schema: JSONValue?)?
    func stop(_ behaviour: StubBehaviour) -> String
    /// Whether the beginning of the prompt is to be kept for the next request.
    func asksForCache(_ request: JSONValue) -> Bool
    func error(_ type: String, _ message: String, code: String?) -> JSONValue
    func whole(_ model: String, _ text: String, _ stop: String, cached: Int) -> JSONValue
    func events(_ model: String, _ pieces: [String], _ stop: String, cached: Int) -> [(name: String?, data: String)]
}

extension StubShape {
    /// What is wrong with a request; nil where nothing is.
    func fault(in request: JSONValue) -> String? {
        for name in (request.object ?? [:]).keys.sorted() where !fields.contains(name) {
            return "\(name): extra inputs are not permitted"
        }
        guard let (place, type, schema) = format(request) else { return nil }
        guard type == "json_schema" else { return "\(place).type: must be json_schema" }
        guard schema?["type"]?.string != nil else { return "\(place).schema: must be a schema" }
        return nil
    }

    func error(_ type: String, _ message: String) -> JSONValue { error(type, message, code: nil) }
}

private struct AnthropicShape: StubShape {
    let quota: (status: Int, type: String, code: String?) = (400, "billing_error", nil)
    let fields: Set<String> = [
        "max_tokens", "messages", "model", "cache_control", "container", "metadata", "output_config", "service_tier",
        "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    ]

    func format(_ request: JSONValue) -> (place: String, type: JSONValue?, schema: JSONValue?)? {
        request["output_config"].map { ("output_config.format", $0["format"]?["type"], $0["format"]?["schema"]) }
    }

    func key(_ fields: HTTPFields) -> String? {
        guard HTTPField.Name("anthropic-version").flatMap({ fields[$0] }) != nil else { return nil }
        // Either way of giving the key is taken: the documented field, and the official client's.
        let bearer = fields[.authorization].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        return HTTPField.Name("x-api-key").flatMap { fields[$0] } ?? bearer
    }

    func asksForCache(_ request: JSONValue) -> Bool {
        request["system"]?[0]?["cache_control"]?["type"] == "ephemeral"
    }

    func prompt(_ request: JSONValue) -> String { request["messages"]?[0]?["content"]?.string ?? "" }

    func stop(_ behaviour: StubBehaviour) -> String {
        switch behaviour {
        case .truncated: "max_tokens"
        case .refusal: "refusal"
        default: "end_turn"
        }
    }

    func error(_ type: String, _ message: String, code: String?) -> JSONValue {
        ["type": "error", "error": ["type": .string(type), "message": .string(message)], "request_id": "req_stub"]
    }

    private func message(_ model: String, _ content: JSONValue, _ stop: JSONValue, output: Int, cached: Int)
        -> JSONValue
    {
        [
            "id": "msg_stub", "type": "message", "role": "assistant", "model": .string(model), "content": content,
            "stop_reason": stop, "stop_sequence": .null,
            "usage": [
                "input_tokens": .int(112 - cached), "output_tokens": .int(output),
                "cache_read_input_tokens": .int(cached), "cache_creation_input_tokens": 0,
            ],
        ]
    }

    func whole(_ model: String, _ text: String, _ stop: String, cached: Int) -> JSONValue {
        message(
            model,
            [["type": "text", "text": .string(text)]],
            .string(stop),
            output: text.utf8.count / 4,
            cached: cached
        )
    }

    func events(_ model: String, _ pieces: [String], _ stop: String, cached: Int) -> [(name: String?, data: String)] {
        var events: [JSONValue] = [
            ["type": "message_start", "message": message(model, [], .null, output: 1, cached: cached)],
            ["type": "content_block_start", "index": 0, "content_block": ["type": "text", "text": ""]],
            ["type": "ping"],
        ]
        events += pieces.map {
            ["type": "content_block_delta", "index": 0, "delta": ["type": "text_delta", "text": .string($0)]]
        }
        events += [
            ["type": "content_block_stop", "index": 0],
            [
                "type": "message_delta", "delta": ["stop_reason": .string(stop), "stop_sequence": .null],
                "usage": ["output_tokens": .int(pieces.count * 3)],
            ],
            ["type": "message_stop"],
        ]
        return events.map { ($0["type"]?.string, $0.text) }
    }
}

private struct OpenAIShape: StubShape {
    let quota: (status: Int, type: String, code: String?) = (429, "insufficient_quota", "insufficient_quota")
    let fields: Set<String> = [
        "messages", "model", "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
        "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
        "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
        "verbosity",
    ]

    func format(_ request: JSONValue) -> (place: String, type: JSONValue?, schema: JSONValue?)? {
        request["response_format"].map {
            (
                "response_format.json_schema", $0["type"],
                $0["json_schema"]?["name"] == nil ? nil : $0["json_schema"]?["schema"]
            )
        }
    }

    func key(_ fields: HTTPFields) -> String? {
        fields[.authorization].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
    }

    func asksForCache(_ request: JSONValue) -> Bool { request["prompt_cache_key"]?.string != nil }

    func prompt(_ request: JSONValue) -> String { request["messages"]?.array?.last?["content"]?.string ?? "" }

    func stop(_ behaviour: StubBehaviour) -> String {
        switch behaviour {
        case .truncated: "length"
        case .refusal: "content_filter"
        default: "stop"
        }
    }

    func error(_ type: String, _ message: String, code: String?) -> JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": .null,
                "code": code.map { .string($0) } ?? .null,
            ]
        ]
    }

    private func usage(_ output: Int, _ cached: Int) -> JSONValue {
        [
            "prompt_tokens": 112, "completion_tokens": .int(output), "total_tokens": .int(112 + output),
            "prompt_tokens_details": ["cached_tokens": .int(cached)],
        ]
    }

    func whole(_ model: String, _ text: String, _ stop: String, cached: Int) -> JSONValue {
        [
            "id": "chatcmpl-stub", "object": "chat.completion", "created": 1_700_000_000, "model": .string(model),
            "choices": [
                [
                    "index": 0, "finish_reason": .string(stop), "logprobs": .null,
                    "message": ["role": "assistant", "content": .string(text), "refusal": .null],
                ]
            ],
            "usage": usage(text.utf8.count / 4, cached),
        ]
    }

    func events(_ model: String, _ pieces: [String], _ stop: String, cached: Int) -> [(name: String?, data: String)] {
        func chunk(_ choices: JSONValue, _ usage: JSONValue) -> (name: String?, data: String) {
            let value: JSONValue = [
                "id": "chatcmpl-stub", "object": "chat.completion.chunk", "created": 1_700_000_000,
                "model": .string(model), "choices": choices, "usage": usage,
            ]
            return (nil, value.text)
        }
        func choice(_ delta: JSONValue, _ stop: JSONValue) -> JSONValue {
            [["index": 0, "delta": delta, "finish_reason": stop, "logprobs": .null]]
        }
        return [chunk(choice(["role": "assistant", "content": ""], .null), .null)]
            + pieces.map { chunk(choice(["content": .string($0)], .null), .null) }
            + [chunk(choice([:], .string(stop)), .null), chunk([], usage(pieces.count * 3, cached)), (nil, "[DONE]")]
    }
}
