import LanguageModel
import Testing

@Suite("Trying a model again")
struct RetryTests {
    @Test(
        "statuses that are worth it, and the server's own word before them",
        arguments: [
            (200, nil, false), (400, nil, false), (401, nil, false), (408, nil, true), (409, nil, true),
            (422, nil, false), (429, nil, true), (500, nil, true),
            (503, nil, true), (529, nil, true), (429, "false", false), (400, "true", true), (500, "maybe", true),
        ] as [(Int, String?, Bool)]
    )
    func statuses(_ status: Int, _ shouldRetry: String?, _ isWorth: Bool) {
        #expect(RetryPolicy.isWorthAnother(status: status, shouldRetry: shouldRetry) == isWorth)
    }

    @Test(
        "how long: what the server asks for, up to a minute; else half a second, doubled, at most eight, and a quarter less by chance",
        arguments: [
            (0, "20", "9", .milliseconds(20)), (0, nil, "2", .seconds(2)), (3, nil, "1.5", .milliseconds(1_500)),
            (0, nil, "60", .seconds(60)), (0, nil, "61", .milliseconds(500)),
            (0, "60001", nil, .milliseconds(500)), (0, nil, "Thu, 01 Jan 1970 00:16:43 GMT", .seconds(3)),
            (0, nil, "Thu, 01 Jan 1970 00:30:00 GMT", .milliseconds(500)),
            (0, nil, "soon", .milliseconds(500)), (0, nil, "0", .milliseconds(500)), (0, nil, "-5", .milliseconds(500)),
            (0, nil, nil, .milliseconds(500)),
            (1, nil, nil, .seconds(1)), (3, nil, nil, .seconds(4)), (4, nil, nil, .seconds(8)),
            (60, nil, nil, .seconds(8)),
        ] as [(Int, String?, String?, Duration)]
    )
    func waits(_ attempt: Int, _ milliseconds: String?, _ after: String?, _ expected: Duration) {
        let policy = RetryPolicy(random: { 0 })
        #expect(policy.wait(attempt: attempt, milliseconds: milliseconds, after: after, now: 1_000) == expected)
        if milliseconds == nil, after == nil {
            #expect(
                RetryPolicy(random: { 1 }).wait(attempt: attempt, milliseconds: nil, after: nil, now: 1_000) == expected
                    * 0.75
            )
        }
    }
}
