import Logging
import MigrationCore
import TestSupport
import Testing
import Worker

@Suite("Checks that a worker runs")
struct CheckRunnerTests {
    private func result(_ how: Check.How, timeout: TimeSpan = .seconds(20)) async -> CheckRunner.Result? {
        var plan = SamplePlan.plan("shop")
        plan.checks = [Check(name: "e2e", how: how, timeout: timeout)]
        plan.stages[1].checks = [0]
        let run = CheckRun(check: 0, name: "e2e", position: Position(stage: 1, step: 1), since: Timestamp(rawValue: 0))
        var logger = Logger(label: "checks")
        logger.logLevel = .critical
        return await CheckRunner(plan: plan, run: run, logger: logger).result()
    }

    @Test("a program passes by its exit code, is told what it is about, and what it said is kept")
    func program() async {
        let script = "echo $MIGRATE_MIGRATION $MIGRATE_CHECK $MIGRATE_STAGE $MIGRATE_ENVIRONMENT $MIGRATE_WEIGHT"
        let good = await result(.process(arguments: ["/bin/sh", "-c", script]))
        #expect(good?.isPassed == true)
        #expect(good?.detail == "shop e2e production production 50")
        let bad = await result(.process(arguments: ["/bin/sh", "-c", "echo two tests fail >&2; exit 3"]))
        #expect(bad?.isPassed == false)
        #expect(bad?.detail == "exit code 3: two tests fail")
    }

    @Test("of a program that says much the end is kept, and one that says too much is ended")
    func much() async {
        let lines = await result(.process(arguments: ["/bin/sh", "-c", "seq 1 200000"]))
        #expect(lines?.isPassed == true)
        #expect(lines?.detail.hasSuffix("199999\n200000") == true && lines?.detail.utf8.count ?? 0 <= 500)
        let endless = await result(.process(arguments: ["/bin/sh", "-c", "head -c 80000000 /dev/zero; exec sleep 60"]))
        #expect(endless?.isPassed == false)
        #expect(endless?.detail == "it wrote more than 64 MiB, and was ended")
    }

    @Test("a program that is not there has failed")
    func absent() async {
        let result = await result(.process(arguments: ["/nowhere/e2e"]))
        #expect(result?.isPassed == false)
        #expect(result?.detail.contains("/nowhere/e2e") == true)
    }

    @Test("an address passes by its status, is told what it is about, and what it said is kept")
    func webhook() async throws {
        let upstream = try await TestUpstream(
            .says { request in
                let isTold = request.contains("\"check\":\"e2e\"") && request.contains("\"weight\":\"50\"")
                let isLoad = request.hasPrefix("POST /load ")
                let status = isLoad && isTold ? "200 OK" : "500 Internal Server Error"
                let said = isLoad ? "all went well" : "two tests fail"
                return "HTTP/1.1 \(status)\r\ncontent-length: \(said.utf8.count)\r\n\r\n\(said)"
            }
        )
        let good = await result(.webhook(url: "http://127.0.0.1:\(upstream.port)/load"))
        #expect(good?.isPassed == true)
        #expect(good?.detail == "all went well")
        let bad = await result(.webhook(url: "http://127.0.0.1:\(upstream.port)/other"))
        #expect(bad?.isPassed == false)
        #expect(bad?.detail == "500: two tests fail")
        await upstream.close()
    }

    @Test("what has shown nothing in its time has neither passed nor failed")
    func silent() async {
        #expect(await result(.process(arguments: ["/bin/sleep", "60"]), timeout: .milliseconds(300)) == nil)
        #expect(await result(.webhook(url: "http://127.0.0.1:1/load"), timeout: .milliseconds(300)) == nil)
        #expect(await result(.reported) == nil)
    }

    @Test("an address that begins an answer and never ends it has shown nothing")
    func endless() async throws {
        let upstream = try await TestUpstream(.says { _ in "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun" })
        let url = "http://127.0.0.1:\(upstream.port)/load"
        #expect(await result(.webhook(url: url), timeout: .milliseconds(500)) == nil)
        await upstream.close()
    }
}
