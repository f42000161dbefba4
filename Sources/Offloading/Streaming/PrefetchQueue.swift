internal import Foundation

/// Has a thread load groups in their order, as far ahead as there are slots.
final class PrefetchQueue: Sendable {
    private let transfer: any WeightTransfer
    private let condition = NSCondition()
    /// Guarded by `condition`.
    nonisolated(unsafe) private let state: State

    /// An object, since others change it while one waits.
    private final class State {
        /// The groups of a forward pass in the order of their use; some may come several times.
        var order: [Int]
        /// The place in the order to load next; its end is the end of a forward pass.
        var next: Int
        /// Passages to begin after the present one.
        var passesLeft = 0
        /// The place in the order from which groups come only when one of them is asked for; nil for none.
        var gate: Int?
        /// Whether that has happened in the present forward pass.
        var isGateOpen = true
        var free: [Int]
        var ready: [(group: Int, slot: Int)] = []
        /// Slots that are open or being filled are neither free nor ready.
        var isLoading = false
        /// Counts restarts: what was begun before the last one is not wanted.
        var era = 0
        var failure: (any Error)?
        var isStopped = false
        var hasThread = false
        var counters = StreamCounters()

        init(slots: Int, groups: Int) {
            free = Array(0..<slots)
            order = Array(0..<groups)
            next = groups
        }

        var isAtEnd: Bool { next == order.count }
        var isAtGate: Bool { next == gate && !isGateOpen }

        /// Begins the next forward pass where the present one has ended and another is to come.
        func beginIfDue() {
            guard isAtEnd, passesLeft > 0 else { return }
            passesLeft -= 1
            next = 0
            isGateOpen = false
        }

        /// Whether a group is ready or being loaded.
        func isHere(_ group: Int) -> Bool {
            if ready.contains(where: { $0.group == group }) { return true }
            // What is being loaded is the one before `next`.
            return isLoading && next > 0 && order[next - 1] == group
        }
    }

    /// - Parameter count: groups in a forward pass.
    init(_ transfer: any WeightTransfer, count: Int) {
        self.transfer = transfer
        state = State(slots: transfer.slots, groups: count)
    }

    private func locked<R>(_ body: (State) throws -> R) rethrows -> R {
        condition.lock()
        defer { condition.unlock() }
        return try body(state)
    }

    var counters: StreamCounters { locked { $0.counters } }

    /// Says how many forward passes are to come; what begins the next is loaded while the last ends.
    ///
    /// - Parameter gate: where a forward pass may end early: groups from this place on come when one of
    ///   them is asked for.
    func expect(passes: Int, gate: Int? = nil) {
        locked { state in
            state.passesLeft = passes
            state.gate = gate.flatMap { $0 < state.order.count ? $0 : nil }
            startThread(state)
            condition.broadcast()
        }
    }

    /// Loads groups in another order from now on, beginning with its first.
    func reorder(_ order: [Int]) {
        locked { state in
            restart(atPlace: 0, state)
            state.order = order
        }
    }

    /// Ends a forward pass at its gate: nothing behind it is wanted.
    func endAtGate() {
        locked { state in
            guard state.gate != nil else { return }
            // Where nothing comes before the gate, it may not have begun yet.
            state.beginIfDue()
            state.era += 1
            state.free += state.ready.map(\.slot)
            state.ready = []
            state.next = state.order.count
            condition.broadcast()
        }
    }

    /// Takes a group that has been loaded, waiting for it if need be.
    ///
    /// - Throws: what loading it threw.
    func take(_ group: Int) throws -> Int {
        let begin = Date()
        return try locked { state in
            startThread(state)
            openGate(to: group, state)
            if !isComing(group, state) { restart(at: group, state) }
            var hasWaited = false
            while true {
                if let failure = state.failure {
                    state.failure = nil
                    state.next = state.order.count
                    throw failure
                }
                while let first = state.ready.first, first.group != group {
                    state.free.append(first.slot)
                    state.ready.removeFirst()
                    condition.broadcast()
                }
                if let first = state.ready.first {
                    state.ready.removeFirst()
                    if hasWaited {
                        state.counters.waits += 1
                        state.counters.waited += Date().timeIntervalSince(begin)
                    }
                    return first.slot
                }
                hasWaited = true
                condition.wait()
            }
        }
    }

