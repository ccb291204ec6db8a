import ArgumentParser
import MigrationCore
import MigrationLog
import PlanFile
import Routing

struct RouteExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract:
            "Why a user goes where he goes: his bucket, the weights in force, and where each kind of data plane sends him.",
        discussion: """
            Example: migrate route explain recommendations user-1
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "The key, as the requests have it.") var key: String
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    struct Report: Encodable {
        struct Plane: Encodable {
            var plane: String
            /// The weight from which on the user is the candidate's, in basis points.
            var from: Int
        }
        struct Service: Encodable {
            var environment: String
            var revision: Int64
            var service: String
            /// In basis points.
            var weight: Int
            /// By kind of data plane: the implementation.
            var goes: [String: Implementation]
        }
        var key: String
        var bucket: Int
        var planes: [Plane]
        var services: [Service]
    }

    private static func name(_ dealing: Dealing) -> String {
        switch dealing {
        case .gateway: "gateway"
        case .haproxy: "haproxy"
        case .nginx: "nginx"
        }
    }

    private func report(_ state: Migration) -> Report {
        let text = "\(migration):\(key)"
        return Report(
            key: key,
            bucket: Bucket.of(key, migration: migration),
            planes: Dealing.allCases.map { Report.Plane(plane: Self.name($0), from: $0.least(text).rawValue) },
            services: state.traffic.flatMap { traffic in
                zip(state.plan.services, traffic.effective).map { service, weight in
                    let sides = Dealing.allCases.map { (Self.name($0), $0.implementation(text, weight: weight)) }
                    return Report.Service(
                        environment: traffic.environment,
                        revision: traffic.revision,
                        service: service.name,
                        weight: weight.rawValue,
                        goes: Dictionary(uniqueKeysWithValues: sides)
                    )
                }
            }
        )
    }

    func run() async throws {
        let stream = try await Status.load(migration, LogAccess(database).log)
        guard let state = stream.state.migration else { return }
        let report = report(state)
        switch format.format {
        case .json: try Output.json(report)
        case .text: for line in lines(report, state.plan) { Output.line(line) }
        }
    }

    private func lines(_ report: Report, _ plan: Plan) -> [String] {
        func share(_ basisPoints: Int) -> String { Weight(rawValue: basisPoints)?.description ?? "–" }
        var lines = [
            "\(key) has bucket \(report.bucket): xxHash64 of “\(migration):\(key)” modulo 10000; the key is the first that a request has of \(plan.stickyBy.map { PlanFile.text($0) }.joined(separator: ", "))",
            "he is the candidate's from these weights on:",
        ]
        var table = TextTable([.left, .left])
        for dealing in Dealing.allCases {
            let from = dealing.least("\(migration):\(key)")
            switch dealing {
            case .gateway:
                table.add("gateway", "\(from); so have an Envoy where the key is a header, and resolvers by etcd")
            case .haproxy: table.add("HAProxy", "\(from), by the xxHash32 of the same")
            case .nginx: table.add("nginx", "\(from), by the MurmurHash2 of the same")
            }
        }
        lines += table.lines(indent: 2)
        var last: String?
        for service in report.services {
            let place = "\(service.environment), revision \(service.revision)"
            if place != last { lines.append(place) }
            last = place
            let sides = report.planes.map { "\($0.plane) \(service.goes[$0.plane]?.rawValue ?? "–")" }
            lines.append("  \(service.service) \(share(service.weight)): \(sides.joined(separator: ", "))")
        }
        return lines
    }
}
