package import MigrationCore
import Randomness
import Routing

/// How large a simulated fleet is, and how fast its parts do their work.
package struct FleetSetting: Sendable {
    package var workers: Int
    /// Of each environment of each migration.
    package var routers: Int
    /// How often workers and routers look by themselves; notifications come before that.
    package var pollEvery: TimeSpan
    package var leaseLife: TimeSpan
    /// How long a message takes at least, and at most while nothing is wrong.
    package var latency: ClosedRange<Int64>
    /// Nil for a world in which nothing goes wrong.
    package var weather: Weather?
    package var mutant: Mutant?

    package init(
        workers: Int,
        routers: Int,
        pollEvery: TimeSpan,
        leaseLife: TimeSpan,
        latency: ClosedRange<Int64> = 1_000...20_000,
        weather: Weather? = nil,
        mutant: Mutant? = nil
    ) {
        self.workers = workers
        self.routers = routers
        self.pollEvery = pollEvery
        self.leaseLife = leaseLife
        self.latency = latency
        self.weather = weather
        self.mutant = mutant
    }
}

/// Workers, routers, people and migrations around one database, on one virtual clock: the real core, the real worker's machine and the
/// real fence, and everything between them simulated. The same seed makes the same things happen.
struct Fleet: Sendable {
    /// Something that is to happen.
    enum Occurrence: Sendable {
        case turn(worker: Int, migration: Int, turn: UInt32)
        indirect case arrive(worker: Int, migration: Int, turn: UInt32, attempt: VirtualWorker.Attempt)
        /// Over a connection that ends with the router’s life.
        indirect case route(router: Int, life: UInt32, table: RouteTable)
        case poll(router: Int, life: UInt32)
        indirect case report(router: Int, report: VirtualLog.Report)
        case windowEnds(router: Int, life: UInt32)
        indirect case handIn(router: Int, life: UInt32, tries: Int, signal: RouterSignal)
        indirect case answer(worker: Int, migration: Int, reading: SourceReading)
        case glance(migration: Int)
        indirect case command(migration: Int, id: Int, given: PersonsCommand)
        case strike
        case ends(trouble: Trouble)
        /// An operator removes a router's state file and starts it again.
        case wipe(router: Int)
    }

    let setting: FleetSetting
    let traffic: any Traffic
    let crew: any Crew
    var now: Timestamp
    var random: SplitMix
    var queue = EventQueue<Occurrence>()
    var logs: [VirtualLog] = []
    var referees: [Referee] = []
    var routers: [VirtualRouter] = []
    /// The routers of each migration, by their places in `routers`.
    var fleets: [[Int]] = []
    var workers: [VirtualWorker] = []
    var conditions = Conditions()
    var nextID = 0
    /// Commands of people that are not in the log yet, by ID.
    var open: Set<Int> = []
    /// Nothing goes wrong any more, and people only help.
    var isFair: Bool
    private(set) var steps = 0
    var commits = 0
    private(set) var trace = Mix()
    var tally = Tally()
    /// Told what happens, for the story of a violation; nil when nobody listens.
    var listener: (@Sendable (Timestamp, String) -> Void)?

    /// What is wrong with everything at the moment.
    struct Conditions: Sendable {
        var isDatabaseAway = 0
        var areBackendsKilled = 0
        var isNetworkBad = 0
        var isNetworkSlow = 0
        /// Counts sessions with the database: a failover ends them all.
        var session = 0
    }

    /// - Parameters:
    ///   - plans: one migration each.
    ///   - start: when it begins.
    init(
        _ setting: FleetSetting,
        plans: [Plan],
        traffic: any Traffic,
        crew: any Crew,
        start: Timestamp,
        seed: UInt64
    ) throws(Violation) {
        self.setting = setting
        self.traffic = traffic
        self.crew = crew
        now = start
        random = SplitMix(seed: seed)
        isFair = setting.weather == nil
        workers = (0..<setting.workers).map { VirtualWorker(name: "w\($0 + 1)", posts: []) }
        for plan in plans { try add(plan) }
        if setting.weather != nil { queue.push(.strike, at: now.rawValue + 1_000_000) }
    }

    // MARK: - Migrations

    /// Plans a migration, with its routers.
    mutating func add(_ plan: Plan) throws(Violation) {
        let index = logs.count
        logs.append(VirtualLog(name: plan.name, canRewind: setting.weather != nil))
        referees.append(Referee(mutant: setting.mutant))
        fleets.append([])
        for worker in workers.indices {
            workers[worker].posts.append(post())
            schedule(worker, index, at: now)
        }
        try begin(plan, index)
        queue.push(.glance(migration: index), at: now.rawValue)
    }

    func post() -> VirtualWorker.Post {
        VirtualWorker.Post(
            machine: WorkerMachine(reassertEvery: setting.pollEvery, pollEvery: setting.pollEvery),
            lease: LeaseMachine(life: setting.leaseLife)
        )
    }

