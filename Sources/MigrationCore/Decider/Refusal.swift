/// Why a command was not carried out: the rule that forbade it, in words for people, and what may be done instead.
package struct Refusal: Error, Hashable, Codable, Sendable {
    /// The rule, for programs; documented and stable.
    package enum Code: String, Hashable, Codable, Sendable {
        /// There is no migration in this stream yet.
        case unplanned
        /// There already is one.
        case alreadyPlanned
        /// The migration is not in a state in which the command makes sense.
        case wrongState
        /// The migration is over.
        case finished
        /// The command names a stage, step, service, environment or router that the plan or the log does not know.
        case unknownName
        /// The command is about a step that is no longer, or not yet, the one in question.
        case stale
        /// Whoever gives the command may not.
        case notAllowed
        /// The command has to be signed, and is not, or not by a key that may.
        case unsigned
        /// The same person has already given what is asked of several.
        case notDistinct
        /// A rule that comes first stands in the way.
        case blocked
        /// A window that is not the next one, or not over yet, or not of the plan's shape.
        case window
        /// A router acknowledges what was never decided.
        case unknownRevision
    }

    package var code: Code
    package var message: String
    /// What to do instead; one sentence.
    package var mend: String?

    package init(_ code: Code, _ message: String, mend: String? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
    }
}
