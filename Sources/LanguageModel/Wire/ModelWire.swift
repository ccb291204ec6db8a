package import JSON

/// How a model is spoken to over HTTP.
package protocol ModelWire: Sendable {
    /// Below the base address.
    var path: String { get }
    /// Header fields, the key among them.
    func fields(key: String) -> [(String, String)]
    func body(_ request: ModelRequest, model: String) -> JSONValue
    func collector() -> any ReplyCollector
    /// Whether an error's body says that the account may spend no more.
    func isSpendLimit(status: Int, _ body: JSONValue?) -> Bool
}

/// Puts an answer together from the events of its stream.
package protocol ReplyCollector {
    /// - Returns: the text that the event adds.
    mutating func take(_ event: ServerSentEvent) throws(ModelError) -> String?
    /// The answer, once its stream is over.
    func finish() throws(ModelError) -> (text: String, usage: ModelUsage)
}

extension ServerSentEvent {
    /// The event's data as JSON.
    func json() throws(ModelError) -> JSONValue {
        do {
            return try JSONValue(parsing: data)
        } catch {
            throw .malformed("an event's data is not JSON")
        }
    }
}
