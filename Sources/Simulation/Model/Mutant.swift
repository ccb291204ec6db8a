/// A deliberate mistake. Each breaks an invariant, and a search that does not find it is worth nothing.
package enum Mutant: String, Sendable, CaseIterable {
    // 7-faults.md names these four.
    case leaseInsteadOfCompareAndSet = "a lease check without compare-and-set"
    case fenceOnEpoch = "a fence on the lease's epoch instead of the revision"
    case routerForgets = "a router that forgets its revision at a restart"
    case advanceOnMissing = "an advance on missing data"
    // One and more for each other invariant.
    case foldForgets = "a fold that leaves approvals out of the snapshot"
    case versionGap = "a store that leaves a version out"
    case retryWithoutLookup = "a retry that does not look its command up"
    case weightTwice = "an environment that has two weights"
    case noFence = "a router without a fence"
    case weightOfAnother = "a router that takes another table's weights with a revision"
    case advanceWhileHalted = "an advance while halted"
    case leap = "a step that is left out"
    case bakeBeforeAcknowledgement = "a bake that begins before the acknowledgement"
    case stepTwice = "a step that is entered twice"
    case judgedTwice = "a window that is judged again when it is sealed again"
    case acknowledgedUnheard = "a rollback that is taken for acknowledged by one router alone"
    case overrideLost = "an override that is dropped without a word"
    case rollbackRefusedWhileHalted = "a rollback that is refused while halted"
    case advanceFirst = "an advance that comes before a breach"
    case bucketsDealtAnew = "buckets that are dealt anew with every weight"
    case toldOnce = "a worker that tells a router only once"
    case workersClock = "a decision by the worker's own clock"
    case approvalOfAnybody = "an approval that counts whoever gives it"
    case approvalTwice = "one person's two approvals"
    case lossUnnoticed = "a lost tail that nobody notices"

    /// The invariant that it breaks, by its number in 1-core.md.
    package var breaks: Int {
        switch self {
        case .foldForgets: 1
        case .versionGap: 2
        case .retryWithoutLookup: 3
        case .weightTwice: 4
        case .routerForgets: 5
        case .weightOfAnother: 6
        case .fenceOnEpoch, .noFence, .acknowledgedUnheard: 7
        case .advanceWhileHalted: 8
        case .leap: 9
        case .bakeBeforeAcknowledgement: 10
        case .advanceOnMissing: 11
        case .judgedTwice: 12
        case .stepTwice: 13
        case .leaseInsteadOfCompareAndSet: 14
        case .overrideLost: 15
        case .rollbackRefusedWhileHalted: 16
        case .advanceFirst: 17
        case .bucketsDealtAnew: 18
        case .toldOnce, .lossUnnoticed: 19
        case .workersClock: 20
        case .approvalOfAnybody, .approvalTwice: 21
        }
    }

    /// The small world in which it shows soonest.
    package var world: SmallWorld {
        switch self {
        case .advanceWhileHalted, .bakeBeforeAcknowledgement, .leap: .twoServices
        case .rollbackRefusedWhileHalted: .gates
        case .lossUnnoticed: .lostTail
        case .advanceOnMissing, .judgedTwice, .advanceFirst, .workersClock, .stepTwice, .toldOnce: .unattended
        case .leaseInsteadOfCompareAndSet, .fenceOnEpoch, .routerForgets, .foldForgets, .versionGap,
            .retryWithoutLookup, .weightTwice, .noFence, .weightOfAnother, .acknowledgedUnheard, .overrideLost,
            .bucketsDealtAnew, .approvalOfAnybody:
            .oneService
        case .approvalTwice: .twoPeople
        }
    }
}
