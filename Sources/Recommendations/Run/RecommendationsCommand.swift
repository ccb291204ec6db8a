package import ArgumentParser
import Callable
import Foundation
import JSON
import Postgres
import Resumes

/// The command line of the recommendation services.
package struct RecommendationsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "recommendations",
        abstract: "The résumé-recommendation service: the old implementation, or the new one.",
        subcommands: [Serve.self, Review.self, Import.self, Export.self, Seed.self, Token.self],
        defaultSubcommand: Serve.self
    )

    package init() {}

    /// Runs the program.
    package static func start() async { await main() }
}

struct StoreOptions: ParsableArguments {
    @Option(help: "A libpq connection string or URI.") var database: String

    func open() async throws -> JobStore {
        let store = JobStore(pool: PostgresPool(database, name: "recommendations"))
        try await store.install()
        return store
    }
}

/// A résumé from a file, with its place in every error.
enum ResumeFile {
    static func read(_ path: String) throws -> Resume {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(path): cannot be read")
        }
        guard data.count <= 1 << 20 else { throw ValidationError("\(path): is larger than a megabyte") }
        do {
            return try Resume(JSONValue(parsing: data))
        } catch let fault as JSONFault {
            throw ValidationError("\(path): is not JSON: \(fault)")
        } catch let fault as ResumeFault {
            throw ValidationError("\(path): \(fault)")
        }
    }
}

struct Review: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what would make a résumé better, without a service or a database.",
        discussion:
            "Example: recommendations review resume.json --target-role \"Platform Engineer\" --keyword Kubernetes"
    )
    @Argument(help: "A résumé in JSON Resume.") var file: String
    @Option(help: "The role that it is for.") var targetRole: String?
    @Option(help: "A keyword of the job; several times for several.") var keyword: [String] = []
    @Flag(help: "As the service answers it.") var json = false

    func run() throws {
        let resume = try ResumeFile.read(file)
        let engine = Engine(now: Workshop.today)
        let found = engine.recommendations(for: resume, keywords: keyword)
        let report = Report(on: resume, found, role: targetRole, keywords: keyword, now: Workshop.today)
        if json { return print(JSONValue.object(report.json).text) }
        print("\(report.scores.overall) of 100; for a program that sorts applications \(report.ats).")
        if let compatibility = report.compatibility { print("“\(compatibility.role)”: \(compatibility.score) of 100.") }
        for text in report.strengths + report.insights { print("  \(text)") }
        for recommendation in found {
            print("\n[\(recommendation.priority)] \(recommendation.title)  (\(recommendation.id))")
            print("    \(recommendation.description)")
            if let current = recommendation.currentContent { print("    - \(current)") }
            if let suggestion = recommendation.suggestedContent { print("    + \(suggestion)") }
        }
    }
}

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts a résumé into a user's job.",
        discussion: "Example: recommendations import resume.json --job job-7 --user ana --database postgresql:///jobs"
    )
    @Argument(help: "A résumé in JSON Resume.") var file: String
    @Option(help: "The job; made where there is none.") var job: String
    @Option(help: "Its owner.") var user: String
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let resume = try ResumeFile.read(file)
        do {
            try await store.open().put(resume.value, into: job, of: user)
        } catch let error as CallableError {
            throw ValidationError("\(job): \(error.message)")
        }
        print("\(file) is in \(job)")
    }
}

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a job's résumé as it was put there, or as it was improved.",
        discussion: "Example: recommendations export --job job-7 --improved --database postgresql:///jobs > better.json"
    )
    @Option(help: "The job.") var job: String
    @Flag(help: "With what was applied last.") var improved = false
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let store = try await store.open()
        let value = improved ? try await store.improved(job)?.resume : try await store.job(job)?.resume
        guard let value else {
            throw ValidationError(improved ? "\(job): nothing has been applied" : "\(job): there is no such job")
        }
        print(value.text)
    }
}

struct Seed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds jobs with made-up résumés: job-0 of user-0 and so on.",
        discussion: "Example: recommendations seed --users 3000 --database postgresql:///jobs"
    )
    @Option(help: "How many.") var users: Int
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (1...1_000_000).contains(users) else { throw ValidationError("--users is 1…1000000") }
    }

    func run() async throws {
        let store = try await store.open()
        for start in stride(from: 0, to: users, by: 5_000) {
            try await store.add(
                (start..<min(users, start + 5_000)).map { (Seeds.job($0), Seeds.user($0), Seeds.resume($0)) }
            )
        }
        print("\(users) jobs are there")
    }
}

struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Signs an ID token for development, and prints it.",
        discussion: """
            The issuer's key is made in the folder at the first time; a service takes its tokens with --token-keys file://FOLDER/certificates.json.
            Example: recommendations token --user ana --issuer .issuer
            """
    )
    @Option(help: "Whose.") var user: String
    @Option(help: "The issuer's folder.") var issuer: String
    @Option(help: "The project.") var project = "demo-recommendations"
    @Option(help: "How long it is good for, in seconds.") var life = 3_600

    func validate() throws {
        guard (1...128).contains(user.utf16.count) else { throw ValidationError("--user is of 1 to 128 characters") }
        guard (1...86_400).contains(life) else { throw ValidationError("--life is 1…86400 seconds") }
    }

    func run() throws {
        let issuer = try DevelopmentIssuer(folder: URL(fileURLWithPath: issuer), project: project)
        print(try issuer.token(user: user, life: life))
    }
}