    private mutating func begin(_ plan: Plan, _ index: Int) throws(Violation) {
        for environment in plan.environments {
            for number in 1...max(1, setting.routers) {
                let place = routers.count
                routers.append(
                    VirtualRouter(
                        name: "\(environment)-\(number)",
                        migration: index,
                        environment: environment,
                        meter: VirtualRouter.Meter(k: 0, isWhole: false, until: now, exposure: [])
                    )
                )
                fleets[index].append(place)
            }
        }
        try perform(
            PersonsCommand(command: .plan(plan: plan, hash: "plan"), actor: "ana"),
            id: newID(),
            on: index
        )
        for router in fleets[index] { start(router) }
    }

    /// Puts a new migration in the place of one that is over; what was meant for the old one is nothing to it.
    mutating func replace(_ index: Int, by plan: Plan) throws(Violation) {
        try referees[index].checkWhole(logs[index])
        logs[index] = VirtualLog(name: plan.name, canRewind: setting.weather != nil)
        referees[index] = Referee(mutant: setting.mutant)
        for router in fleets[index] { routers[router].life &+= 1; routers[router].isUp = false }
        fleets[index] = []
        for worker in workers.indices {
            let turn = workers[worker].posts[index].turn
            workers[worker].posts[index] = post()
            workers[worker].posts[index].turn = turn &+ 1
            schedule(worker, index, at: now)
        }
        try begin(plan, index)
    }

    mutating func newID() -> Int {
        nextID += 1
        return nextID
    }

    // MARK: - The clock

    /// Lets everything happen up to a moment.
    mutating func run(until end: Timestamp) throws(Violation) {
        while let next = queue.nextTime, next <= end.rawValue, let (at, occurrence) = queue.pop() {
            now = max(now, Timestamp(rawValue: at))
            steps += 1
            try happen(occurrence)
        }
        now = max(now, end)
    }

    private mutating func happen(_ occurrence: Occurrence) throws(Violation) {
        mark(occurrence)
        switch occurrence {
        case .turn(let worker, let migration, let turn): try self.turn(worker, migration, turn)
        case .arrive(let worker, let migration, let turn, let attempt): try arrive(worker, migration, turn, attempt)
        case .route(let router, let life, let table): try deliver(table, to: router, life)
        case .poll(let router, let life): poll(router, life)
        case .report(let router, let report): take(report, of: router)
        case .windowEnds(let router, let life): windowEnds(router, life)
        case .handIn(let router, let life, let tries, let signal): handIn(router, life, tries, signal)
        case .answer(let worker, let migration, let reading): answer(worker, migration, reading)
        case .glance(let migration): try glance(migration)
        case .command(let migration, let id, let given): try perform(given, id: id, on: migration)
        case .strike: strike()
        case .ends(let trouble): end(trouble)
        case .wipe(let router): wipe(router)
        }
    }

    /// Adds what happens to the run's trace.
    private mutating func mark(_ occurrence: Occurrence) {
        let (kind, who, what): (Int64, Int, Int) =
            switch occurrence {
            case .turn(let worker, let migration, _): (1, worker, migration)
            case .arrive(let worker, let migration, _, let attempt): (2, worker * 64 + migration, attempt.events.count)
            case .route(let router, _, let table): (3, router, Int(truncatingIfNeeded: table.revision))
            case .poll(let router, _): (4, router, 0)
            case .report(let router, let report): (5, router, Int(truncatingIfNeeded: report.revision))
            case .windowEnds(let router, _): (6, router, 0)
            case .handIn(let router, _, let tries, let signal): (7, router * 16 + tries, signal.requests)
            case .answer(let worker, let migration, let reading):
                (13, worker * 64 + migration, reading.reading.isFailed ? 1 : 0)
            case .glance(let migration): (8, migration, 0)
            case .command(let migration, let id, _): (9, migration, id)
            case .strike: (10, 0, 0)
            case .ends(let trouble): (11, trouble.kind, 0)
            case .wipe(let router): (12, router, 0)
            }
        trace.add(now.rawValue &* 16 &+ kind)
        trace.add(who &* 1_000_003 &+ what)
    }

    func tell(_ words: @autoclosure () -> String) { listener?(now, words()) }

    // MARK: - Chance

    mutating func chance(_ probability: Double) -> Bool { random.unit() < probability }

    /// A time with an exponential distribution.
    mutating func waiting(_ mean: TimeSpan) -> Int64 {
        let unit = max(1e-9, random.unit())
        return max(1, Int64(-Transcendental.ln(unit) * Double(mean.rawValue)))
    }

    /// When a message that is sent now arrives.
    mutating func arrival() -> Int64 {
        var delay = Int64.random(in: setting.latency, using: &random)
        if conditions.isNetworkSlow > 0 { delay += waiting(.seconds(5)) }
        if conditions.isNetworkBad > 0, chance(0.3) { delay += waiting(.seconds(60)) }
        return now.rawValue + delay
    }

    /// Sends something: it arrives once, or not at all, or twice.
    mutating func send(_ occurrence: Occurrence) {
        if conditions.isNetworkBad > 0 {
            if chance(0.25) { return }
            if chance(0.25) {
                let again = arrival()
                queue.push(occurrence, at: again)
            }
        }
        let arrival = arrival()
        queue.push(occurrence, at: arrival)
    }

    func migrationRouters(_ index: Int) -> [VirtualRouter] { fleets[index].map { routers[$0] } }
}
