/// Tumbling windows in event time: window k is [k·w, (k+1)·w) (2-analysis.md, "Windows").
package struct WindowClock: Sendable {
    /// The length w of a window; at least one microsecond.
    package let length: TimeSpan

    package init(length: TimeSpan) {
        self.length = TimeSpan(rawValue: max(1, length.rawValue))
    }

    /// The window that holds the moment.
    package func index(of moment: Timestamp) -> Int64 {
        let (quotient, remainder) = moment.rawValue.quotientAndRemainder(dividingBy: length.rawValue)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The first window that begins at the moment or after it.
    package func firstIndex(from moment: Timestamp) -> Int64 {
        let index = index(of: moment)
        return start(of: index) == moment ? index : index + 1
    }

    package func start(of index: Int64) -> Timestamp { Timestamp(rawValue: index &* length.rawValue) }
    package func end(of index: Int64) -> Timestamp { start(of: index &+ 1) }
}
