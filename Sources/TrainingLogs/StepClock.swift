/// Tells how fast steps are done and how long the rest will take.
///
/// Only recent steps count, without the first one of a run, which loads and compiles, and without
/// rare ones that took several times as long as their neighbors.
public struct StepClock: Sendable {
    /// Steps done.
    public private(set) var steps = 0

    private var begin: ContinuousClock.Instant?
    private var recent: [Double] = []
    private var first: Double?
    private let window: Int

    /// A clock that begins to run at `start` or later.
    ///
    /// - Parameter window: the number of steps that count, at least one.
    public init(window: Int = 100) {
        precondition(window > 0, "at least one step has to count")
        self.window = window
    }

    /// Begins the first step, or goes on after a pause.
    public mutating func start(at time: ContinuousClock.Instant = .now) {
        begin = time
    }

    /// What follows, such as making samples, is part of no step; until ``start(at:)``.
    ///
    /// A step that had begun is not measured.
    public mutating func pause() {
        begin = nil
    }

    /// A step is done, and the next begins.
    public mutating func stepDone(at time: ContinuousClock.Instant = .now) {
        steps += 1
        defer { begin = time }
        guard let begin else { return }
        let seconds = (time - begin) / .seconds(1)
        if first == nil {
            first = seconds
        } else {
            if recent.count == window { recent.removeFirst() }
            recent.append(seconds)
        }
    }

    /// Seconds that a step takes; nil before the first is done.
    public var secondsPerStep: Double? {
        guard !recent.isEmpty else { return first }
        let limit = 5 * recent.sorted()[recent.count / 2]
        let usual = recent.filter { $0 <= limit }
        // What happens often, such as an update after accumulated steps, is no exception.
        let counted = usual.count * 10 >= recent.count * 9 ? usual : recent
        return counted.reduce(0, +) / Double(counted.count)
    }

    /// Seconds that so many more steps will take, without pauses; nil before the first is done.
    public func secondsLeft(steps: Int) -> Double? {
        secondsPerStep.map { $0 * Double(max(steps, 0)) }
    }
}
