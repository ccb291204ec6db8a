import JSON
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "what is JSON is read, and written so that it reads the same again",
        arguments: [
            "null", "true", "[]", "{}", "0", "-0", "1", "-12", "9223372036854775807", "9223372036854775808",
            "123456789012345678901234567890", "1.5", "1.50", "1e400", "1E-2", "0.1", "\"\"", "\"a\\u0041\\n\"",
            "\"\\ud83d\\ude00\"", "\"\\u0000\"", "{\"a\":[1,{\"b\":null}]}", " [ 1 , 2 ] ", "\"עברית\u{200B}\"",
        ]
    )
    func reads(_ text: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(try JSONValue(parsing: value.bytes) == value)
    }

    @Test(
        "a number keeps the text that it had",
        arguments: ["1.50", "1e400", "-0", "123456789012345678901234567890", "0.10"]
    )
    func numbers(_ text: String) throws { #expect(try JSONValue(parsing: text).text == text) }

    @Test(
        "what is not JSON is refused, with the place",
        arguments: [
            ("", 0), (" ", 1), ("[1,]", 3), ("{\"a\":1,}", 7), ("[1 2]", 3), ("{a:1}", 1), ("{\"a\" 1}", 5), ("01", 2),
            ("+1", 0), ("1.", 2), (".5", 0), ("1e", 2), ("nul", 0), ("True", 0), ("\"a", 2), ("\"\\x\"", 3),
            ("\"\\ud800\"", 7), ("\"\\udc00\"", 7), ("\"\\u12\"", 3), ("\"\\u-000\"", 3), ("\"\\u+000\"", 3),
            ("\"\u{1}\"", 1), ("1 2", 2), ("[", 1),
            ("{\"a\":1,\"a\":2}", 7), ("NaN", 0), ("Infinity", 0), ("\u{FEFF}1", 0), ("'a'", 0), ("[1]x", 3),
        ]
    )
    func refuses(_ text: String, _ offset: Int) {
        let fault = #expect(throws: JSONFault.self) { try JSONValue(parsing: text) }
        #expect(fault?.offset == offset, "\(text): \(fault?.description ?? "")")
    }

    @Test("bytes that are not UTF-8 are refused")
    func utf8() {
        for bytes in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] as [[UInt8]] {
            #expect(throws: JSONFault.self) { try JSONValue(parsing: bytes) }
        }
    }

    @Test("depth and length have limits")
    func limits() throws {
        let deep = String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000)
        #expect(throws: JSONFault.self) { try JSONValue(parsing: deep) }
        let allowed = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        _ = try JSONValue(parsing: allowed)
        #expect(throws: JSONFault.self) { try JSONValue(parsing: Array("[1,2,3]".utf8), limits: JSONLimits(bytes: 6)) }
    }

    @Test("any cut of a text is refused, and never read as something else")
    func cuts() {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":"😀"}}"#.utf8)
        for end in 0..<text.count { #expect(throws: JSONFault.self) { try JSONValue(parsing: text[..<end]) } }
    }

    @Test("RFC 6901's own examples")
    func pointers() throws {
        let value = try JSONValue(
            parsing: #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#
        )
        let cases: [(String, JSONValue)] = [
            ("", value), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
            ("/g|h", 4), ("/i\\j", 5), ("/k\"l", 6), ("/ ", 7), ("/m~0n", 8),
        ]
        for (text, expected) in cases {
            let pointer = try #require(JSONPointer(parsing: text))
            #expect(value[pointer: pointer] == expected)
            #expect(pointer.description == text)
        }
        #expect(JSONPointer(parsing: "foo") == nil)
        for none in ["/foo/2", "/foo/-", "/foo/01", "/x", "/foo/0/1"] {
            #expect(value[pointer: try #require(JSONPointer(parsing: none))] == nil)
        }
    }

    @Test("changes are told by place, and carrying them out makes the other value")
    func changes() throws {
        let before: JSONValue = ["a": [1, 2, 3], "b": ["c": "x"], "d": true]
        let after: JSONValue = ["a": [1, 5], "b": ["c": "y", "e": 0]]
        let changes = before.changes(to: after)
        #expect(changes.map { "\($0.pointer)" } == ["/a/1", "/a/2", "/b/c", "/b/e", "/d"])
        var value = before
        for change in changes.reversed() {
            if let after = change.after {
                value = try #require(value.setting(change.pointer, to: after))
            } else {
                value = try #require(value.removing(change.pointer))
            }
        }
        #expect(value == after)
        #expect(before.changes(to: before).isEmpty)
        #expect(before.setting(JSONPointer(["x", "y"]), to: 1) == nil)
        #expect(before.setting(JSONPointer(["a", "-"]), to: 4)?["a"] == [1, 2, 3, 4])
    }
}
