import MigrationCore
package import NIOCore

/// What is kept of one exchange so that its request can be sent again and its answer compared. Lives on one event loop until the exchange is over.
final class ShadowCapture {
    /// A longer request is not copied, in bytes.
    static let longestRequest = 64 * 1_024
    /// A longer answer is not compared, in bytes.
    static let longestAnswer = 256 * 1_024

    private(set) var request = ByteBuffer()
    private(set) var answer = ShadowAnswer(status: 0, isJSON: false, body: ByteBuffer())
    /// Whether all of both fits, and can be compared.
    private(set) var isWhole = true

    /// Whether a header makes an answer depend on what its client has: of two services each has tags of its own.
    static func isConditional(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        let names: [StaticString] = [
            "range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
        ]
        return names.contains { Octet.equal(bytes, name, $0) }
    }

    func add(request bytes: ByteBuffer) {
        isWhole = isWhole && request.readableBytes + bytes.readableBytes <= Self.longestRequest
        if isWhole { request.writeImmutableBuffer(bytes) }
    }

    func begin(answer status: Int, _ fields: FieldTable, _ bytes: UnsafeRawBufferPointer) {
        answer.status = status
        for field in fields.all {
            if field.role == .contentType {
                answer.isJSON = String(decoding: bytes[field.value], as: UTF8.self).lowercased().contains("json")
            }
            // Two compressions of one text may differ.
            if Octet.equal(bytes, field.name, "content-encoding") { isWhole = false }
        }
    }

    func add(answer bytes: ByteBuffer) {
        isWhole = isWhole && answer.body.readableBytes + bytes.readableBytes <= Self.longestAnswer
        if isWhole { answer.body.writeImmutableBuffer(bytes) }
    }
}

/// One side's answer to a request.
package struct ShadowAnswer: Sendable {
    package var status: Int
    package var isJSON: Bool
    package var body: ByteBuffer

    package init(status: Int, isJSON: Bool, body: ByteBuffer) {
        self.status = status
        self.isJSON = isJSON
        self.body = body
    }
}

/// A request that was answered, to be asked again of both sides.
struct ShadowRequest: Sendable {
    var entry: RouteSnapshot.Entry
    /// Who answered.
    var implementation: Implementation
    /// The head as the implementations receive it.
    var head: ByteBuffer
    var body: ByteBuffer
    var answer: ShadowAnswer
}
