/// A bounded map that lets go of what is least likely to be wanted again: S3-FIFO, three queues.
///
///     new ──► small (10 %) ──wanted twice──► main (90 %) ──not wanted since its last round──► gone
///                └──────────not──────► ghost (keys alone) ──wanted again──► main
///
/// Source: Yang, Zhang, Qiu, Yue, Rashmi: “FIFO queues are all you need for cache eviction”, SOSP 2023, algorithm 1.
public struct S3FIFO<Key: Hashable, Value> {
    @usableFromInline enum Queue: Sendable { case small, main }

    @usableFromInline struct Node {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline var cost: Int
        @usableFromInline var queue: Queue
        /// How often it was wanted since it came, or since its last round through main.
        @usableFromInline var wanted: UInt8
        @usableFromInline var newer: Int32
        @usableFromInline var older: Int32

        @inlinable
        init(key: Key, value: Value, cost: Int, queue: Queue) {
            self.key = key
            self.value = value
            self.cost = cost
            self.queue = queue
            wanted = 0
            newer = -1
            older = -1
        }
    }

    /// A queue as a list of slots; an entry that is removed leaves it in one step.
    @usableFromInline struct List: Sendable {
        @inlinable init() {}
        @usableFromInline var newest: Int32 = -1
        @usableFromInline var oldest: Int32 = -1
        @usableFromInline var cost = 0
    }

    @inlinable static var none: Int32 { -1 }
    /// What was wanted so often while it was small goes to main.
    @inlinable static var promotion: UInt8 { 2 }
    /// No more rounds than these are earned in advance.
    @inlinable static var mostRounds: UInt8 { 3 }

    /// What all entries may cost together.
    public let capacity: Int
    @usableFromInline let smallCapacity: Int
    @usableFromInline let ghostCapacity: Int
    @usableFromInline var nodes: [Node?] = []
    @usableFromInline var free: [Int32] = []
    @usableFromInline var slots: [Key: Int32] = [:]
    @usableFromInline var small = List()
    @usableFromInline var main = List()
    @usableFromInline var ghost: [Key: (ticket: UInt64, cost: Int)] = [:]
    /// In the order in which they came; one that has come back since, or is gone, has another ticket or none in ``ghost``.
    @usableFromInline var ghosts = Ring<(key: Key, ticket: UInt64)>()
    /// What the keys in ``ghost`` cost together.
    @usableFromInline var ghostCost = 0
    @usableFromInline var ticket: UInt64 = 0
    @usableFromInline var isFull = false

    /// Entries that had to go for others.
    public var evictions: Int { evicted }
    @usableFromInline var evicted = 0

    /// - Parameter capacity: what all entries may cost together; with a cost of 1 each, how many there may be. At least 1.
    @inlinable
    public init(capacity: Int) {
        self.capacity = max(1, capacity)
        smallCapacity = max(1, capacity / 10)
        ghostCapacity = max(1, capacity * 9 / 10)
    }

    /// How many entries there are.
    @inlinable
    public var count: Int { slots.count }
    /// What they cost together.
    @inlinable
    public var cost: Int { small.cost + main.cost }

    /// The value of a key, which is then one that was wanted.
    @inlinable
    public mutating func value(_ key: Key) -> Value? {
        guard let slot = slots[key], let node = nodes[Int(slot)] else { return nil }
        if node.wanted < Self.mostRounds { nodes[Int(slot)]?.wanted = node.wanted + 1 }
        return node.value
    }

    /// The value of a key, without wanting it.
    @inlinable
    public func peek(_ key: Key) -> Value? { slots[key].flatMap { nodes[Int($0)]?.value } }

    /// Keeps a value, and lets go of others where there is no room; one that costs more than there is room for is not kept.
    @inlinable
    public mutating func set(_ key: Key, _ value: Value, cost: Int = 1) {
        let cost = max(1, cost)
        guard cost <= capacity else {
            // Nor is what it was to take the place of.
            remove(key)
            return
        }
        if let slot = slots[key], let old = nodes[Int(slot)] {
            nodes[Int(slot)]?.value = value
            nodes[Int(slot)]?.cost = cost
            change(old.queue) { $0.cost += cost - old.cost }
        } else {
            // Before room is made for it, which may push it out of the ghosts.
            let wasGhost = forget(key)
            while self.cost + cost > capacity { evict() }
            // Until something had to go there is nothing to tell the wanted from the rest by.
            let overflows = !isFull && small.cost + cost > smallCapacity
            insert(key, value, cost, wasGhost || overflows ? .main : .small)
        }
        while self.cost > capacity { evict() }
    }

    /// Removes a key, and gives its value.
    @discardableResult
    @inlinable
    public mutating func remove(_ key: Key) -> Value? {
        guard let slot = slots.removeValue(forKey: key), let node = nodes[Int(slot)] else { return nil }
        unlink(slot, node)
        nodes[Int(slot)] = nil
        free.append(slot)
        return node.value
    }

