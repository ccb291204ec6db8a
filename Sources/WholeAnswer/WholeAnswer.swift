package import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
import TimeLimits

extension HTTPClient {
    /// An answer with all of its body: the client's own limit ends with the head.
    ///
    /// - Parameters:
    ///   - limit: how long all of it may take.
    ///   - longest: how many bytes the body may have.
    /// - Throws: ``TookTooLong``, or what the client throws.
    package func whole(
        _ request: HTTPClientRequest,
        within limit: Duration,
        longest: Int
    ) async throws -> (response: HTTPClientResponse, body: ByteBuffer) {
        // The client's own error says more than that it took too long, where it has one.
        try await TimeLimit.within(limit + .milliseconds(50)) {
            let (seconds, attoseconds) = limit.components
            let timeout = TimeAmount.nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
            let response = try await self.execute(request, timeout: timeout)
            return (response, try await response.body.collect(upTo: longest))
        }
    }
}
