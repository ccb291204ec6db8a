/// Texts that mutation begins with.
enum SampleText {
    static let plan = """
        migration: shop
        services:
          reads:  { legacy: "http://127.0.0.1:9101", candidate: "http://127.0.0.1:9201" }
          writes: { legacy: "http://[::1]:9101", candidate: "http://127.0.0.1:9201", path: /w, timeout: 5s }
        sticky_by: [header:x-user-id, cookie:session, client_ip]
        window: 10s
        baseline: record 10m
        sources:
          quality: { url: "http://127.0.0.1:9/q?env={environment}&from={from}", unit: ratio, better: high, timeout: 2s }
        checks:
          e2e: { run: ["/usr/bin/env", "true"], timeout: 5m, then: rollback }
          drill: { timeout: 1d }
        stages:
          - { name: a, environment: p, services: [reads], steps: [10%, 100%], bake: 10m }
          - name: b
            environment: p
            services: [writes]
            after: [a]
            steps: [0%, 100%]
            bake: 10m
            checks: [e2e, drill]
            approval: { before: 100%, by: 2, of: [ana, ben], timeout: 1h, then: rollback }
            limit: 6h
        criteria:
          - timeout_rate improved by 87% on baseline
          - error_rate no worse than legacy by 1.5x (confidence 99%, users 30)
          - quality > 95%
        rollback:
          - error_rate > 2% for 2m (scope service)
        freeze: [fri 16:00 - mon 08:00]
        watch: 24h
        expires: 14d

        """

    static let scenario = """
        start: 2026-12-01 09:00
        users: 20000
        traffic: { reads: 20/s, writes: 0.5/s }
        environments: { p: 40% }
        legacy: { errors: 0.9%, timeouts: 0.6%, latency: { p50: 9s, p95: 17s } }
        candidate: { errors: 0.3%, latency: { p50: 2s, p95: 8s }, cache_hits: 68%, sources: { quality: 97% } }
        changes:
          - { at: 2h10m, for: 30m, of: candidate, environment: p, service: reads, errors: 6% }
          - { at: 1d, of: traffic, times: 2.5 }
        people: { approve: after 20m, checks: pass after 5m }

        """

    static let windows =
        #"{"k":1,"requests":100,"errors":6,"timeouts":0,"cacheHits":1,"cacheMisses":2,"probesUp":5,"probesDown":0,"latencies":[12.5,3]}"#
        + "\n" + #"{"k":2,"requests":100}"# + "\n"
    static let pairs = #"{"k":1,"candidate":{"requests":10,"errors":1},"legacy":{"requests":90,"errors":1}}"# + "\n"

    /// What breaks parsers that did not expect it.
    static let hostile = [
        "&a", "*a", "<<: *a", "!!binary", "---", "...", "? ", "[[[[", "{{{{", "\t", "\u{0}", "\u{FEFF}", "\u{202E}",
        "999999999999999999999",
        "-1", "1e308", "NaN", "0x10", "%", "100.00001%", "(((", ")))", ",,", "\"", "'", "#", ": ", "- ", "|", ">",
        "\r\n", "é", "👩‍👩‍👧", "null",
    ]
}
