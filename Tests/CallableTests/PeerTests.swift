import AsyncHTTPClient
import Callable
import Foundation
import JSON
import NIOCore
import NIOHTTP1
import Postgres
import TestSupport
import Testing

@Suite("The callable layer beside official libraries")
struct PeerTests {
    @Test("tokens: the same verdict as the admin library's on every one")
    func tokens() async throws {
        let told = try JSONValue(parsing: try await TestPeers.output("tokens.py"))
        let folder = try TestFolder()
        let file = folder.url.appendingPathComponent("certificates.json")
        try Data((told["certificates"] ?? .null).bytes).write(to: file)
        let authenticator = Authenticator(project: "demo", keys: KeySource(file.absoluteString))
        let cases = told["cases"]?.array ?? []
        #expect(cases.count > 25)
        #expect(cases.count { $0[2]?.string != nil } >= 3)
        for entry in cases {
            let name = entry[0]?.string ?? "", token = entry[1]?.string ?? ""
            var user: String?
            do { user = try await authenticator.user("Bearer \(token)") } catch { user = nil }
            #expect(user == entry[2]?.string, "\(name)")
        }
    }

    private struct Wire {
        var name: String
        var body: String
        var method = HTTPMethod.POST
        var fields: [String: String] = [:]
        /// Why the two are known to differ; nil where they must not.
        var difference: String?
    }

    private static let cases: [Wire] = [
        Wire(name: "an object", body: #"{"data":{"a":1,"b":[true,null,"é"]}}"#),
        Wire(name: "null", body: #"{"data":null}"#),
        Wire(name: "a text", body: #"{"data":"x"}"#),
        Wire(name: "a charset", body: #"{"data":1}"#, fields: ["content-type": "application/json; charset=utf-8"]),
        Wire(name: "a refusal", body: #"{"data":{"do":"refuse","code":"not-found"}}"#),
        Wire(name: "another", body: #"{"data":{"do":"refuse","code":"resource-exhausted"}}"#),
        Wire(name: "a third", body: #"{"data":{"do":"refuse","code":"failed-precondition"}}"#),
        Wire(name: "what nobody foresaw", body: #"{"data":{"do":"break"}}"#), Wire(name: "a list", body: "[]"),
        Wire(name: "one field more", body: #"{"data":1,"x":2}"#), Wire(name: "no data", body: #"{"x":2}"#),
        Wire(name: "another type", body: #"{"data":1}"#, fields: ["content-type": "text/plain"]),
        Wire(name: "GET", body: "", method: .GET),
        Wire(name: "a token that is none", body: #"{"data":1}"#, fields: ["authorization": "Bearer x.y.z"]),
        Wire(name: "no JSON", body: "nojson", difference: "the framework answers 500, as if it were its own fault"),
        Wire(
            name: "a wrapped number",
            body: #"{"data":{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"12"}}"#,
            difference: "the Python framework does not unwrap, the JavaScript one does"
        ),
        Wire(
            name: "a browser's question",
            body: "",
            method: .OPTIONS,
            fields: ["origin": "https://example.org", "access-control-request-method": "POST"],
            difference: "the framework answers 200, as the Python library for CORS does"
        ),
    ]

    @Test(
        "wire cases: the same status and error as a function of the Python framework, but for the differences that are named"
    )
    func wire() async throws {
        let port = try freePort()
        let folder = try TestFolder()
        let output = folder.url.appendingPathComponent("framework").path
        let process = try ChildProcess(
            try TestPeers.functionsFramework(),
            [
                "--source", TestPeers.file("callable_functions.py"), "--target", "echo", "--port", "\(port)", "--host",
                "127.0.0.1",
            ],
            output: output
        )
        defer {
            process.signal(SIGTERM)
            process.wait()
        }
        try await eventually("the framework") {
            (try? await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/"),
                timeout: .seconds(2)
            )) != nil
        }
        try await TestServer.run { server in
            for wire in Self.cases {
                let theirs = try await Self.send(wire, "http://127.0.0.1:\(port)/")
                let ours = try await Self.send(wire, "http://127.0.0.1:\(server.port)/open")
                if let difference = wire.difference {
                    #expect(theirs != ours, "\(wire.name) no longer differs: \(difference)")
                } else {
                    #expect(theirs == ours, "\(wire.name)")
                }
            }
        }
    }

    /// The status, and the answer without its words: an error's message is each server's own.
    private static func send(_ wire: Wire, _ url: String) async throws -> [String] {
        var request = HTTPClientRequest(url: url)
        request.method = wire.method
        for (name, value) in ["content-type": "application/json"].merging(wire.fields, uniquingKeysWith: { $1 }) {
            request.headers.add(name: name, value: value)
        }
        if wire.method == .POST { request.body = .bytes(ByteBuffer(string: wire.body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let text = try await response.body.collect(upTo: 1 << 20)
        let value = text.readableBytes == 0 ? .null : try JSONValue(parsing: text.readableBytesView)
        let error = value["error"].map { "\($0["status"]?.string ?? "") \($0["details"]?.text ?? "")" }
        return ["\(response.status.code)", value["result"]?.text ?? "", error ?? ""]
    }
}
