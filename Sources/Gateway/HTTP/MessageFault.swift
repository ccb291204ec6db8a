import NIOHTTP1

/// Why a message is not taken: the status that says so to a client, and a sentence.
struct MessageFault: Error, Hashable {
    var status: HTTPResponseStatus
    var reason: String

    init(_ status: HTTPResponseStatus, _ reason: String) {
        self.status = status
        self.reason = reason
    }

    static func bad(_ reason: String) -> MessageFault { MessageFault(.badRequest, reason) }
}
