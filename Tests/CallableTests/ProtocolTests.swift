import Callable
import JSON
import Testing

@Suite("The callable protocol")
struct ProtocolTests {
    private func request(_ body: String, type: String? = "application/json") throws -> CallableRequest {
        try CallableRequest(contentType: type, body: Array(body.utf8))
    }

    @Test(
        "a body that is not an object with only data is an invalid argument",
        arguments: [
            "", "no json", "[1]", "{}", "{\"data\":{},\"more\":1}", "{\"dat\":{}}", "{\"data\":{\"a\":", "null",
            "{\"data\":1,\"data\":2}", "{\"data\":{\"a\":1,\"a\":2}}",
            "{\"data\":\(String(repeating: "[", count: 1_000))\(String(repeating: "]", count: 1_000))}",
        ]
    )
    func bodies(_ body: String) throws {
        let error = #expect(throws: CallableError.self) { try request(body) }
        #expect(error?.status == .invalidArgument)
        #expect(error?.status.http == 400)
    }

    @Test(
        "the content type is JSON, with a charset or without",
        arguments: [
            (nil, false), ("text/plain", false), ("application/x-www-form-urlencoded", false),
            ("application/json", true),
            ("application/json; charset=utf-8", true), ("Application/JSON ;charset=utf-8", true),
            ("application/jsonx", false),
        ] as [(String?, Bool)]
    )
    func types(_ type: String?, _ isTaken: Bool) {
        #expect(((try? request("{\"data\":null}", type: type)) != nil) == isTaken)
    }

    @Test("every status has the HTTP status of the protocol")
    func statuses() {
        let expected = [400, 400, 400, 401, 403, 404, 409, 409, 429, 499, 500, 500, 500, 501, 503, 504]
        #expect(CallableError.Status.allCases.map(\.http) == expected)
    }

    @Test("wrapped numbers are numbers, at any depth")
    func wrappers() throws {
        let long = "type.googleapis.com/google.protobuf.Int64Value",
            unsigned = "type.googleapis.com/google.protobuf.UInt64Value"
        let data = try request(
            """
            {"data":{"a":[{"@type":"\(long)","value":"-9223372036854775808"}],"b":{"c":{"@type":"\(unsigned)","value":"18446744073709551615"}},
            "d":{"@type":"other","value":"1"}}}
            """
        ).data
        #expect(data["a"]?[0] == .int(Int.min))
        #expect(data["b"]?["c"] == .decimal("18446744073709551615"))
        #expect(data["d"] == ["@type": "other", "value": "1"])
        for value in ["\"x\"", "\"9223372036854775808\"", "null", "\"1.5\"", "{}"] {
            #expect(throws: CallableError.self) { try request("{\"data\":{\"@type\":\"\(long)\",\"value\":\(value)}}") }
        }
        #expect(throws: CallableError.self) { try request("{\"data\":{\"@type\":\"\(unsigned)\",\"value\":\"-1\"}}") }
    }

    @Test("fields are what they must be, or an invalid argument that names them")
    func fields() throws {
        let request = CallableRequest(data: [
            "a": "x", "long": .string(String(repeating: "a", count: 201)), "nul": "a\u{0}", "n": 1, "empty": "",
            "list": ["a", "b"],
            "mixed": ["a", 1], "flag": true, "object": ["k": "v"], "bad": ["k": 1],
        ])
        #expect(try request.text("a") == "x")
        for name in ["long", "nul", "n", "empty", "none"] {
            let error = #expect(throws: CallableError.self) { try request.text(name) }
            #expect(error?.message.contains("“\(name)”") ?? false)
        }
        #expect(try request.optionalText("none") == nil && request.optionalText("empty") == nil)
        #expect(try request.texts("list") == ["a", "b"] && request.texts("none") == [])
        for name in ["mixed", "a", "none"] {
            #expect(throws: CallableError.self) { try request.texts(name, atLeast: 1) }
        }
        #expect(try request.flag("flag") && !request.flag("none"))
        #expect(throws: CallableError.self) { try request.flag("a") }
        #expect(try request.texts(byName: "object") == ["k": "v"])
        for name in ["bad", "none", "list"] { #expect(throws: CallableError.self) { try request.texts(byName: name) } }
    }
}
