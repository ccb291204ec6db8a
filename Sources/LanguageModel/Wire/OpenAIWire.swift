package import JSON

/// Chat completions, as OpenAI has them and others after it.
///
/// Source: `https://platform.openai.com/docs/api-reference/chat`, `…/chat-streaming`, `…/docs/guides/structured-outputs`.
package struct OpenAIWire: ModelWire {
    package let path = "/v1/chat/completions"

    package init() {}

    package func fields(key: String) -> [(String, String)] { [("authorization", "Bearer \(key)")] }

    package func body(_ request: ModelRequest, model: String) -> JSONValue {
        [
            "model": .string(model), "max_completion_tokens": .int(request.mostTokens), "stream": true,
            "stream_options": ["include_usage": true],
            // Requests with the same beginning meet in the same cache.
            "prompt_cache_key": .string(request.name),
            "messages": [
                ["role": "system", "content": .string(request.system)],
                ["role": "user", "content": .string(request.prompt)],
            ],
            "response_format": [
                "type": "json_schema",
                "json_schema": ["name": .string(request.name), "strict": true, "schema": request.schema],
            ],
        ]
    }

    package func collector() -> any ReplyCollector { Collector() }

    package func isSpendLimit(status: Int, _ body: JSONValue?) -> Bool {
        let error = body?["error"]
        return ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"].contains {
            error?["code"]?.string == $0 || error?["type"]?.string == $0
        }
    }

    struct Collector: ReplyCollector {
        private var text = ""
        private var refusal = ""
        private var usage = ModelUsage()
        private var stop: String?
        private var isOver = false

        mutating func take(_ event: ServerSentEvent) throws(ModelError) -> String? {
            if event.data == "[DONE]" {
                isOver = true
                return nil
            }
            let value = try event.json()
            if let error = value["error"], error != .null {
                throw .unavailable("the stream ended with \(error["type"]?.string ?? "an error")")
            }
            if let usage = value["usage"], usage != .null {
                self.usage = ModelUsage(
                    input: try ModelUsage.tokens(usage["prompt_tokens"]),
                    output: try ModelUsage.tokens(usage["completion_tokens"]),
                    cached: try ModelUsage.tokens(usage["prompt_tokens_details"]?["cached_tokens"])
                )
            }
            guard let choices = value["choices"]?.array else { throw .malformed("an event has no choices") }
            guard let choice = choices.first else { return nil }
            stop = choice["finish_reason"]?.string ?? stop
            refusal += choice["delta"]?["refusal"]?.string ?? ""
            guard let piece = choice["delta"]?["content"]?.string else { return nil }
            text += piece
            return piece
        }

        func finish() throws(ModelError) -> (text: String, usage: ModelUsage) {
            guard isOver else { throw .malformed("the stream ended before the answer did") }
            guard refusal.isEmpty else { throw .refused }
            switch stop {
            case "stop": return (text, usage)
            case "length": throw .truncated
            case "content_filter": throw .refused
            default: throw .malformed("it stopped for \(stop ?? "no reason")")
            }
        }
    }
}
