/// A place in a JSON value (RFC 6901).
package struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    package var tokens: [String]

    package init(_ tokens: [String] = []) { self.tokens = tokens }

    /// Reads `/work/0/highlights/2`; `~1` stands for a slash and `~0` for a tilde. Nil for what is none.
    package init?(parsing text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        tokens = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
            String($0).replacing("~1", with: "/").replacing("~0", with: "~")
        }
    }

    package var description: String {
        tokens.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }

    package func appending(_ token: String) -> JSONPointer { JSONPointer(tokens + [token]) }
    package func appending(_ index: Int) -> JSONPointer { appending(String(index)) }
}

extension JSONValue {
    /// What stands at a place; nil where nothing does.
    package subscript(pointer pointer: JSONPointer) -> JSONValue? {
        pointer.tokens.reduce(Optional(self)) { value, token in
            switch value {
            case .object(let fields)?: fields[token]
            case .array(let items)?: Self.index(token).flatMap { items.indices.contains($0) ? items[$0] : nil }
            default: nil
            }
        }
    }

    /// The value with another one at a place; a name, or the position after a list's last, is added.
    ///
    /// - Returns: nil where the place's parent is not there.
    package func setting(_ pointer: JSONPointer, to value: JSONValue) -> JSONValue? {
        changing(pointer.tokens[...]) { _ in value }
    }

    /// The value without what stands at a place; nil where nothing does.
    package func removing(_ pointer: JSONPointer) -> JSONValue? {
        guard self[pointer: pointer] != nil, !pointer.tokens.isEmpty else { return nil }
        return changing(pointer.tokens[...]) { _ in nil }
    }

    private func changing(_ tokens: ArraySlice<String>, _ change: (JSONValue?) -> JSONValue?) -> JSONValue? {
        guard let token = tokens.first else { return change(self) }
        let rest = tokens.dropFirst()
        switch self {
        case .object(var fields):
            if rest.isEmpty {
                fields[token] = change(fields[token])
            } else {
                guard let child = fields[token]?.changing(rest, change) else { return nil }
                fields[token] = child
            }
            return .object(fields)
        case .array(var items):
            guard let index = Self.index(token, count: items.count), index <= items.count else { return nil }
            if rest.isEmpty {
                let old = index < items.count ? items[index] : nil
                switch (old, change(old)) {
                case (nil, let new?): items.append(new)
                case (_?, let new?): items[index] = new
                case (_?, nil): items.remove(at: index)
                case (nil, nil): return nil
                }
            } else {
                guard index < items.count, let child = items[index].changing(rest, change) else { return nil }
                items[index] = child
            }
            return .array(items)
        case .null, .bool, .int, .number, .decimal, .string: return nil
        }
    }

    private static func index(_ token: String, count: Int? = nil) -> Int? {
        if token == "-" { return count }
        guard token.allSatisfy({ $0.isASCII && $0.isNumber }), token == "0" || !token.hasPrefix("0") else { return nil }
        return Int(token)
    }
}

/// One place at which two values differ.
package struct JSONChange: Hashable, Sendable {
    package var pointer: JSONPointer
    /// What stood there; nil where nothing did.
    package var before: JSONValue?
    /// What stands there; nil where nothing does.
    package var after: JSONValue?

    package init(pointer: JSONPointer, before: JSONValue?, after: JSONValue?) {
        self.pointer = pointer
        self.before = before
        self.after = after
    }
}

extension JSONValue {
    /// Every place at which `other` differs, the deepest that tells it, in the order of the text; lists are compared by position.
    package func changes(to other: JSONValue) -> [JSONChange] {
        var changes: [JSONChange] = []
        Self.compare(self, other, JSONPointer(), &changes)
        return changes
    }

    private static func compare(
        _ before: JSONValue?,
        _ after: JSONValue?,
        _ pointer: JSONPointer,
        _ changes: inout [JSONChange]
    ) {
        switch (before, after) {
        case (.object(let old)?, .object(let new)?):
            for key in Set(old.keys).union(new.keys).sorted() {
                compare(old[key], new[key], pointer.appending(key), &changes)
            }
        case (.array(let old)?, .array(let new)?):
            for index in 0..<max(old.count, new.count) {
                compare(
                    index < old.count ? old[index] : nil,
                    index < new.count ? new[index] : nil,
                    pointer.appending(index),
                    &changes
                )
            }
        default: if before != after { changes.append(JSONChange(pointer: pointer, before: before, after: after)) }
        }
    }
}
