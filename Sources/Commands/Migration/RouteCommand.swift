import ArgumentParser
import Routing

struct RouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Says who goes where, and configures who carries it.",
        subcommands: [
            RouteShow.self, RouteDrift.self, RouteExplain.self, RouteBucket.self, RouteForce.self, RouteConfig.self,
            RouteRender.self,
        ]
    )
}

struct RouteBucket: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bucket",
        abstract: "Prints the bucket of each key, 0…9999; the candidate has those from 10000 − weight on.",
        discussion: "Example: migrate route bucket recommendations user-1 user-2"
    )
    @Argument(help: "The migration's name, which is part of every bucket.") var migration: String
    @Argument(help: "Keys, as the requests have them.") var keys: [String]
    @OptionGroup var format: FormatOptions

    struct Line: Encodable {
        var key: String
        var bucket: Int
    }

    func validate() throws {
        if keys.isEmpty { throw ValidationError("give at least one key") }
    }

    func run() throws {
        let lines = keys.map { Line(key: $0, bucket: Bucket.of($0, migration: migration)) }
        switch format.format {
        case .json: try Output.json(lines)
        case .text:
            var table = TextTable([.left, .right])
            for line in lines { table.add(line.key, String(line.bucket)) }
            for line in table.lines() { Output.line(line) }
        }
    }
}
