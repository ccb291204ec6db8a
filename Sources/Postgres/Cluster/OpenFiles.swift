import Foundation

/// How many files and connections this process may have open.
package enum OpenFiles {
    /// Raises the limit as far as the system lets an ordinary process. Shells commonly allow 1,024, which a server's connections use up;
    /// the system's libraries end a process that runs out.
    ///
    /// - Returns: the limit that is in force.
    @discardableResult
    package static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
