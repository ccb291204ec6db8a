package import MigrationCore
import Routing

/// What a data plane's configuration was written for, in sixteen digits: it says so itself, and in each line of its log, so that one that was written for another
/// migration, or for a plan with other services or in another order, acknowledges nothing here, and its lines are nobody's.
package struct PlanMark: Sendable {
    package let text: String

    package init(_ plan: Plan) {
        var parts = ["migrate/plane/2", plan.name]
        for place in plan.stickyBy {
            switch place {
            case .header(let name): parts.append("header \(name)")
            case .cookie(let name): parts.append("cookie \(name)")
            case .clientIP: parts.append("client IP")
            }
        }
        for service in plan.services {
            parts += [service.name, service.path, service.legacy, service.candidate, "\(service.timeout.rawValue)"]
        }
        let digits = String(XXHash64.hash(parts.joined(separator: "\n")), radix: 16)
        text = String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// - Parameters:
    ///   - found: which mark the data plane says that it has; nil for none.
    ///   - program: what people call it, and what `migrate route config` calls it.
    /// - Throws: ``RoutingError/Code/unsuitable`` for another than this, and for none.
    func require(_ found: (some StringProtocol)?, of program: (name: String, kind: String)) throws(RoutingError) {
        guard found.map({ $0 == text }) != true else { return }
        throw RoutingError(
            .unsuitable,
            "the configuration of \(program.name) was \(found == nil ? "written by another release, or by hand" : "not written for this plan")",
            mend: "write it anew with `migrate route config \(program.kind)`, and start \(program.name) with it"
        )
    }

    /// Whether a line has another mark, or none, and tells a request all the same; what a data plane says of itself tells none.
    func isMissing(in line: Substring, isRequest: (Substring) -> Bool) -> Bool {
        guard rest(of: line) == nil else { return false }
        return isRequest(line) || line.firstIndex(of: " ").map { isRequest(line[$0...].dropFirst()) } ?? false
    }

    /// How nginx's lines begin, after what syslog puts before it.
    var tag: String { "migrate_\(text): " }

    /// What comes after the mark and a blank in a line.
    ///
    /// - Returns: nil for a line that has another, or none.
    package func rest(of line: Substring) -> Substring? {
        line.hasPrefix(text) && line.dropFirst(text.count).first == " " ? line.dropFirst(text.count + 1) : nil
    }
}
