import TrainingLogs
import Testing

@Suite struct LossSmoothingTests {
    @Test func aWindowIsTheMeanOfTheLast() {
        var smoothing = LossSmoothing(.window(3))
        #expect(smoothing.value == nil)
        #expect([3, 1, 2, 9, 1].map { smoothing.add($0) } == [3, 2, 2, 4, 4])
    }

    @Test func anExponentialMeanIsNotPulledTowardsZeroAtFirst() throws {
        var smoothing = LossSmoothing(.exponential(factor: 0.5))
        #expect(smoothing.add(2) == 2)
        // (0.5 * 2 + 1 * 5) / 1.5
        let second = smoothing.add(5) ?? 0
        #expect(abs(second - 4) < 1e-12)
        for _ in 0..<100 { smoothing.add(7) }
        #expect(abs(try #require(smoothing.value) - 7) < 1e-12)
    }

    @Test(arguments: [LossSmoothing.Method.window(2), .exponential(factor: 0.9)])
    func whatIsNoNumberIsLeftOut(method: LossSmoothing.Method) {
        var smoothing = LossSmoothing(method)
        smoothing.add(.nan)
        #expect(smoothing.value == nil)
        smoothing.add(1)
        #expect(smoothing.add(.infinity) == 1)
    }
}

@Suite struct StepClockTests {
    private let begin = ContinuousClock.now

    private func clock(_ seconds: [Double], window: Int = 100) -> StepClock {
        var clock = StepClock(window: window)
        var now = begin
        clock.start(at: now)
        for duration in seconds {
            now += .seconds(duration)
            clock.stepDone(at: now)
        }
        return clock
    }

    private func near(_ value: Double?, _ expected: Double) -> Bool {
        value.map { abs($0 - expected) < 1e-6 } ?? false
    }

    @Test func knowsNothingBeforeAStepIsDone() {
        #expect(clock([]).secondsPerStep == nil && clock([]).secondsLeft(steps: 5) == nil)
    }

    @Test func takesTheFirstStepOnlyWhileThereIsNoOther() {
        #expect(near(clock([40]).secondsPerStep, 40))
        #expect(near(clock([40, 2, 4]).secondsPerStep, 3))
        #expect(near(clock([40, 2, 4]).secondsLeft(steps: 10), 30))
        #expect(clock([1, 1]).secondsLeft(steps: -1) == 0)
    }

    @Test func leavesPausesOut() {
        var clock = clock([9, 1, 1])
        clock.pause()
        clock.start(at: begin + .seconds(100))
        clock.stepDone(at: begin + .seconds(101))
        clock.pause()
        clock.stepDone(at: begin + .seconds(500))
        #expect(near(clock.secondsPerStep, 1))
        #expect(clock.steps == 5)
    }

    @Test func isNotMisledByRareSlowSteps() {
        let steps = [9] + Array(repeating: 1.0, count: 20) + [60]
        #expect(near(clock(steps).secondsPerStep, 1))
    }

    @Test func countsSlowStepsThatComeOften() {
        let steps = [9] + (0..<20).map { $0 % 4 == 3 ? 9.0 : 1 }
        #expect(near(clock(steps).secondsPerStep, 3))
    }

    @Test func followsAChangeOfSpeed() {
        let steps = Array(repeating: 5.0, count: 50) + Array(repeating: 1, count: 10)
        #expect(near(clock(steps, window: 10).secondsPerStep, 1))
    }
}
