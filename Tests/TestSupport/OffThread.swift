import Foundation

/// Does something that blocks, such as waiting for a program, on a thread of its own: however many do, none waits for another.
package func offThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
