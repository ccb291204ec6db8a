/// What is wrong with a plan's text, where, and how to mend it.
package struct PlanError: Error, Hashable, Sendable {
    package struct Problem: Hashable, Sendable {
        /// Counted from 1; nil when the whole file is meant.
        package var line: Int?
        package var column: Int?
        package var message: String
        package var mend: String?
    }

    /// The file's name, as it was given.
    package var file: String
    /// In the order of their places; never empty.
    package var problems: [Problem]

    package init(file: String, problems: [Problem]) {
        self.file = file
        self.problems = problems
    }
}

extension PlanError: CustomStringConvertible {
    package var description: String {
        problems.map { problem in
            let place = [file, problem.line.map(String.init), problem.column.map(String.init)].compactMap { $0 }.joined(
                separator: ":"
            )
            return "\(place): \(problem.message)" + (problem.mend.map { "\n  \($0)" } ?? "")
        }.joined(separator: "\n")
    }
}
