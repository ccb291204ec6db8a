import Cache
import Testing

@Suite("S3-FIFO")
struct S3FIFOTests {
    @Test("what is wanted twice stays, what is wanted once makes room")
    func promotion() {
        var cache = S3FIFO<Int, Int>(capacity: 20)
        for key in 0..<20 { cache.set(key, key) }
        for key in 0..<4 { for _ in 0..<2 { #expect(cache.value(key) == key) } }
        // A scan that is longer than the cache.
        for key in 100..<400 { cache.set(key, key) }
        #expect(cache.count == 20)
        #expect(cache.evictions == 300)
        #expect(cache.peek(399) == 399)
        for key in 0..<4 { #expect(cache.peek(key) == key) }
        #expect((101..<390).allSatisfy { cache.peek($0) == nil })
    }

    @Test("one that comes back soon after it went is kept longer")
    func ghost() {
        var cache = S3FIFO<Int, Int>(capacity: 100)
        for key in 0..<150 { cache.set(key, key) }
        let gone = (0..<150).filter { cache.peek($0) == nil }
        cache.set(gone[gone.count - 1], 1)
        for key in 1_000..<1_060 { cache.set(key, key) }
        #expect(cache.peek(gone[gone.count - 1]) == 1)
    }

    @Test("costs are added up, and what is too dear is not kept")
    func costs() {
        var cache = S3FIFO<String, Int>(capacity: 100)
        cache.set("a", 1, cost: 101)
        #expect(cache.count == 0)
        cache.set("a", 1, cost: 60)
        cache.set("b", 2, cost: 40)
        #expect(cache.cost == 100)
        cache.set("b", 3, cost: 50)
        #expect(cache.cost <= 100)
        // Nor in the place of one that was not; and no other goes for it.
        cache.set("b", 4, cost: 40)
        cache.set("a", 5, cost: 101)
        #expect(cache.peek("a") == nil && cache.peek("b") == 4)
        cache.remove("a")
        cache.remove("b")
        cache.remove("c")
        #expect(cache.count == 0 && cache.cost == 0)
    }

    /// Against a plain model: what is there is what was put there last, and the limits hold after every step.
    @Test("a hundred thousand random steps", arguments: [1, 2, 10, 97])
    func random(_ capacity: Int) {
        var cache = S3FIFO<Int, Int>(capacity: capacity)
        var last: [Int: Int] = [:]
        var random = SystemRandomNumberGenerator()
        for step in 0..<100_000 {
            let key = Int(random.next() % UInt64(capacity * 3))
            switch random.next() % 10 {
            case 0:
                cache.remove(key)
                last[key] = nil
            case 1..<5:
                cache.set(key, step, cost: 1 + step % 3)
                last[key] = step
            default: if let value = cache.value(key) { #expect(value == last[key]) }
            }
            if cache.cost > capacity { Issue.record("over the limit after \(step)") }
        }
        #expect(cache.count <= capacity)
    }
}