    @inlinable
    mutating func insert(_ key: Key, _ value: Value, _ cost: Int, _ queue: Queue) {
        let node = Node(key: key, value: value, cost: cost, queue: queue)
        let slot = free.popLast() ?? Int32(nodes.count)
        if Int(slot) == nodes.count { nodes.append(node) } else { nodes[Int(slot)] = node }
        slots[key] = slot
        link(slot, to: queue)
    }

    @inlinable
    mutating func evict() {
        isFull = true
        if main.cost > capacity - smallCapacity || small.cost == 0 { evictFromMain() } else { evictFromSmall() }
    }

    @inlinable
    mutating func evictFromSmall() {
        while small.oldest != Self.none, let node = nodes[Int(small.oldest)] {
            let slot = small.oldest
            unlink(slot, node)
            if node.wanted >= Self.promotion {
                nodes[Int(slot)]?.wanted = 0
                link(slot, to: .main)
            } else {
                drop(slot, node)
                remember(node.key, node.cost)
                return
            }
        }
    }

    @inlinable
    mutating func evictFromMain() {
        while main.oldest != Self.none, let node = nodes[Int(main.oldest)] {
            let slot = main.oldest
            unlink(slot, node)
            if node.wanted > 0 {
                nodes[Int(slot)]?.wanted = node.wanted - 1
                link(slot, to: .main)
            } else {
                return drop(slot, node)
            }
        }
    }

    @inlinable
    mutating func drop(_ slot: Int32, _ node: Node) {
        slots[node.key] = nil
        nodes[Int(slot)] = nil
        free.append(slot)
        evicted += 1
    }

    @inlinable
    mutating func remember(_ key: Key, _ cost: Int) {
        forget(key)
        ticket += 1
        ghost[key] = (ticket, cost)
        ghosts.append((key, ticket))
        ghostCost += cost
        while ghostCost > ghostCapacity, let oldest = ghosts.popFirst() {
            if ghost[oldest.key]?.ticket == oldest.ticket { forget(oldest.key) }
        }
        // Those that came back have left their places behind: once these are most of the queue, it goes round once without them.
        guard ghosts.count > 2 * ghost.count + 16 else { return }
        for _ in 0..<ghosts.count {
            guard let oldest = ghosts.popFirst() else { return }
            if ghost[oldest.key]?.ticket == oldest.ticket { ghosts.append(oldest) }
        }
    }

    /// Whether a key was among the ghosts; it is not any more.
    @discardableResult
    @inlinable
    mutating func forget(_ key: Key) -> Bool {
        guard let known = ghost.removeValue(forKey: key) else { return false }
        ghostCost -= known.cost
        return true
    }

    @inlinable
    mutating func link(_ slot: Int32, to queue: Queue) {
        guard let cost = nodes[Int(slot)]?.cost else { return }
        let newest = queue == .small ? small.newest : main.newest
        nodes[Int(slot)]?.queue = queue
        nodes[Int(slot)]?.older = newest
        nodes[Int(slot)]?.newer = Self.none
        if newest != Self.none { nodes[Int(newest)]?.newer = slot }
        change(queue) {
            $0.newest = slot
            if $0.oldest == Self.none { $0.oldest = slot }
            $0.cost += cost
        }
    }

    @inlinable
    mutating func unlink(_ slot: Int32, _ node: Node) {
        if node.newer != Self.none { nodes[Int(node.newer)]?.older = node.older }
        if node.older != Self.none { nodes[Int(node.older)]?.newer = node.newer }
        change(node.queue) {
            if $0.newest == slot { $0.newest = node.older }
            if $0.oldest == slot { $0.oldest = node.newer }
            $0.cost -= node.cost
        }
    }

    @inlinable
    mutating func change(_ queue: Queue, _ change: (inout List) -> Void) {
        switch queue {
        case .small: change(&small)
        case .main: change(&main)
        }
    }
}

extension S3FIFO: Sendable where Key: Sendable, Value: Sendable {}
extension S3FIFO.Node: Sendable where Key: Sendable, Value: Sendable {}

/// A queue in an array that is used round and round.
@usableFromInline struct Ring<Element> {
    @inlinable init() {}
    @usableFromInline var items: [Element?] = []
    @usableFromInline var first = 0
    @usableFromInline var count = 0

    @inlinable
    mutating func append(_ item: Element) {
        if count == items.count {
            let ordered = (0..<count).map { items[(first + $0) % count] }
            items = ordered + Array(repeating: nil, count: max(8, count))
            first = 0
        }
        items[(first + count) % items.count] = item
        count += 1
    }

    @inlinable
    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        defer {
            items[first] = nil
            first = (first + 1) % items.count
            count -= 1
        }
        return items[first]
    }
}

extension Ring: Sendable where Element: Sendable {}
