/// By which version of its rules a commit was decided. It stands in the commit as its format: what an earlier release decided is decided by that
/// release's rules again, and folds as it folded there.
package struct Rules: Hashable, Sendable {
    package let version: Int

    package init(version: Int) { self.version = version }

    /// 1 and 2: as it began.
    /// 3: nothing goes forward before what is over is judged and what is due is done; who has a higher weight than is asked is not evicted; nothing
    /// completes before every router has its last weight; a rollback knows the evicted routers that have not heard of it.
    /// 4: as 3; what a check has printed that a worker ran is a text.
    package static let current = Rules(version: 4)

    /// Whether nothing goes forward on less than everything that can be known.
    var areStrict: Bool { version >= 3 }
}
