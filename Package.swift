// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioFoundation: Target.Dependency = .product(name: "NIOFoundationCompat", package: "swift-nio")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// One room of the house: what it may import is what it names here, and `tools/rooms` holds the sources to it.
func room(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, resources: [Resource] = [])
    -> Target
{
    .target(name: name, dependencies: dependencies, path: path, resources: resources, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "migrate",
    products: [
        .executable(name: "migrate", targets: ["migrate"]),
        .executable(name: "recommendations", targets: ["recommendations"]),
        .executable(name: "demo", targets: ["demo"]),
        .executable(name: "proof", targets: ["proof"]),
        .library(name: "Cache", targets: ["Cache"]),
    ],
    dependencies: [
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.40.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The bottom: what is judged, and what is said to the database.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMalloc"),
        room("MigrationCore"),
        room("Postgres", ["CLibPQ", logging]),
        room("JSON"),
        room("Randomness"),
        room("TimeLimits"),
        room("WholeAnswer", ["TimeLimits", asyncHTTPClient, nioCore, nioHTTP1]),
        // The log, the plan's text, and who goes where.
        room("MigrationLog", ["JSON", "MigrationCore", "Postgres", "Schema", "TimeLimits", crypto, logging]),
        room("PlanFile", ["MigrationCore", yams], resources: [.embedInCode("plan.schema.json")]),
        room("Routing", ["MigrationCore"]),
        room(
            "Schema",
            path: "schema",
            resources: [
                .embedInCode("0001_log.sql"), .embedInCode("0002_order.sql"), .embedInCode("0003_evidence.sql"),
                .embedInCode("0004_views.sql"), .embedInCode("0005_texts.sql"), .embedInCode("0006_cold.sql"),
                .embedInCode("0007_append.sql"), .embedInCode("0008_observed.sql"),
                .embedInCode("0009_checkpoint.sql"), .embedInCode("0010_decided.sql"),
                .embedInCode("0011_routers.sql"), .embedInCode("0012_sign.sql"),
                .embedInCode("0013_streams.sql"),
            ]
        ),
        room("Signals", ["MigrationCore", histogram]),
        room("Prometheus", ["MigrationCore", "WholeAnswer", asyncHTTPClient, nioCore, nioFoundation, nioHTTP1]),
        room("Simulation", ["MigrationCore", "Randomness", "Routing"]),
        room("ScenarioFile", ["MigrationCore", "PlanFile", "Simulation", yams]),
        // What runs.
        room(
            "Gateway",
            [
                "JSON", "MigrationCore", "Randomness", "Routing", "Signals", "TimeLimits", "WholeAnswer",
                asyncHTTPClient, crypto,
                hummingbird, lifecycle, logging, nioCore, nioHPACK, nioHTTP1, nioHTTP2, nioPosix, nioSSL, nioTLS,
            ]
        ),
        room(
            "DataPlanes",
            [
                "Gateway", "JSON", "MigrationCore", "Prometheus", "Routing", "Signals", "TimeLimits", "WholeAnswer",
                asyncHTTPClient, httpTypes, hummingbird, lifecycle, logging, nioCore, nioFoundation, nioHTTP1, nioPosix,
                nioSSL,
            ]
        ),
        // What is migrated in the shipped example.
        room("Cache", ["TimeLimits"]),
        room(
            "Callable",
            [
                "JSON", "TimeLimits", asyncHTTPClient, crypto, cryptoExtras, httpTypes, hummingbird, nioCore, nioHTTP1,
                nioSSL,
            ]
        ),
        room("LanguageModel", ["JSON", asyncHTTPClient, nioCore, nioHTTP1]),
        room(
            "Resumes",
            ["JSON"],
            resources: [
                .embedInCode("Data/acronyms.txt"), .embedInCode("Data/buzzwords.txt"),
                .embedInCode("Data/common-words.txt"), .embedInCode("Data/function-words.txt"),
                .embedInCode("Data/known-acronyms.txt"), .embedInCode("Data/participles.txt"),
                .embedInCode("Data/states.txt"), .embedInCode("Data/terms.txt"), .embedInCode("Data/verbs.txt"),
                .embedInCode("Data/trade-words.txt"), .embedInCode("Data/weak-openers.txt"),
                .embedInCode("Data/word-classes.txt"),
            ]
        ),
        room(
            "Recommendations",
            [
                "CMalloc", "Cache", "Callable", "JSON", "LanguageModel", "Postgres", "Resumes", "TimeLimits",
                argumentParser, asyncHTTPClient, httpTypes, hummingbird, lifecycle, logging, nioCore, signals, yams,
            ],
            resources: [
                .embedInCode("Quality/trade-names.txt"), .embedInCode("Store/cache.sql"),
                .embedInCode("Store/recommendations.sql"),
            ]
        ),
        room(
            "Worker",
            [
                "MigrationCore", "MigrationLog", "Postgres", "Prometheus", "Routing", "Signals", "WholeAnswer",
                asyncHTTPClient, lifecycle, logging, nioCore, nioFoundation, nioHTTP1,
            ]
        ),
        // What speaks to people.
        room(
            "Commands",
            [
                "DataPlanes", "Gateway", "MigrationCore", "MigrationLog", "PlanFile", "Postgres", "Routing",
                "ScenarioFile", "Signals", "Simulation", "Worker", argumentParser, lifecycle, logging, signals,
            ]
        ),
        room(
            "Demonstration",
            [
                "Cache", "Callable", "Commands", "Gateway", "JSON", "MigrationCore", "MigrationLog", "PlanFile",
                "Postgres", "Randomness", "Routing", "Signals", argumentParser, asyncHTTPClient, httpTypes, hummingbird,
                nioCore, nioHTTP1, signals,
            ]
        ),
        room(
            "Proof",
            [
                "Commands", "MigrationCore", "MigrationLog", "PlanFile", "Randomness", "ScenarioFile", "Simulation",
                argumentParser,
            ]
        ),
        program("migrate", ["Commands"]),
        program("recommendations", ["Recommendations"]),
        program("demo", ["Demonstration"]),
        program("proof", ["Proof"]),
        // The specification.
        .target(
            name: "TestSupport",
            dependencies: [
                "Gateway", "JSON", "MigrationCore", "Postgres", "Randomness", "Routing", asyncHTTPClient, lifecycle,
                logging, nioCore, nioHTTP1, nioPosix, nioSSL, nioTLS,
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        tests("MigrationCoreTests", ["MigrationCore", "PlanFile", "TestSupport"]),
        tests("PlanFileTests", ["JSON", "MigrationCore", "PlanFile", "TestSupport"]),
        tests("PostgresTests", ["Postgres", "TestSupport"]),
        tests(
            "MigrationLogTests",
            ["MigrationCore", "MigrationLog", "Postgres", "Schema", "TestSupport"],
            exclude: ["Fixtures"]
        ),
        tests("RoutingTests", ["MigrationCore", "Routing", "Signals"]),
        tests(
            "GatewayTests",
            [
                "Gateway", "MigrationCore", "Postgres", "Randomness", "Routing", "TestSupport", asyncHTTPClient,
                lifecycle,
                logging, nioCore, nioHTTP1, nioHTTP2, nioPosix, nioSSL,
            ]
        ),
        tests(
            "DataPlaneTests",
            [
                "DataPlanes", "Gateway", "JSON", "MigrationCore", "PlanFile", "Postgres", "Routing", "Signals",
                "TestSupport", asyncHTTPClient, lifecycle, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
            ]
        ),
        tests(
            "WorkerTests",
            [
                "MigrationCore", "MigrationLog", "Postgres", "TestSupport", "Worker", lifecycle, logging,
            ]
        ),
        tests("JSONTests", ["JSON"]),
        tests("CacheTests", ["Cache", "Randomness", "TestSupport", "TimeLimits"]),
        tests(
            "CallableTests",
            [
                "Callable", "JSON", "Postgres", "TestSupport", asyncHTTPClient, httpTypes, hummingbird, lifecycle,
                logging, nioCore, nioHTTP1,
            ]
        ),
        tests(
            "LanguageModelTests",
            ["JSON", "LanguageModel", "Postgres", "TestSupport", "demo", asyncHTTPClient, nioCore, nioHTTP1]
        ),
        tests("ResumesTests", ["JSON", "Randomness", "Resumes", "TestSupport"], exclude: ["Fixtures"]),
        tests(
            "RecommendationsTests",
            [
                "Cache", "Callable", "JSON", "LanguageModel", "MigrationCore", "PlanFile", "Postgres",
                "Randomness", "Recommendations", "Resumes", "Signals", "TestSupport", "Worker", "demo", asyncHTTPClient,
                logging, nioCore, nioHTTP1,
            ]
        ),
        tests("ScenarioFileTests", ["MigrationCore", "PlanFile", "ScenarioFile", "Simulation"]),
        tests(
            "SimulationTests",
            ["MigrationCore", "MigrationLog", "PlanFile", "Randomness", "Simulation", "TestSupport"]
        ),
        tests(
            "CommandsTests",
            [
                "Callable", "Commands", "Gateway", "JSON", "MigrationCore", "MigrationLog", "PlanFile", "Postgres",
                "Routing", "Schema",
                "TestSupport", "Worker", argumentParser, asyncHTTPClient, logging, nioCore, nioHTTP1, "demo", "migrate",
                "recommendations",
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
