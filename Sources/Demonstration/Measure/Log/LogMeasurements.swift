import Commands
import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Signals
import Synchronization

/// The measurements of the log. Each pair is taken in turns, floor and log, so that what else the machine does meets both.
struct LogMeasurements: Sendable {
    let stage: Stage
    let seconds: Int
    let rounds: Int
    let floor: LogFloor

    /// - Parameters:
    ///   - stage: with a log of its own.
    ///   - seconds: how long each rate is measured.
    ///   - rounds: how often each pair is measured.
    init(stage: Stage, seconds: Int, rounds: Int) throws {
        self.stage = stage
        self.seconds = seconds
        self.rounds = rounds
        floor = try LogFloor(stage: stage, seconds: seconds)
    }

    // MARK: - Settings

    func settings() async throws {
        let names = [
            "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers",
            "wal_level", "data_checksums",
        ]
        let log = stage.log
        let settings = try await log.pool.run { connection in
            try names.map { name in
                "\(name) \(try connection.query("select current_setting($1::text) as value", [.text(name)]).first?.text("value") ?? "")"
            }
        }
        Output.line("settings: \(settings.joined(separator: ", "))")
    }

    // MARK: - Appends

    /// Measures with a pause before each flush, in which others join (`commit_delay`): where a commit costs what it costs with a network's disk, or a standby that
    /// has to confirm. It is kinder to many writers than those are, to the log's and to the floor's alike: whoever comes in the pause is flushed by it.
    func delayed(by pause: Duration, _ body: () async throws -> Void) async throws {
        let micros = "\(Int(pause / .microseconds(1)))"
        Output.line("")
        Output.line("with a pause of \(pause) before each flush, in which others join (commit_delay):")
        try await set([("commit_delay", micros), ("commit_siblings", "0")])
        try await body()
        try await set([("commit_delay", "0"), ("commit_siblings", "5")])
        Output.line("")
    }

    /// Sets something for every session, and waits until a new one has it.
    private func set(_ settings: [(name: String, value: String)]) async throws {
        for (name, value) in settings { try stage.sql("alter system set \(name) = \(value)") }
        try stage.sql("select pg_reload_conf()")
        for (name, value) in settings {
            let query = "select setting from pg_settings where name = '\(name)'"
            try await wait("\(name) to be \(value)", seconds: 10) {
                try stage.tool("psql", ["-qAt", "-c", query]).trimmingCharacters(in: .whitespacesAndNewlines) == value
            }
        }
    }

    func appends() async throws {
        for (writers, goal) in [(1, "0.95"), (8, "0.75")] {
            var pairs: [(floor: Double, own: Double)] = []
            var bare: [Double] = []
            var streams = try await start(writers, prefix: "append-\(UUID().uuidString.prefix(8))-\(writers)")
            for _ in 0..<rounds {
                let plain = try floor.plainInserts(clients: writers)
                bare.append(try floor.bareAppends(clients: writers))
                pairs.append((plain, try await append(&streams)))
            }
            tell(
                "append, \(writers) \(writers == 1 ? "writer" : "writers"), durable, chain and projections",
                pairs,
                unit: "commits/s",
                floor: "a plain prepared INSERT by pgbench",
                goal: goal
            )
            let least = Quantile.median(zip(bare, pairs).map { $0 / $1.floor })
            let own = Quantile.median(zip(bare, pairs).map { $1.own / $0 })
            Output.line(
                "  the same rows by bare statements in one round trip (the log's indexes, a head, three projections; no function, no hash, no check): \(Int(Quantile.median(bare)))/s, ratio \(Self.ratio(least)); the append is \(Self.ratio(own)) of that"
            )
        }
    }

    // MARK: - A peer

    /// Another event store's appends of bare events, beside the same floor: it keeps no chain, no projections, and decides nothing.
    func peer(_ python: String) throws {
        let output = stage.folder.appendingPathComponent("peer").path
        for writers in [1, 8] {
            let floor = try floor.plainInserts(clients: writers)
            try? FileManager.default.removeItem(atPath: output)
            let code = try ChildProcess(
                python,
                ["tools/lib/peer-store", stage.socket, "migrate", "postgres", "\(writers)", "\(seconds)"],
                output: output
            ).wait()
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            let words = said.split(whereSeparator: \.isWhitespace)
            guard code == 0, words.count == 2, let rate = Double(words[1]) else {
                throw StageError("the peer store failed: \(said)")
            }
            Output.line(
                "Python eventsourcing \(words[0]), \(writers) \(writers == 1 ? "writer" : "writers"), bare events: \(Int(rate)) commits/s, ratio \(Self.ratio(rate / floor)) to the same (\(Int(floor))/s)"
            )
        }
    }

