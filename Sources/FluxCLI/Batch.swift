import ArgumentParser
import Flux2
import Foundation

/// The pictures of one run: every prompt with every seed, and where each goes.
struct Batch {
    struct Job {
        var request: GenerationRequest
        var output: OutputOptions
    }

    let jobs: [Job]
    /// Where a sheet of all pictures goes, if one is wanted.
    let sheet: String?

    /// - Parameters:
    ///   - first: what all pictures have in common, and the seed of the first one of each prompt.
    ///   - count: pictures of each prompt, with seeds that follow each other.
    init(
        _ first: GenerationRequest, prompts: [String], count: Int, output: OutputOptions
    ) {
        let requests = prompts.flatMap { prompt in
            (0..<count).map { index in
                var request = first
                request.prompt = prompt
                request.seed = first.seed &+ UInt64(index)
                return request
            }
        }
        let digits = max(3, String(requests.count).count)
        jobs = requests.enumerated().map { index, request in
            guard requests.count > 1 else { return Job(request: request, output: output) }
            let number = String(index + 1)
            let mark = String(repeating: "0", count: digits - number.count) + number
            return Job(request: request, output: output.marked(mark))
        }
        sheet = output.grid ? output.output.marked("grid") : nil
    }

    /// Refuses what cannot be written before any work is done.
    func check() throws {
        for job in jobs { try job.output.check() }
        if let sheet { try OutputOptions.check(sheet, overwrite: jobs[0].output.force) }
    }
}

extension OutputOptions {
    /// The same with a mark in every file's name.
    fileprivate func marked(_ mark: String) -> OutputOptions {
        var marked = self
        marked.output = output.marked(mark)
        marked.saveLatents = saveLatents?.marked(mark)
        return marked
    }
}

extension String {
    /// `folder/name.png` as `folder/name-mark.png`.
    fileprivate func marked(_ mark: String) -> String {
        let path = self as NSString
        let stem = "\(path.deletingPathExtension)-\(mark)"
        return path.pathExtension.isEmpty ? stem : "\(stem).\(path.pathExtension)"
    }
}
