import Foundation

/// A program that this one has started. Foundation's `Process` waits for whatever the program leaves behind, such as a server that it
/// starts; this waits for the program alone.
package struct ChildProcess: Sendable {
    package let pid: Int32

    /// Starts a program with no input.
    ///
    /// - Parameters:
    ///   - path: the program's file.
    ///   - arguments: without the program's own name.
    ///   - environment: all of it.
    ///   - output: the file to which both its outputs are appended.
    package init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        output: String
    ) throws(PostgresError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child begins with every signal as the system has it, and none blocked.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let lines = environment.map { "\($0.key)=\($0.value)" }.sorted()
        var child: pid_t = 0
        let error = Self.withPointers([path] + arguments) { argv in
            Self.withPointers(lines) { envp in posix_spawn(&child, path, &actions, &attributes, argv, envp) }
        }
        guard error == 0 else {
            throw PostgresError(.cluster, "\(path) could not be started: \(String(cString: strerror(error)))")
        }
        pid = child
    }

    /// Waits for its end.
    ///
    /// - Returns: its exit code; 128 and the signal's number when a signal ended it.
    @discardableResult
    package func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            if errno != EINTR { return -1 }
        }
        return Self.code(status)
    }

    /// Its exit code if it has ended; nil while it runs.
    package func poll() -> Int32? {
        var status: Int32 = 0
        let found = waitpid(pid, &status, WNOHANG)
        if found == 0 { return nil }
        return found < 0 ? -1 : Self.code(status)
    }

    package func signal(_ number: Int32) { kill(pid, number) }

    private static func code(_ status: Int32) -> Int32 {
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    private static func withPointers<R>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
