/// What is to happen, in the order of its time; what is due at the same moment happens in the order in which it was put in.
struct EventQueue<Item: Sendable>: Sendable {
    private struct Entry: Sendable {
        var at: Int64
        var order: UInt64
        var item: Item

        func comesBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    /// A binary heap: no entry comes before its parent at (i − 1) / 2.
    private var heap: [Entry] = []
    private var order: UInt64 = 0

    var nextTime: Int64? { heap.first?.at }

    mutating func push(_ item: Item, at: Int64) {
        order += 1
        heap.append(Entry(at: at, order: order, item: item))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].comesBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> (at: Int64, item: Item)? {
        guard let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return (last.at, last.item) }
        let first = heap[0]
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].comesBefore(heap[least]) {
                least = child
            }
            if least == parent { return (first.at, first.item) }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
