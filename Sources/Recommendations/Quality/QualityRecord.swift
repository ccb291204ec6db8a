import Foundation
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

/// Counts good answers and all answers, and writes the counts down every second: what a plan's source asks for with SQL.
final class QualityRecord: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(1)
    /// Seconds that wait for a database that is away; older ones are given up.
    private static let most = 600

    private struct Key: Hashable {
        var second: Int
        var operation: String
    }

    private struct Count {
        var answers = 0
        var good = 0
    }

    private let implementation: String
    private let pool: PostgresPool
    private let logger: Logger
    private let counts = Mutex<[Key: Count]>([:])

    init(implementation: String, pool: PostgresPool, logger: Logger) {
        self.implementation = implementation
        self.pool = pool
        self.logger = logger
    }

    func count(_ operation: Operation, _ quality: AnswerQuality) {
        let key = Key(second: Int(Date.now.timeIntervalSince1970), operation: operation.rawValue)
        counts.withLock { counts in
            counts[key, default: Count()].answers += 1
            if quality.isGood { counts[key, default: Count()].good += 1 }
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.pause)
                await self.flush()
            }
        }
        await flush()
    }

    /// What is older than a month is given up, a little with every flush.
    private static let old = PostgresStatement(
        """
        delete from recommendations.quality where ctid = any (array(
            select ctid from recommendations.quality where at < clock_timestamp() - interval '30 days' limit 100))
        """,
        []
    )

    private func flush() async {
        let taken = counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
        guard !taken.isEmpty else { return }
        let statements = taken.map { key, count in
            PostgresStatement(
                """
                insert into recommendations.quality (implementation, operation, at, answers, good)
                values ($1::text, $2::text, to_timestamp($3::bigint), $4::bigint, $5::bigint)
                on conflict (at, implementation, operation)
                do update set answers = quality.answers + excluded.answers, good = quality.good + excluded.good
                """,
                [.text(implementation), .text(key.operation), .int(key.second), .int(count.answers), .int(count.good)]
            )
        }
        do {
            try await pool.transact { connection in _ = try connection.pipeline(statements + [Self.old]) }
        } catch {
            logger.warning("the quality of answers was not written down", metadata: ["reason": "\(error)"])
            let now = Int(Date.now.timeIntervalSince1970)
            counts.withLock { counts in
                for (key, count) in taken where key.second > now - Self.most {
                    counts[key, default: Count()].answers += count.answers
                    counts[key, default: Count()].good += count.good
                }
            }
        }
    }
}
