extension Int {
    /// The sum of two that are not negative; the greatest number where it is beyond that, which is no count of anything.
    func saturating(_ other: Int) -> Int {
        let (sum, isBeyond) = addingReportingOverflow(other)
        return isBeyond ? .max : sum
    }
}
