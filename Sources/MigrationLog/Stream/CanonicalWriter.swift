/// Canonical JSON as it is written.
struct CanonicalWriter {
    private(set) var bytes: [UInt8] = []
    /// Whether everything so far could be written without escapes.
    var isPossible = true
    private var isFirst = true

    init() { bytes.reserveCapacity(2048) }

    mutating func add(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func add(_ text: StaticString, _ value: Int) {
        add(text)
        int(value)
    }

    mutating func add(_ text: StaticString, _ value: String) {
        add(text)
        self.text(value)
    }

    mutating func int(_ value: Int) {
        guard value != 0 else { return bytes.append(UInt8(ascii: "0")) }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        let start = bytes.count
        while magnitude > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(magnitude % 10))
            magnitude /= 10
        }
        bytes[start...].reverse()
    }

    mutating func text(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if !PlainText.isPlain(byte) { isPossible = false }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Begins an object whose fields come with ``key(_:)``.
    mutating func begin() {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
    }

    mutating func key(_ key: StaticString) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        add(key)
    }

    /// A count that is left out where it is zero.
    mutating func field(_ key: StaticString, _ value: Int) {
        guard value != 0 else { return }
        self.key(key)
        int(value)
    }

    mutating func list<T>(_ elements: [T], _ element: (T, inout CanonicalWriter) -> Void) {
        bytes.append(UInt8(ascii: "["))
        for (index, next) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            element(next, &self)
        }
        bytes.append(UInt8(ascii: "]"))
    }
}
