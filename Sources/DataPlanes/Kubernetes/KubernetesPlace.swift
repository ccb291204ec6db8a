/// Which HTTPRoute carries a migration's traffic in one environment.
package struct KubernetesPlace: Hashable, Sendable {
    package let namespace: String
    /// The HTTPRoute's name.
    package let name: String
    /// The path at which whoever serves the HTTPRoute shows which route is in force, by where it redirects to.
    let probe: String

    /// - Parameter name: the HTTPRoute's; nil for `migration-environment`, in what letters a name may have.
    package init(namespace: String, name: String?, migration: String, environment: String) {
        self.namespace = namespace
        self.name = name ?? Self.label("\(migration)-\(environment)")
        probe = "/.well-known/migrate/\(Self.label(migration))/\(Self.label(environment))"
    }

    private static func label(_ text: String) -> String {
        String(text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    }
}
