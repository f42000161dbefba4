internal import Domains
internal import FileSupport
internal import Foundation

/// The states in a training's folder: the newest, and the one before it.
struct StateFiles {
    let folder: String

    var newest: String { folder + "/training_state.safetensors" }
    var previous: String { folder + "/training_state.previous.safetensors" }
    /// A whole state that has not taken its place yet.
    private var next: String { folder + "/training_state.next.safetensors" }

    var isEmpty: Bool { ![newest, previous].contains(where: Self.exists) }

    /// How far the run has come; nil without a readable state.
    var progress: TrainingProgress? {
        TrainingState.progress(in: newest) ?? TrainingState.progress(in: previous)
    }

    /// Writes a state. At no moment is there none.
    ///
    /// - Parameter keepsNewest: whether the one that was the newest becomes the previous one.
    func write(_ state: TrainingState, keepsNewest: Bool) throws {
        try Folder.make(folder)
        try state.write(to: next)
        if keepsNewest, Self.exists(newest) {
            unlink(previous)
            // Not all file systems have two names for a file.
            if link(newest, previous) != 0 { try Self.move(newest, to: previous) }
        }
        try Self.move(next, to: newest)
    }

    /// Reads the newest state that is sound.
    ///
    /// - Parameter onFault: told why the newest is passed over.
    /// - Returns: nil where there is none.
    /// - Throws: what is wrong with the newest, where the previous one is no better.
    func read(onFault: (String) -> Void) throws -> (state: TrainingState, isNewest: Bool)? {
        guard !isEmpty else { return nil }
        do {
            return (try TrainingState(path: newest), true)
        } catch let error as NumberError {
            // No damage writes whole numbers that no run comes to.
            throw TrainingError(reason: .foreignState("\(error)"))
        } catch {
            guard let state = try? TrainingState(path: previous) else { throw error }
            onFault(
                "\(error); going on from the state before it, that of step \(state.progress.steps)")
            return (state, false)
        }
    }

    /// Puts the previous state in the place of the newest, which has turned out to be spoilt.
    ///
    /// - Returns: false where there is no other.
    func withdraw() -> Bool { rename(previous, newest) == 0 }

    /// Removes what a killed run has left that is no state of its own.
    func discardNext() { unlink(next) }

    func remove() { for path in [newest, previous, next] { unlink(path) } }

    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    private static func move(_ path: String, to other: String) throws {
        guard rename(path, other) == 0 else { throw FileError.failed("write", other) }
        AtomicFile.flushFolder(of: other)
    }
}

extension Trainer {
    /// The seed of the run whose state lies in a folder; nil where there is none that can be read.
    public static func seed(ofStateIn folder: String) -> UInt64? {
        let files = StateFiles(folder: folder)
        return
            (TrainingState.identity(in: files.newest)
            ?? TrainingState.identity(in: files.previous))?.seed
    }

    /// The step after which the run in a folder would go on; nil where there is no state.
    public static func step(ofStateIn folder: String) -> Int? {
        StateFiles(folder: folder).progress?.steps
    }
}
