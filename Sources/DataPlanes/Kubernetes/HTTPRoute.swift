import JSON
import MigrationCore
import Routing

/// An HTTPRoute of the Kubernetes Gateway API as its server has it. Who goes where is changed in it, and nothing else: what others have added stays.
///
/// Each of the plan's services is a rule with its path and both back ends, also at 0. A rule more is for asking: it redirects to a host that names the
/// route, so that whoever serves the HTTPRoute shows which one it goes by.
///
/// Source: `https://gateway-api.sigs.k8s.io/reference/spec/`, v1: weights are shares of their sum, `RequestRedirect` with a host is supported by every
/// implementation.
struct HTTPRoute: Sendable {
    /// Where the route is told (``RouteText``); the weights say the same.
    static let annotation = "migrate/route"

    let object: JSONValue
    private let plan: Plan
    private let place: KubernetesPlace

    init(_ object: JSONValue, plan: Plan, place: KubernetesPlace) {
        self.object = object
        self.plan = plan
        self.place = place
    }

    /// The HTTPRoute to begin with: legacy.
    ///
    /// - Parameter gateway: the Gateway that it belongs to.
    /// - Throws: a ``RoutingError`` for an address that is no service of a cluster.
    static func first(plan: Plan, place: KubernetesPlace, gateway: String) throws(RoutingError) -> HTTPRoute {
        let route = RouteText.legacy(plan)
        var rules: [JSONValue] = [
            [
                "matches": [["path": ["type": "Exact", "value": .string(place.probe)]]],
                "filters": [
                    [
                        "type": "RequestRedirect",
                        "requestRedirect": ["hostname": .string(shown(route)), "statusCode": 302],
                    ]
                ],
            ]
        ]
        for (index, service) in plan.services.enumerated() {
            rules.append([
                "matches": [["path": ["type": "Exact", "value": .string(service.path)]]],
                "timeouts": ["request": .string(duration(service.timeout))],
                "backendRefs": [
                    try BackEndReference(service.legacy, in: place).json(weight: weight(route, index, .legacy)),
                    try BackEndReference(service.candidate, in: place).json(weight: weight(route, index, .candidate)),
                ],
            ])
        }
        let object: JSONValue = [
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": [
                "name": .string(place.name), "namespace": .string(place.namespace),
                "annotations": [annotation: .string(route.text)],
            ],
            "spec": ["parentRefs": [["name": .string(gateway)]], "rules": .array(rules)],
        ]
        return HTTPRoute(object, plan: plan, place: place)
    }

    /// The host to which a request is redirected that asks which route is in force.
    static func shown(_ route: RouteText) -> String {
        // A label of a host has no room for a commit's hash.
        let digest = String(XXHash64.hash(route.text), radix: 16)
        return "r\(route.revision)-\(digest).migrate.invalid"
    }

    /// What was told last.
    ///
    /// - Throws: a ``RoutingError`` for an HTTPRoute without it.
    func told() throws(RoutingError) -> RouteText {
        let text = object["metadata"]?["annotations"]?[Self.annotation]?.string
        guard let text, let route = RouteText(text, services: plan.services.count) else {
            throw unfit("has no annotation \(Self.annotation) of \(plan.services.count) services")
        }
        return route
    }

    /// Whether all weights, and what is shown, are a route's.
    func says(_ route: RouteText) throws(RoutingError) -> Bool {
        guard object[pointer: try shownAt()] == .string(Self.shown(route)) else { return false }
        for index in plan.services.indices {
            for (pointer, side) in try weightsAt(index) {
                // One that is not written is 1.
                guard object[pointer: pointer] ?? 1 == .int(Self.weight(route, index, side)) else { return false }
            }
        }
        return try told() == route
    }

    /// What share of a service's requests its weights give the candidate, 0…1.
    func share(_ index: Int) throws(RoutingError) -> Double {
        var (candidate, all) = (0.0, 0.0)
        for (pointer, side) in try weightsAt(index) {
            let weight = Double(object[pointer: pointer]?.int ?? 1)
            all += weight
            if side == .candidate { candidate = weight }
        }
        return all > 0 ? candidate / all : 0
    }

    /// The object with a route's weights for the services whose own give the candidate more than that, and everything else as it is; nil where none do.
    func lowered(to route: RouteText) throws(RoutingError) -> JSONValue? {
        var lowered = object, isLowered = false
        for index in plan.services.indices
        where try share(index) > Double(route.weights[index].rawValue) / Double(Bucket.count) {
            for (pointer, side) in try weightsAt(index) {
                guard let next = lowered.setting(pointer, to: .int(Self.weight(route, index, side))) else {
                    throw unfit("has no place \(pointer)")
                }
                lowered = next
            }
            isLowered = true
        }
        return isLowered ? lowered : nil
    }

    /// The object with another route, and everything else as it is.
    func changed(to route: RouteText) throws(RoutingError) -> JSONValue {
        var changes: [(JSONPointer, JSONValue)] = [
            (JSONPointer(["metadata", "annotations", Self.annotation]), .string(route.text)),
            (try shownAt(), .string(Self.shown(route))),
        ]
        for index in plan.services.indices {
            changes += try weightsAt(index).map { ($0, .int(Self.weight(route, index, $1))) }
        }
        var changed = object
        for (pointer, value) in changes {
            guard let next = changed.setting(pointer, to: value) else { throw unfit("has no place \(pointer)") }
            changed = next
        }
        return changed
    }

    /// Why it is not in force as it stands, by what those who serve it say; nil where all of them have taken it.
    var pending: String? {
        guard let generation = object["metadata"]?["generation"]?.int else {
            return "the API server counts no generations"
        }
        let parents = object["status"]?["parents"]?.array ?? []
        guard !parents.isEmpty else { return "no controller has taken it" }
        for wanted in object["spec"]?["parentRefs"]?.array ?? []
        where !parents.contains(where: { isSame($0["parentRef"], wanted) }) {
            return "no controller has taken it for \(wanted["name"]?.string ?? "?")"
        }
        for parent in parents {
            let name = "\(parent["parentRef"]?["name"]?.string ?? "?") (\(parent["controllerName"]?.string ?? "?"))"
            for type in ["Accepted", "ResolvedRefs"] {
                let found = parent["conditions"]?.array?.first { $0["type"]?.string == type }
                guard let found, let seen = found["observedGeneration"]?.int, seen >= generation else {
                    return "\(name) has not said \(type) of generation \(generation)"
                }
                guard found["status"]?.string == "True" else {
                    let why = [found["reason"]?.string, found["message"]?.string].compactMap { $0 }
                    return "\(name) does not say \(type): \(why.joined(separator: ", "))"
                }
            }
        }
        return nil
    }

    /// Whether two references are to the same Gateway, or the same part of it.
    private func isSame(_ reference: JSONValue?, _ other: JSONValue) -> Bool {
        guard let reference else { return false }
        func space(_ value: JSONValue) -> String { value["namespace"]?.string ?? place.namespace }
        return space(reference) == space(other)
            && ["name", "sectionName", "port"].allSatisfy { reference[$0] == other[$0] }
    }

    // MARK: Places

    /// A time in the Gateway API's form: no unit has more than five digits.
    private static func duration(_ span: TimeSpan) -> String {
        let millis = max(1, span.rawValue / 1_000)
        return millis < 1_000
            ? "\(millis)ms" : "\(millis / 1_000)s" + (millis % 1_000 == 0 ? "" : "\(millis % 1_000)ms")
    }

    private static func weight(_ route: RouteText, _ index: Int, _ side: Implementation) -> Int {
        let weight = route.weights[index].rawValue
        return side == .candidate ? weight : Bucket.count - weight
    }

    /// Where a service's weights stand.
    private func weightsAt(_ index: Int) throws(RoutingError) -> [(JSONPointer, Implementation)] {
        let service = plan.services[index]
        let rule = try rule(of: service.path)
        let references = object[pointer: rule.appending("backendRefs")]?.array ?? []
        guard references.count == 2 else { throw unfit("has not two back ends for \(service.path)") }
        var places: [(JSONPointer, Implementation)] = []
        for (side, address) in [(Implementation.legacy, service.legacy), (.candidate, service.candidate)] {
            let wanted = try BackEndReference(address, in: place)
            guard let number = references.firstIndex(where: { wanted.names($0) }) else {
                throw unfit("has no back end \(wanted) for \(service.path)")
            }
            places.append((rule.appending("backendRefs").appending(number).appending("weight"), side))
        }
        return places
    }

    private func shownAt() throws(RoutingError) -> JSONPointer {
        let rule = try rule(of: place.probe)
        let filters = object[pointer: rule.appending("filters")]?.array ?? []
        guard let number = filters.firstIndex(where: { $0["type"]?.string == "RequestRedirect" }) else {
            throw unfit("does not redirect \(place.probe)")
        }
        return rule.appending("filters").appending(number).appending("requestRedirect").appending("hostname")
    }

    private func rule(of path: String) throws(RoutingError) -> JSONPointer {
        let rules = object["spec"]?["rules"]?.array ?? []
        let path: JSONValue = ["path": ["type": "Exact", "value": .string(path)]]
        // Of two rules one would go on as it was.
        let found = rules.indices.filter { number in
            rules[number]["matches"]?.array?.contains { $0["path"] == path["path"] } ?? false
        }
        guard let number = found.first, found.count == 1, rules[number]["matches"] == .array([path]) else {
            throw unfit(
                "has not one rule that matches exactly \(path["path"]?["value"]?.string ?? "") and nothing else"
            )
        }
        return JSONPointer(["spec", "rules", String(number)])
    }

    private func unfit(_ what: String) -> RoutingError {
        RoutingError(
            .storage,
            "the HTTPRoute \(place.namespace)/\(place.name) \(what)",
            mend: "write it anew, which begins at legacy: migrate route config kubernetes, and kubectl apply"
        )
    }
}