    /// Migrations with windows to seal that are long over.
    private func start(_ count: Int, prefix: String) async throws -> [MigrationLog.Stream] {
        var streams: [MigrationLog.Stream] = []
        for index in 0..<count {
            let name = "\(prefix)-\(index)"
            try await fill(name, 10)
            streams.append(try await stage.log.load(name))
        }
        return streams
    }

    @discardableResult
    private func fill(_ name: String, _ commits: Int) async throws -> WindowStream {
        let incarnations = try await stage.log.incarnations()
        guard let log = incarnations.id(of: incarnations.newest) else { throw StageError("the log has no ID") }
        let since = SystemClock.now - .days(300)
        var stream = try WindowStream(name, log: log, since: since)
        var left = commits - 4
        repeat {
            let some = min(left, 20_000)
            try stream.seal(some)
            left -= some
            try await stage.log.insert(stream.take(), of: name)
        } while left > 0
        _ = try await Rebuild(name, of: stage.log).run()
        return stream
    }

    /// Commits a second by as many writers as there are streams, each on a connection of its own.
    private func append(_ streams: inout [MigrationLog.Stream]) async throws -> Double {
        let conninfo = stage.conninfo
        let end = ContinuousClock.now + .seconds(seconds)
        let started = ContinuousClock.now
        let results = try await withThrowingTaskGroup(of: (Int, MigrationLog.Stream, Int).self) { group in
            for (index, stream) in streams.enumerated() {
                group.addTask {
                    let log = MigrationLog(pool: PostgresPool(conninfo, name: "writer \(index)", limit: 1))
                    var stream = stream
                    var count = 0
                    while ContinuousClock.now < end {
                        guard let command = WindowStream.next(stream.state),
                            let performed = try await log.perform(worker: command, on: stream, by: "worker:w")
                        else { throw StageError("nothing to seal") }
                        stream = performed.stream
                        count += 1
                    }
                    await log.pool.close()
                    return (index, stream, count)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for (index, stream, _) in results { streams[index] = stream }
        return Double(results.reduce(0) { $0 + $1.2 }) / ((ContinuousClock.now - started) / .seconds(1))
    }

    // MARK: - Batches

    /// Rows, 100 to a transaction, beside COPY of the same: such as were verified before, and as an import does it, which verifies them.
    func imports() async throws {
        var stored: [(floor: Double, own: Double)] = [], verified: [(floor: Double, own: Double)] = []
        let log = stage.log
        let incarnations = try await log.incarnations()
        guard let id = incarnations.id(of: incarnations.newest) else { throw StageError("the log has no ID") }
        for round in 0..<rounds {
            let name = "import-\(round)"
            var stream = try WindowStream(name, log: id, since: SystemClock.now - .days(300))
            try stream.seal(20_000)
            let rows = stream.take()
            let started = ContinuousClock.now
            var verifier = StreamVerifier(name, log: incarnations, trust: TrustHistory())
            for row in rows { _ = try verifier.admit(row) }
            let inserting = ContinuousClock.now
            for start in stride(from: 0, to: rows.count, by: 100) {
                try await log.insert(Array(rows[start..<min(rows.count, start + 100)]), of: name)
            }
            let ended = ContinuousClock.now
            let copied = try floor.copyIn(name)
            stored.append((copied, Double(rows.count) / ((ended - inserting) / .seconds(1))))
            verified.append((copied, Double(rows.count) / ((ended - started) / .seconds(1))))
            _ = try await Rebuild(name, of: log).run()
        }
        for (what, pairs) in [("of rows that are verified already", stored), ("verified", verified)] {
            tell(
                "import, 100 commits a transaction, \(what)",
                pairs,
                unit: "commits/s",
                floor: "COPY of the same rows, 100 a transaction",
                goal: "0.66"
            )
        }
    }

    // MARK: - Replay

    func replay(_ count: Int) async throws {
        let names = ["replay-0", "replay-1"]
        for name in names { try await fill(name, count / 2) }
        try await sealAll()
        try stage.sql("vacuum analyze migrate.commit")
        var pairs: [(floor: Double, own: Double)] = []
        let log = stage.log
        for _ in 0..<rounds {
            let copied = ContinuousClock.now
            _ = try stage.tool(
                "psql",
                [
                    "-q", "-o", "/dev/null", "-c",
                    "copy (select version, incarnation, command_id, actor, at, body, prev, hash from migrate.commit where stream in ('replay-0', 'replay-1') order by stream, version) to stdout",
                ]
            )
            let floor = Double(count) / ((ContinuousClock.now - copied) / .seconds(1))
            let started = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in names {
                    group.addTask {
                        let report = try await Replay(name, of: log).run { _ in }
                        if let divergence = report.divergence { throw divergence }
                    }
                }
                try await group.waitForAll()
            }
            pairs.append((floor, Double(count) / ((ContinuousClock.now - started) / .seconds(1))))
        }
        tell(
            "replay: read, verified, folded, decided again, on two cores",
            pairs,
            unit: "commits/s",
            floor: "COPY of the same rows to stdout",
            goal: "0.30, aim 0.50"
        )
    }

    // MARK: - Order

    private func sealAll() async throws {
        try await wait("everything to be sealed", seconds: 600) {
            while try await stage.log.sealNext(limit: 5000) > 0 {}
            return try await stage.log.horizon().unsealed == 0
        }
    }

    func sealing() async throws {
        let count = 40_000
        try await fill("sealing", count)
        let started = ContinuousClock.now
        try await sealAll()
        let rate = Double(count) / ((ContinuousClock.now - started) / .seconds(1))
        Output.line("sealing: \(Int(rate)) commits/s, with the tree over them")
    }

    /// From before a commit that changes a route to its arrival at a follower, beside a bare insert with a notification.
    func notification() async throws {
        var own: [Int64] = [], bare: [Int64] = []
        let log = stage.log
        try await fill("notify", 10)
        let follower = try await Follower(MigrationLog.routeChannel, on: stage)
        let floor = try await BareCommit(stage)
        for turn in 0..<200 {
            bare.append(try await floor.time())
            let known = try await log.load("notify")
            own.append(
                try await follower.time {
                    _ = try await log.perform(
                        .setFlag(service: nil, enabled: turn % 2 == 1, reason: "measured"),
                        on: "notify",
                        by: "bench",
                        known: known
                    )
                }
            )
        }
        await follower.close()
        await floor.close()
        for (what, micros) in [("commit to follower", own), ("bare insert and NOTIFY", bare)] {
            Output.line("notification: \(what): p50 \(Self.text(micros, 50)), p99 \(Self.text(micros, 99))")
        }
    }

    // MARK: - Sizes

    /// Appending to and loading from a log of ten thousand commits, and of more.
    func sizes(upTo largest: Int) async throws {
        var size = 10_000
        var first: (append: Double, load: Double)?
        var filled = 0
        while size <= largest {
            // One long stream and many more beside it: the log grows, and so does the stream that is measured.
            let name = "size-\(size)"
            try await fill(name, size - filled)
            filled = size
            var stream = [try await stage.log.load(name)]
            // The first append keeps a snapshot, which an import does not.
            try await goOn(&stream[0])
            try stage.sql("analyze migrate.commit")
            var appends: [Double] = [], loads: [Double] = []
            for _ in 0..<rounds {
                appends.append(try await append(&stream))
                try await goOn(&stream[0])
                let started = ContinuousClock.now
                for _ in 0..<20 { _ = try await stage.log.load(name) }
                loads.append((ContinuousClock.now - started) / .seconds(1) / 20 * 1_000)
            }
            let append = Quantile.median(appends), load = Quantile.median(loads)
            let base = first ?? (append, load)
            first = base
            Output.line(
                "a log of \(size) commits: append \(Int(append))/s (\(Self.ratio(base.append / append)) of the first’s time), load \(Self.ratio(load)) ms (\(Self.ratio(load / base.load))) (goal ≤ 1.2)"
            )
            size *= 10
        }
    }

    /// Appends until half of what comes between two snapshots lies behind the last.
    private func goOn(_ stream: inout MigrationLog.Stream) async throws {
        repeat {
            guard let command = WindowStream.next(stream.state),
                let performed = try await stage.log.perform(worker: command, on: stream, by: "worker:w")
            else { return }
            stream = performed.stream
        } while stream.folded != 128
    }

    /// The gate of a new release over everything that was written here, as people run it, and the most memory that it took.
    func replayAll() async throws {
        try await sealAll()
        let commits = try await stage.log.heads().reduce(0) { $0 + $1.version }
        let started = ContinuousClock.now
        let most = try await stage.memory(of: ["replay", "--all"])
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        Output.line(
            "replay --all: \(commits) commits in \(Decimals.text(Int(seconds * 10), scale: 10)) s, at most \(most >> 20) MB (goal < 300)"
        )
        guard most < 300 << 20 else { throw StageError("replay --all took more memory than it may") }
    }

    // MARK: - Telling

    private func tell(
        _ what: String,
        _ pairs: [(floor: Double, own: Double)],
        unit: String,
        floor: String,
        goal: String
    ) {
        let ratio = Quantile.median(pairs.map { $0.own / $0.floor })
        let own = Int(Quantile.median(pairs.map(\.own))), base = Int(Quantile.median(pairs.map(\.floor)))
        Output.line("\(what): \(own) \(unit), ratio \(Self.ratio(ratio)) to \(floor) (\(base)/s) (goal ≥ \(goal))")
    }

    private static func ratio(_ value: Double) -> String { Decimals.text(Int(value * 100), scale: 100) }
    private static func text(_ micros: [Int64], _ percent: Int) -> String {
        guard !micros.isEmpty else { return "–" }
        return Decimals.text(Int(Quantile.of(micros, percent) / 10), scale: 100) + " ms"
    }
}
