internal import TrainingLogs
internal import FileSupport
internal import Foundation
internal import LoRA

/// The output folder of a training, and what an earlier one has left in it.
struct TrainingFolder {
    let path: String

    var states: StateFiles { StateFiles(folder: path) }

    /// Claims the folder for this process, and makes it where it is not there.
    ///
    /// - Throws: `TrainingError` where another process trains into it; `FileError` where nothing can be
    ///   written.
    func claim(onEvent: (TrainingEvent) -> Void) throws -> FolderClaim {
        try Folder.make(path)
        guard let claim = try FolderClaim(path) else {
            throw TrainingError(
                reason: .unfit("\(path): another process is training into this folder"))
        }
        if let obstacle = claim.obstacle {
            onEvent(
                .warned(
                    "\(path): nothing keeps a second training out of this folder, which knows no "
                        + "locks: \(obstacle)"))
        }
        return claim
    }

    /// What an earlier training holds that a new one would replace, in words; nil for none.
    var held: String? {
        let (step, names) = (states.progress?.steps, checkpoints)
        guard step != nil || !states.isEmpty || !names.isEmpty else { return nil }
        let count = names.count == 1 ? "1 checkpoint" : "\(names.count) checkpoints"
        guard let step else { return "a training without a readable state, \(count)" }
        return "a training at step \(step), \(count)"
    }

    /// Refuses to train anew where there is a training.
    func requireFree() throws {
        guard let held else { return }
        let resume = states.progress == nil ? "" : "--resume goes on with it, "
        throw TrainingError(
            reason: .unfit(
                "\(path): holds \(held); \(resume)--force begins anew and replaces it, or name another "
                    + "--output_path"))
    }

    /// Names as trainings give them: `epoch-3.safetensors`, `step-100.safetensors`, and PEFT's folders
    /// `epoch-3`.
    private var checkpoints: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { name in
            let isFile = name.hasSuffix(".safetensors")
            guard isFile || isFolderOfPEFT(name) else { return false }
            let words = name.dropLast(isFile ? ".safetensors".count : 0).split(separator: "-")
            return words.count == 2 && ["epoch", "step"].contains(words[0]) && Int(words[1]) != nil
        }
    }

    private func isFolderOfPEFT(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(path)/\(name)/\(LoRAWriter.nameOfPEFT)")
    }

    /// Removes what an earlier training has left: checkpoints, states, logs. Images are ``SampleFiles``'.
    func removeEarlier() throws {
        for name in checkpoints + ["loss.csv", "log.jsonl", "report.html", "tensorboard_log"] {
            let file = path + "/" + name
            guard FileManager.default.fileExists(atPath: file) else { continue }
            do { try FileManager.default.removeItem(atPath: file) } catch {
                throw FileError.failed("remove", file)
            }
        }
        states.remove()
    }
}

extension TrainingSettings {
    /// Refuses an output folder that cannot be written, or that holds another training; makes and
    /// changes nothing.
    ///
    /// - Throws: `FileError`, `TrainingError`.
    public func checkOutput() throws {
        try Folder.checkWritable(output.folder)
        let folder = TrainingFolder(path: output.folder)
        guard !task.encodesOnly, !output.resumes else { return }
        if !output.replaces { try folder.requireFree() }
    }
}
