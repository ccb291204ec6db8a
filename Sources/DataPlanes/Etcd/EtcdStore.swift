import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Routing
import WholeAnswer

/// etcd by the JSON gateway of its v3 API: reads that see every write that is over, and a put that is carried out only where nobody has written since.
///
/// Source: `https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/`; 64-bit numbers are texts there, keys and values base64.
struct EtcdStore: Sendable {
    struct Entry: Hashable, Sendable {
        var key: String
        var value: String
        /// Counts etcd's changes: this entry's last one.
        var revision: Int64
        /// 0 for an entry that stays.
        var lease: Int64
    }

    private static let patience = Duration.seconds(2)
    private static let longest = 1 << 20

    /// `http://host:port`.
    let endpoint: String
    private let session: EtcdSession?

    /// - Parameter account: whose reads and writes these are; nil for an etcd that does not ask.
    init(endpoint: String, account: EtcdAccount?) {
        self.endpoint = endpoint
        session = account.map { EtcdSession($0) }
    }

    /// The entry of a key; nil where there is none.
    func entry(_ key: String) async throws(RoutingError) -> Entry? {
        try await range(["key": .string(Self.coded(key))]).first
    }

    /// The entries whose keys begin so, by key.
    func entries(_ prefix: String) async throws(RoutingError) -> [Entry] {
        // The first key that does not begin so: with the last byte raised.
        var end = Array(prefix.utf8)
        if let last = end.popLast() { end.append(last &+ 1) }
        return try await range([
            "key": .string(Self.coded(prefix)), "range_end": .string(Data(end).base64EncodedString()),
        ])
    }

    /// Puts a value where the key's last change is still the one that was seen.
    ///
    /// - Parameter revision: of the entry that was seen; 0 for none.
    /// - Returns: whether it was put; if not, somebody else has written.
    func put(_ key: String, _ value: String, ifUnchangedSince revision: Int64) async throws(RoutingError) -> Bool {
        let answer = try await ask(
            "kv/txn",
            [
                "compare": [
                    [
                        "key": .string(Self.coded(key)), "target": "MOD", "result": "EQUAL",
                        "mod_revision": .string("\(revision)"),
                    ]
                ],
                "success": [
                    ["request_put": ["key": .string(Self.coded(key)), "value": .string(Self.coded(value))]]
                ],
            ]
        )
        // What is false is left out.
        return answer["succeeded"]?.bool ?? false
    }

    private func range(_ request: JSONValue) async throws(RoutingError) -> [Entry] {
        let answer = try await ask("kv/range", request)
        var entries: [Entry] = []
        for entry in answer["kvs"]?.array ?? [] {
            guard let key = Self.decoded(entry["key"]), let value = Self.decoded(entry["value"] ?? ""),
                let revision = entry["mod_revision"]?.string.flatMap({ Int64($0) })
            else {
                throw RoutingError(.storage, "etcd at \(endpoint) answers what is no entry: \(entry.text.prefix(200))")
            }
            let lease = entry["lease"]?.string.flatMap { Int64($0) } ?? 0
            entries.append(Entry(key: key, value: value, revision: revision, lease: lease))
        }
        return entries
    }

    private func ask(_ path: String, _ body: JSONValue) async throws(RoutingError) -> JSONValue {
        guard let session else { return try success(try await send(path, body)) }
        if let token = session.token {
            let answer = try await send(path, body, token)
            guard Self.isOver(answer) else { return try success(answer) }
            session.forget(token)
        }
        return try success(try await send(path, body, try await signIn(session)))
    }

    /// Fetches a token.
    private func signIn(_ session: EtcdSession) async throws(RoutingError) -> String {
        let account = session.account
        let password: String
        do {
            password = try account.password()
        } catch {
            throw RoutingError(.storage, "the password of etcd’s user \(account.user) cannot be read: \(error)")
        }
        let answer = try success(
            try await send("auth/authenticate", ["name": .string(account.user), "password": .string(password)])
        )
        guard let token = answer["token"]?.string else {
            throw RoutingError(.unreachable, "etcd at \(endpoint) gives \(account.user) no token")
        }
        session.keep(token)
        return token
    }

    private typealias Answer = (status: HTTPResponseStatus, text: Data)

    private func send(_ path: String, _ body: JSONValue, _ token: String? = nil) async throws(RoutingError) -> Answer {
        do {
            var request = HTTPClientRequest(url: "\(endpoint)/v3/\(path)")
            request.method = .POST
            if let token { request.headers.add(name: "authorization", value: token) }
            request.body = .bytes(ByteBuffer(bytes: body.bytes))
            let (response, body) = try await HTTPClient.shared.whole(
                request,
                within: Self.patience,
                longest: Self.longest
            )
            return (response.status, Data(buffer: body))
        } catch {
            throw RoutingError(
                .unreachable,
                "etcd at \(endpoint) does not answer: \(error)",
                mend: "see that it runs, and that --endpoint is the address for its clients"
            )
        }
    }

    private func success(_ answer: Answer) throws(RoutingError) -> JSONValue {
        guard answer.status == .ok, let value = try? JSONValue(parsing: answer.text) else {
            let said = String(decoding: answer.text.prefix(200), as: UTF8.self)
            let isRight =
                ["permission denied", "user name is empty", "authentication failed"].contains { said.contains($0) }
            throw RoutingError(
                .unreachable,
                "etcd at \(endpoint) answers \(answer.status.code): \(said)",
                mend: isRight
                    ? "give --user and --password-file of a user who may read and write the keys below --prefix" : nil
            )
        }
        return value
    }

    /// Whether etcd knows the token no more, or users have changed since it gave it: nothing was done.
    private static func isOver(_ answer: Answer) -> Bool {
        guard answer.status != .ok else { return false }
        let said = String(decoding: answer.text.prefix(200), as: UTF8.self)
        return ["invalid auth token", "revision of auth store is old"].contains { said.contains($0) }
    }

    private static func coded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private static func decoded(_ value: JSONValue?) -> String? {
        value?.string.flatMap { Data(base64Encoded: $0) }.flatMap { String(data: $0, encoding: .utf8) }
    }
}
