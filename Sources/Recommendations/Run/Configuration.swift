import Foundation
import Yams

/// What is wrong with a setting, where it came from, and what would do.
struct ConfigurationFault: Error, Hashable, Sendable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Settings by name: from the command line, else from the environment, else from a file, else what is usual.
struct Configuration: Sendable {
    enum Source: Hashable, Sendable {
        case option, environment(String), file(String), usual

        var text: String {
            switch self {
            case .option: "the command line"
            case .environment(let name): name
            case .file(let path): path
            case .usual: "usual"
            }
        }
    }

    /// Every setting: its name, its usual value (none where it must be given or may be left out), and what it says.
    static let known: [(name: String, usual: String?, help: String)] = [
        ("implementation", nil, "legacy or candidate"),
        ("host", "127.0.0.1", "the address to listen on"),
        ("port", nil, "the port to listen on"),
        ("admin-host", "127.0.0.1", "the address of the admin port, which whoever reaches it may switch"),
        (
            "admin-port", "",
            "the port of /metrics, of the cache's invalidations and of a rehearsal's switches; none without it"
        ),
        ("database", nil, "a libpq connection string or URI"),
        ("database-connections", "8", "connections to the database"),
        ("project", "demo-recommendations", "the project whose ID tokens are taken"),
        (
            "token-keys", "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com",
            "where the keys of ID tokens are: https://, http:// or file://"
        ),
        ("app-check-project", "", "the project's number, where App Check is enforced"),
        ("app-check-keys", "https://firebaseappcheck.googleapis.com/v1/jwks", "where the keys of App Check are"),
        ("origins", "*", "the pages from which a browser may call, parted by commas"),
        ("largest-body", "1048576", "bytes of a request"),
        ("most-calls", "1024", "calls under way at once"),
        ("calls-per-minute", "120", "of one user of the candidate; 0 is no limit"),
        ("cache-capacity", "268435456", "bytes of the candidate's memory tier"),
        ("cache-fresh", "300", "seconds"),
        ("cache-while-revalidating", "60", "seconds"),
        ("cache-if-error", "3600", "seconds"),
        ("cache-tier", "postgres", "the second tier: postgres or none"),
        ("cache-database", "", "the second tier's database; the jobs' own without it"),
        (
            "cache-also-written", "",
            "a database that takes the second tier's place: written and invalidated too, and not read yet"
        ),
        ("model", "none", "the language model's wire format: anthropic, openai or none"),
        ("model-address", "", "the language model's address, such as https://api.anthropic.com"),
        ("model-name", "", "the language model's name"),
        ("model-key-variable", "RECOMMENDATIONS_MODEL_KEY", "the environment variable that holds the model's key"),
        ("model-requests-per-minute", "60", "requests to the model"),
        ("model-tokens-per-minute", "200000", "tokens of the model"),
        ("delay", "200", "legacy: how long every answer takes, in milliseconds"),
        ("timeouts", "150", "legacy: how many of a thousand requests run into the time limit"),
        ("time-limit", "1000", "legacy: its time limit, in milliseconds"),
        ("log-level", "warning", "trace, debug, info, notice, warning, error or critical"),
    ]

    private let values: [String: (text: String, source: Source)]

    /// - Parameters:
    ///   - options: from the command line, by name.
    ///   - file: YAML, a mapping of names to values; nil for none.
    init(options: [String: String], environment: [String: String], file: String?) throws(ConfigurationFault) {
        let fromFile = try file.map { path throws(ConfigurationFault) in try Self.read(path) } ?? [:]
        for name in options.keys where !Self.known.contains(where: { $0.name == name }) {
            throw Self.unknown(name, .option)
        }
        var values: [String: (String, Source)] = [:]
        for (name, usual, _) in Self.known {
            let variable = "RECOMMENDATIONS_" + name.uppercased().replacing("-", with: "_")
            if let value = options[name] {
                values[name] = (value, .option)
            } else if let value = environment[variable] {
                values[name] = (value, .environment(variable))
            } else if let value = fromFile[name] {
                values[name] = (value, .file(file ?? ""))
            } else if let usual {
                values[name] = (usual, .usual)
            }
        }
        self.values = values
    }

    private static func read(_ path: String) throws(ConfigurationFault) -> [String: String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationFault("\(path): cannot be read")
        }
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationFault("\(path): is not YAML: \(error)")
        }
        guard let node else { return [:] }
        guard case .mapping(let mapping) = node else {
            throw ConfigurationFault("\(path): must be names with their values")
        }
        var values: [String: String] = [:]
        for (key, value) in mapping {
            let place = "\(path):\(key.mark?.line ?? 0)"
            guard let name = key.string, let text = value.scalar?.string else {
                throw ConfigurationFault("\(place): must be a name with a plain value")
            }
            guard known.contains(where: { $0.name == name }) else { throw unknown(name, .file(place)) }
            guard values.updateValue(text, forKey: name) == nil else {
                throw ConfigurationFault("\(place): “\(name)” stands twice")
            }
        }
        return values
    }

    private static func unknown(_ name: String, _ source: Source) -> ConfigurationFault {
        ConfigurationFault(
            "\(source.text): there is no setting “\(name)”; there are: \(known.map(\.name).joined(separator: ", "))"
        )
    }

    // MARK: Reading

    func text(_ name: String) throws(ConfigurationFault) -> String {
        guard let text = optional(name) else {
            throw ConfigurationFault(
                "“\(name)” is missing: give --\(name) VALUE, RECOMMENDATIONS_\(name.uppercased().replacing("-", with: "_")), or a line of the file"
            )
        }
        return text
    }

    /// Nil where it is not given, or empty.
    func optional(_ name: String) -> String? { values[name].flatMap { $0.text.isEmpty ? nil : $0.text } }

    func int(_ name: String, _ range: ClosedRange<Int>) throws(ConfigurationFault) -> Int {
        let text = try text(name)
        guard let int = Int(text), range.contains(int) else {
            throw fault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return int
    }

    func choice(_ name: String, _ choices: [String]) throws(ConfigurationFault) -> String {
        let text = try text(name)
        guard choices.contains(text) else { throw fault(name, "must be \(choices.joined(separator: " or "))") }
        return text
    }

    func address(_ name: String, _ schemes: [String]) throws(ConfigurationFault) -> String {
        let text = try text(name)
        guard schemes.contains(where: { text.hasPrefix($0) && text.count > $0.count }) else {
            throw fault(name, "must begin with \(schemes.joined(separator: " or "))")
        }
        return text
    }

    func fault(_ name: String, _ reason: String) -> ConfigurationFault {
        ConfigurationFault(
            "\(values[name]?.source.text ?? name): “\(name)” \(reason), and is “\(values[name]?.text ?? "")”"
        )
    }

    /// Every setting, with where it came from; as a file that can be read again. A password in the database's string is not shown.
    var printed: String {
        Self.known.map { name, _, help in
            guard let (text, source) = values[name] else { return "# \(name): \(help); not given\n" }
            let shown =
                ["database", "cache-database", "cache-also-written"].contains(name) ? Self.withoutPassword(text) : text
            let quoted = "\"\(shown.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
            return "# \(help) (\(source.text))\n\(name): \(quoted)\n"
        }
        .joined()
    }

    static func withoutPassword(_ conninfo: String) -> String {
        conninfo.replacing(/password\s*=\s*('(\\.|[^'\\])*'|\S+)/.ignoresCase()) { _ in "password=…" }
            .replacing(/(:\/\/[^:\/@\s]*):[^@\s]*@/) { "\($0.output.1):…@" }
    }
}
