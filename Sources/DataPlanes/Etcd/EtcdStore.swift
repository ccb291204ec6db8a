import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Routing

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
        let text: Data
        let status: HTTPResponseStatus
        do {
            var request = HTTPClientRequest(url: "\(endpoint)/v3/\(path)")
            request.method = .POST
            request.body = .bytes(ByteBuffer(bytes: body.bytes))
            let (response, body) = try await HTTPClient.shared.whole(
                request,
                within: Self.patience,
                longest: Self.longest
            )
            status = response.status
            text = Data(buffer: body)
        } catch {
            throw RoutingError(
                .unreachable,
                "etcd at \(endpoint) does not answer: \(error)",
                mend: "see that it runs, and that --endpoint is the address for its clients"
            )
        }
        guard status == .ok, let answer = try? JSONValue(parsing: text) else {
            throw RoutingError(
                .unreachable,
                "etcd at \(endpoint) answers \(status.code): \(String(decoding: text.prefix(200), as: UTF8.self))"
            )
        }
        return answer
    }

    private static func coded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private static func decoded(_ value: JSONValue?) -> String? {
        value?.string.flatMap { Data(base64Encoded: $0) }.flatMap { String(data: $0, encoding: .utf8) }
    }
}
