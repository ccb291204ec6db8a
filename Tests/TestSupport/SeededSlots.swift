package import Randomness

/// Lines that are put together from parts, so that hardly one stands twice: sound ones, and ones with a known defect.
package enum SeededSlots {
    package static let verbs = [
        "Built", "Managed", "Wrote", "Planned", "Tested", "Launched", "Moved", "Rebuilt", "Reviewed", "Improved",
        "Supervised", "Handled", "Organized", "Closed", "Maintained", "Coordinated", "Ran", "Documented", "Migrated",
        "Simplified", "Delivered", "Introduced", "Secured", "Scaled", "Replaced", "Automated", "Negotiated", "Designed",
    ]
    package static let present = [
        "Build", "Manage", "Write", "Plan", "Test", "Launch", "Move", "Review", "Supervise", "Organize", "Maintain",
        "Coordinate", "Deliver", "Run",
    ]
    package static let objects = [
        "nightly billing jobs", "checkout", "weekly reports", "support desk", "planning of trade fairs",
        "booking service", "product search", "loyalty card", "price list", "login page", "release of services",
        "archive of orders", "approval of invoices", "newsletter", "stock of spare parts", "phone book",
    ]
    package static let nouns = [
        "offices", "managers", "users", "branches", "customers", "shops", "drivers", "clerks", "suppliers", "schools",
        "hospitals", "carriers", "guests", "warehouses",
    ]
    /// Without a number of anything.
    package static let tails = [
        "and their yearly closing", "with alerts and a monthly report", "from contract to first sale",
        "while deliveries went on as before", "without an outage or a lost order", "so that nobody waits on Mondays",
        "in a shape that sales can explain", "before the summer sale of the chain",
    ]
    private static let clauses = [
        "from the first sketch on a napkin through long talks with every department to the launch in the autumn",
        "which went well in all regions and pleased the owners of the chain, who came to see it in the first week",
        "with a page for each question that anybody had ever asked and a list of those who know the answers",
        "where the old ones hide, which of them nobody should touch on a Monday, and whom to call afterwards",
        "until the last of the paper forms had left the building and the cellar was empty for the first time",
    ]
    private static let participles = [
        "written", "signed", "rejected", "filed", "printed", "sorted", "generated", "kept",
    ]
    private static let doers = [
        "by forgotten scripts", "without a second reader", "by hand before", "at the gate", "every night",
    ]
    private static let decorations = [
        "cutting-edge", "innovative", "fast-paced", "world-class", "forward-thinking", "dynamic", "strategic",
        "best-of-breed", "bleeding-edge",
    ]
    private static let letters = Array("BDFGHJKLMNPQRTWZ")

    /// `the price list for 412 shops from contract to first sale`.
    private static func rest(_ random: inout SplitMix) -> String {
        "the \(random.pick(objects)) for \(random.number(11...9_999)) \(random.pick(nouns)) \(random.pick(tails))"
    }

    /// Nothing is wrong with it.
    package static func sound(_ verb: String, _ random: inout SplitMix) -> String { "\(verb) \(rest(&random))" }

    package static func weakOpener(_ random: inout SplitMix) -> String {
        "\(random.pick(SeededLines.weakOpeners)) \(rest(&random))"
    }

    package static func withoutVerb(_ random: inout SplitMix) -> String {
        let rest = rest(&random)
        return rest.prefix(1).uppercased() + rest.dropFirst()
    }

    package static func withoutQuantity(_ random: inout SplitMix) -> String {
        "\(random.pick(verbs)) the \(random.pick(objects)) for the \(random.pick(nouns)) of the chain \(random.pick(tails))"
    }

    package static func passive(_ random: inout SplitMix) -> String {
        let things = random.pick(["reports", "contracts", "claims", "orders", "letters", "forms"])
        let were = random.pick(["that were", "which had been", "that are often"])
        return
            "\(random.pick(verbs)) \(random.number(11...9_999)) \(things) \(were) \(random.pick(participles)) \(random.pick(doers)) for the \(random.pick(nouns))"
    }

    package static func tense(_ random: inout SplitMix) -> String { "\(random.pick(present)) \(rest(&random))" }

    package static func firstPerson(_ random: inout SplitMix) -> String {
        let verb = random.pick(verbs), rest = rest(&random)
        return switch random.below(3) {
        case 0: "I \(verb.lowercased()) \(rest)"
        case 1: "We \(verb.lowercased()) \(rest)"
        default: "\(verb) \(rest) with my team"
        }
    }

    package static func short(_ random: inout SplitMix) -> String {
        "\(random.pick(verbs)) \(random.number(11...9_999)) \(random.pick(nouns))"
    }

    package static func long(_ random: inout SplitMix) -> String {
        "\(random.pick(verbs)) \(rest(&random)), \(clauses.shuffled(using: &random).prefix(2).joined(separator: ", "))"
    }

    package static func doubled(_ random: inout SplitMix) -> String {
        let verb = random.pick(verbs), rest = rest(&random)
        return random.below(2) == 0
            ? "\(verb) the \(rest)" : "\(verb) \(rest.replacing(" for ", with: " for for "))"
    }

    package static func buzz(_ random: inout SplitMix) -> String {
        let object = random.pick(objects)
        return
            "\(random.pick(verbs)) the \(random.pick(decorations)) \(object) for \(random.number(11...9_999)) \(random.pick(nouns)) \(random.pick(tails))"
    }

    /// A name that nobody knows, and a line with it.
    package static func acronym(_ random: inout SplitMix) -> (name: String, line: String) {
        let name = String((0..<random.number(3...4)).map { _ in random.pick(letters) })
        return (
            name,
            "\(random.pick(verbs)) the \(name) \(random.pick(["jobs", "terms", "figures", "forms"])) of \(random.number(11...9_999)) \(random.pick(nouns)) \(random.pick(tails))"
        )
    }

    /// Lines that begin with the same verb; the verb's base is the second.
    package static func sameVerb(_ count: Int, _ random: inout SplitMix) -> (lines: [String], base: String) {
        let (verb, base) = random.pick([
            ("Built", "build"), ("Launched", "launch"), ("Reviewed", "review"), ("Moved", "move"),
        ])
        return ((0..<count).map { _ in "\(verb) \(rest(&random))" }, base)
    }
}
