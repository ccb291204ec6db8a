import Logging
package import ServiceLifecycle

/// Runs services while the body runs, and stops them then.
package func running<R: Sendable>(_ services: any Service..., body: () async throws -> R) async throws -> R {
    var logger = Logger(label: "services")
    logger.logLevel = .critical
    let group = ServiceGroup(services: services, logger: logger)
    let task = Task { try await group.run() }
    let result: Result<R, any Error>
    do {
        result = .success(try await body())
    } catch {
        result = .failure(error)
    }
    await group.triggerGracefulShutdown()
    _ = await task.result
    return try result.get()
}
