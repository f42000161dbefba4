/// Seconds since it was made.
package struct Clock {
    private let start = ContinuousClock.now

    package init() {}

    package var seconds: Double {
        let elapsed = ContinuousClock.now - start
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
    }
}
