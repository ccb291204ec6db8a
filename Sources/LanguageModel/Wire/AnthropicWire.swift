package import JSON

/// Anthropic's Messages.
///
/// Source: `https://docs.claude.com/en/api/messages`, `…/api/messages-streaming`, `…/build-with-claude/structured-outputs`.
package struct AnthropicWire: ModelWire {
    package let path = "/v1/messages"

    package init() {}

    package func fields(key: String) -> [(String, String)] {
        [("x-api-key", key), ("anthropic-version", "2023-06-01")]
    }

    package func body(_ request: ModelRequest, model: String) -> JSONValue {
        [
            "model": .string(model), "max_tokens": .int(request.mostTokens), "stream": true,
            // What is the same for all requests is kept by the model.
            "system": [
                ["type": "text", "text": .string(request.system), "cache_control": ["type": "ephemeral"]]
            ],
            "messages": [["role": "user", "content": .string(request.prompt)]],
            "output_config": ["format": ["type": "json_schema", "schema": request.schema]],
        ]
    }

    package func collector() -> any ReplyCollector { Collector() }

    package func isSpendLimit(status: Int, _ body: JSONValue?) -> Bool {
        let error = body?["error"]
        return status == 402 || error?["type"]?.string == "billing_error"
            || (error?["message"]?.string ?? "").lowercased().contains("credit balance")
    }

    struct Collector: ReplyCollector {
        private var text = ""
        private var usage = ModelUsage()
        private var stop: String?
        private var isOver = false

        mutating func take(_ event: ServerSentEvent) throws(ModelError) -> String? {
            let value = try event.json()
            switch value["type"]?.string {
            case "message_start"?:
                let usage = value["message"]?["usage"]
                self.usage.input = try ModelUsage.tokens(
                    usage?["input_tokens"],
                    usage?["cache_read_input_tokens"],
                    usage?["cache_creation_input_tokens"]
                )
                self.usage.cached = try ModelUsage.tokens(usage?["cache_read_input_tokens"])
                return nil
            case "content_block_delta"?:
                guard value["delta"]?["type"]?.string == "text_delta" else { return nil }
                guard let piece = value["delta"]?["text"]?.string else {
                    throw .malformed("a piece of text has no text")
                }
                text += piece
                return piece
            case "message_delta"?:
                stop = value["delta"]?["stop_reason"]?.string ?? stop
                if let output = value["usage"]?["output_tokens"] { usage.output = try ModelUsage.tokens(output) }
                return nil
            case "message_stop"?:
                isOver = true
                return nil
            case "error"?:
                let kind = value["error"]?["type"]?.string ?? "error"
                throw kind == "rate_limit_error" ? .rateLimited : .unavailable("the stream ended with \(kind)")
            // Pings, blocks' beginnings and ends, and what may be added to the format.
            case .some: return nil
            case nil: throw .malformed("an event has no type")
            }
        }

        func finish() throws(ModelError) -> (text: String, usage: ModelUsage) {
            guard isOver else { throw .malformed("the stream ended before the message did") }
            switch stop {
            case "end_turn", "stop_sequence": return (text, usage)
            case "max_tokens", "model_context_window_exceeded": throw .truncated
            case "refusal": throw .refused
            default: throw .malformed("it stopped for \(stop ?? "no reason")")
            }
        }
    }
}