/// A service of a cluster, as an HTTPRoute refers to it.
struct BackEndReference: CustomStringConvertible {
    let name: String
    /// Nil where it is the HTTPRoute's own.
    let namespace: String?
    let port: Int

    /// - Parameter address: `http://NAME:PORT`, `http://NAME.NAMESPACE:PORT` or a longer name that begins so.
    init(_ address: String, in place: KubernetesPlace) throws(RoutingError) {
        let found = Address(address)
        let labels = found?.host.split(separator: ".", omittingEmptySubsequences: false) ?? []
        guard let found, let first = labels.first, !first.isEmpty,
            first.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }), !first.allSatisfy(\.isNumber)
        else {
            throw RoutingError(
                .unsuitable,
                "“\(address)” is no service of a cluster",
                mend: "use an address such as http://NAME.NAMESPACE:PORT in the plan"
            )
        }
        name = String(first)
        namespace = labels.count > 1 && labels[1] != place.namespace ? String(labels[1]) : nil
        port = found.port
    }

    var description: String { "\(namespace.map { "\($0)/" } ?? "")\(name):\(port)" }

    func json(weight: Int) -> JSONValue {
        var fields: [String: JSONValue] = ["name": .string(name), "port": .int(port), "weight": .int(weight)]
        fields["namespace"] = namespace.map { .string($0) }
        return .object(fields)
    }

    func names(_ reference: JSONValue) -> Bool {
        reference["name"]?.string == name && reference["port"]?.int == port
            && reference["namespace"]?.string == namespace
    }
}
