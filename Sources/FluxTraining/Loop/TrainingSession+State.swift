internal import FileSupport
internal import Foundation
internal import Torch

/// A run that another goes on from.
struct EarlierRun {
    let state: TrainingState
    /// The file that errors name.
    let path: String
    /// Whether it is the newest state of its folder; else that one is damaged.
    let isNewest: Bool

    /// Reads the newest sound state, where settings ask for one; nil where they do not.
    ///
    /// - Throws: `TrainingError` where there is none.
    init?(_ settings: TrainingSettings, onEvent: (TrainingEvent) -> Void) throws {
        guard settings.output.resumes, !settings.task.encodesOnly else { return nil }
        let files = StateFiles(folder: settings.output.folder)
        let found = try files.read { onEvent(.warned($0)) }
        guard let found else {
            throw TrainingError(
                reason: .foreignState("\(files.newest): there is no state to resume from"))
        }
        (state, isNewest) = found
        path = isNewest ? files.newest : files.previous
    }
}

extension TrainingSession {
    private var folder: TrainingFolder { TrainingFolder(path: settings.output.folder) }

    // MARK: Beginning

    /// Begins anew, in place of what an earlier training has left.
    func begin() throws {
        guard group.isFirst else { return }
        if settings.output.replaces, let held = folder.held {
            try folder.removeEarlier()
            onEvent(.warned("\(folder.path): begins anew; \(held) was there and is replaced"))
        }
        try openLogs(continuingAfter: 0)
        try keepArguments()
    }

    /// Goes on from a state.
    func resume(_ earlier: EarlierRun) throws {
        for remark in try earlier.state.identity.check(against: identity, path: earlier.path) {
            onEvent(.warned(remark))
        }
        try restore(earlier.state, earlier.path)
        progress = earlier.state.progress.scaled(
            from: earlier.state.identity.processes, to: group.size)
        boundary = (progress, try sampler.state())
        savedUpdates = earlier.isNewest ? progress.updates : nil
        if group.isFirst {
            discardLeftovers()
            try openLogs(continuingAfter: progress.steps)
            try keepArguments()
        }
        onEvent(.resumed(step: progress.steps, path: earlier.path))
    }

    private func restore(_ state: TrainingState, _ path: String) throws {
        try withoutGradients {
            let values = state.tensors.part("weights.")
            for parameter in weights.parameters {
                guard let value = values[parameter.name], value.shape == parameter.tensor.shape
                else {
                    throw TrainingError(
                        reason: .foreignState("\(path): has no '\(parameter.name)' that fits"))
                }
                try parameter.tensor.assign(value)
            }
            try updater.restore(state.tensors, updates: state.progress.updates)
            let own = try state.tensors.part("draws.\(group.rank).").mapValues {
                try $0.values(as: UInt8.self)
            }
            if settings.drawOrder == .torch { try sampler.restore(own) }
        }
    }

    private func discardLeftovers() {
        folder.states.discardNext()
        AtomicFile.discardAbandoned(in: folder.path) { name in
            [".safetensors", ".json", ".html", ".csv", ".jsonl"].contains(where: name.hasSuffix)
        }
    }

    private func keepArguments() throws {
        guard let arguments = settings.output.arguments else { return }
        try AtomicFile.write(folder.path + "/training_args.json", bytes: arguments)
    }

    // MARK: Keeping

    /// Writes what resuming needs, as of the last update; of a run that has lost its numbers, nothing.
    func saveState() throws {
        // Parts of it lie on all processes.
        var tensors = try updater.state()
        for (key, bytes) in boundary.sampler {
            tensors["draws.\(group.rank).\(key)"] = try .from(bytes)
        }
        tensors = try gathered(tensors)
        guard group.isFirst else { return }
        for parameter in weights.parameters {
            tensors["weights." + parameter.name] = parameter.tensor
        }
        if let spoilt = try TrainingState.firstNotFinite(tensors) {
            throw TrainingError(step: progress.steps, reason: .weightNotFinite(spoilt))
        }
        let state = TrainingState(
            progress: boundary.progress, identity: identity, rows: rows, tensors: tensors)
        let updates = boundary.progress.updates
        try folder.states.write(
            state, keepsNewest: savedUpdates != nil && savedUpdates != updates)
        savedUpdates = updates
    }

    /// The draws of all processes, on the first; optimizer state is there already.
    private func gathered(_ tensors: [String: Tensor]) throws -> [String: Tensor] {
        guard group.size > 1, settings.drawOrder == .torch else { return tensors }
        let sampler = tensors.filter { $0.key.hasPrefix("draws.") }
        return try group.collect(sampler).reduce(into: tensors) { all, part in
            all.merge(part) { _, new in new }
        }
    }

    /// What was learned until the last update is not lost with what comes after it; but weights that gave
    /// no number are kept nowhere.
    func keepState(after error: any Error) {
        guard settings.output.keepsState, progress.steps > 0 else { return }
        guard error.isDivergence else {
            try? saveState()
            return
        }
        guard group.isFirst else { return }
        // A state of the very weights that gave NaN is no use.
        if savedUpdates == updater.updates { _ = folder.states.withdraw() }
        guard let step = folder.states.progress?.steps else { return }
        onEvent(
            .warned(
                "the state after step \(step) is kept: --resume goes on from it, with a lower "
                    + "--learning_rate for one"))
    }
}

extension Error {
    /// Whether a training has lost its numbers.
    fileprivate var isDivergence: Bool {
        switch self {
        case let error as TrainingError:
            switch error.reason {
            case .lossNotFinite, .weightNotFinite: true
            case .foreignState, .unfit: false
            }
        case let error as OptimizerError: error.reason == .gradientNotFinite
        default: false
        }
    }
}
