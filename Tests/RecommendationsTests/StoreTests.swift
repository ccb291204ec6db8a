import Cache
import Callable
import JSON
import Postgres
import Recommendations
import Resumes
import TestSupport
import Testing

@Suite("The store", .database)
struct StoreTests {
    private func store() async throws -> JobStore {
        let store = JobStore(pool: PostgresPool(try TestDatabase.conninfo, name: "test"))
        try await store.install()
        return store
    }

    private func found(_ job: JobStore.Job) throws -> [Recommendation] {
        Engine(now: ResumeDate(year: 2026, month: 11)).recommendations(for: try Resume(job.resume))
    }

    @Test("keeps jobs and recommendations, and replaces only when asked, or with another résumé")
    func keeps() async throws {
        let store = try await store()
        try await store.install()
        try await store.add([("job-1", "ana", Seeds.resume(1))])
        try await store.add([("job-1", "eve", Seeds.resume(2))])
        let job = try #require(try await store.job("job-1"))
        #expect(job.owner == "ana")
        #expect(job.resume == Seeds.resume(1))
        #expect(try await store.job("job-2") == nil)
        var found = try found(job)
        try await store.keep(found, of: job, replacing: false)
        found[0].title = "changed"
        try await store.keep([found[0]], of: job, replacing: false)
        #expect(try await store.recommendations([found[0].id], of: "job-1").first?.title != "changed")
        try await store.keep([found[0]], of: job, replacing: true)
        #expect(try await store.recommendations([found[0].id, "none"], of: "job-1").map(\.title) == ["changed"])
        try await store.put(Seeds.resume(3), into: "job-1", of: "ana")
        #expect(try await store.recommendations([found[0].id], of: "job-1").isEmpty)
        #expect(try await store.head("job-1")?.version == 3)
        await #expect(throws: CallableError.self) { try await store.put(Seeds.resume(3), into: "job-1", of: "eve") }
    }

    @Test("what nobody knows of a résumé comes back as it was")
    func unknown() async throws {
        let store = try await store()
        let value = try JSONValue(
            parsing:
                #"{"x":{"n":12345678901234567890.5,"list":[1,2.50,"é😀"],"none":null},"basics":{"name":"A","extra":true}}"#
        )
        try await store.put(value, into: "job-x", of: "ana")
        #expect(try await store.job("job-x")?.resume == value)
    }

    @Test("the second tier in PostgreSQL: read, write, invalidate, sweep; a write that was overtaken is never read")
    func tier() async throws {
        _ = try await store()
        let tier = PostgresTier(pool: PostgresPool(try TestDatabase.conninfo, name: "test"))
        try await tier.install()
        let tags = [CacheTag("job", "1"), CacheTag("user", "ana")]
        let before = try await tier.generation(tags)
        #expect(try await tier.read("k") == nil)
        try await tier.write("k", [0, 1, 255], tags: tags, generation: before)
        let entry = try #require(try await tier.read("k"))
        #expect(entry.bytes == [0, 1, 255] && entry.age < .seconds(60))
        try await tier.invalidate(tags[1])
        #expect(try await tier.read("k") == nil)
        try await tier.write("k", [2], tags: tags, generation: before)
        #expect(try await tier.read("k") == nil)
        let after = try await tier.generation(tags)
        try await tier.write("k", [3], tags: tags, generation: after)
        try await tier.write("k", [4], tags: tags, generation: before)
        #expect(try await tier.read("k")?.bytes == [3])
        #expect(try await tier.sweep(olderThan: .seconds(3_600), most: 10) == 0)
        #expect(try await tier.sweep(olderThan: .seconds(0), most: 10) == 1)
    }
}