    /// Gives a slot back.
    func free(_ slot: Int) {
        locked { state in
            state.free.append(slot)
            condition.broadcast()
        }
    }

    /// Forgets what is to come and waits until the thread is idle.
    func pause() {
        locked { state in
            state.era += 1
            state.next = state.order.count
            state.passesLeft = 0
            state.free += state.ready.map(\.slot)
            state.ready = []
            while state.isLoading { condition.wait() }
            state.failure = nil
        }
    }

    /// Ends the thread, and waits until it does nothing any more.
    func stop() {
        locked { state in
            state.isStopped = true
            condition.broadcast()
            // What it copies to and from has to stay until then.
            while state.isLoading { condition.wait() }
        }
    }

    /// Has a forward pass go on behind its gate where a group from there is asked for.
    private func openGate(to group: Int, _ state: State) {
        guard let gate = state.gate, !state.isHere(group),
            let place = state.order.firstIndex(of: group), place >= gate
        else { return }
        state.beginIfDue()
        state.isGateOpen = true
        condition.broadcast()
    }

    /// Whether a group is ready, being loaded, or next.
    private func isComing(_ group: Int, _ state: State) -> Bool {
        if state.isHere(group) { return true }
        if state.isAtEnd { return group == state.order.first && state.passesLeft > 0 }
        return state.order[state.next] == group
    }

    private func restart(at group: Int, _ state: State) {
        // The first of all groups after the last begins a forward pass, which is in order.
        if group != state.order.first || !state.isAtEnd { state.counters.restarts += 1 }
        // Of several places it is most likely the one that comes first from here.
        let place =
            state.order[state.next...].firstIndex(of: group) ?? state.order.firstIndex(of: group)
        restart(atPlace: place ?? 0, state)
    }

    private func restart(atPlace place: Int, _ state: State) {
        state.era += 1
        state.next = place
        state.isGateOpen = place >= state.gate ?? 0
        state.free += state.ready.map(\.slot)
        state.ready = []
        condition.broadcast()
    }

    private func startThread(_ state: State) {
        guard !state.hasThread else { return }
        state.hasThread = true
        let thread = Thread { [self] in run() }
        thread.name = "weights"
        thread.start()
    }

    private func run() {
        while let work = nextWork() {
            let outcome = Result { try transfer.load(work.group, into: work.slot) }
            locked { state in
                state.isLoading = false
                finish(work, outcome, state)
                condition.broadcast()
            }
        }
    }

    private struct Work {
        var group: Int
        var slot: Int
        var era: Int
    }

    private func nextWork() -> Work? {
        locked { state in
            while !state.isStopped {
                state.beginIfDue()
                if !state.isAtEnd, !state.isAtGate, state.failure == nil, !state.free.isEmpty {
                    let work = Work(
                        group: state.order[state.next], slot: state.free.removeFirst(),
                        era: state.era)
                    state.next += 1
                    state.isLoading = true
                    return work
                }
                condition.wait()
            }
            return nil
        }
    }

    private func finish(
        _ work: Work, _ outcome: Result<(moved: Int, read: Int), any Error>, _ state: State
    ) {
        switch outcome {
        case .success(let bytes):
            state.counters.units += 1
            state.counters.moved += bytes.moved
            state.counters.read += bytes.read
            state.counters.mostOpen = max(
                state.counters.mostOpen, transfer.slots - state.free.count)
            if work.era == state.era {
                state.ready.append((work.group, work.slot))
            } else {
                state.free.append(work.slot)
            }
        case .failure(let error):
            state.free.append(work.slot)
            if work.era == state.era { state.failure = error }
        }
    }
}
