/// Why a data plane did not take a route.
package struct RoutingError: Error, Hashable, Sendable {
    package enum Code: String, Hashable, Sendable {
        /// It has a higher revision already.
        case stale
        /// It belongs to another log, migration or environment.
        case foreignLog
        /// It has the same revision with other content.
        case forked
        /// It could not be reached.
        case unreachable
        /// What it must keep could not be written or read.
        case storage
        /// A plan asks for what this data plane cannot do.
        case unsuitable
    }

    package var code: Code
    package var message: String
    package var mend: String?

    package init(_ code: Code, _ message: String, mend: String? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
    }
}
