import CMalloc

/// The heap of this program.
enum Heap {
    /// What was taken of it and not given back, in bytes; what each thread keeps for its next use is counted, as far as the allocator lets it (glibc, `mallinfo2`).
    ///
    /// Looking holds up whoever allocates meanwhile, for as long as it takes to walk the free parts.
    static var used: Int {
        let heap = mallinfo2()
        return Int(clamping: heap.uordblks) + Int(clamping: heap.hblkhd)
    }
}
