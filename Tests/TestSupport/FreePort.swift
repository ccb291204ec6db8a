import NIOCore
import NIOPosix

/// A port of the loopback interface on which nobody listens, below those that the system gives to whoever asks for any: nobody takes it
/// before a program that is told to.
package func freePort() async throws -> Int {
    for _ in 0..<100 {
        let port = Int.random(in: 12_000..<32_000)
        let group = MultiThreadedEventLoopGroup.singleton
        guard let channel = try? await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: port).get() else {
            continue
        }
        try await channel.close()
        return port
    }
    throw TestFailure("no port is free")
}
