import ArgumentParser
import FileSupport
import Flux2
import Foundation
import Imaging

/// The images of one run: every prompt with every seed, and where each goes.
struct Batch: Sendable {
    struct Job: Sendable {
        var request: GenerationRequest
        var place: ImageDestination
        /// Where latents go, if they are wanted.
        var latents: String?
        /// Whether all of it is there and stays.
        var isDone = false
    }

    private(set) var jobs: [Job]
    /// Where a sheet of all images goes, if one is wanted.
    let sheet: ImageDestination?
    let output: Output

    /// What all images have in common in how they are written.
    struct Output: Sendable {
        var quality: Int?
        var force = false
        var skipExisting = false
        var json = false

        init(_ options: OutputOptions) {
            quality = options.quality
            force = options.force
            skipExisting = options.skipExisting
            json = options.json
        }
    }

    /// - Parameters:
    ///   - first: what all images have in common, and the seed of the first one of each prompt.
    ///   - count: images of each prompt, with seeds that follow each other.
    ///   - model: as it was named.
    /// - Throws: `ValidationError` for names that cannot be.
    init(
        _ first: GenerationRequest, prompts: [String], count: Int, output: OutputOptions,
        model: String
    ) throws {
        let requests = Self.requests(first, prompts, count)
        let values = requests.enumerated().map {
            OutputPattern.values($1, index: $0 + 1, of: requests.count, model: model)
        }
        // To replace, there has to be a name.
        let name = output.output ?? (output.force ? "image.png" : nil)
        let places = try Self.places(name, values)
        let latents = try output.saveLatents.map { try Self.paths($0, values) }
        jobs = requests.enumerated().map { index, request in
            Job(request: request, place: places[index], latents: latents?[index])
        }
        sheet = output.grid ? try Self.sheet(name, values[0]) : nil
        self.output = Output(output)
    }

    private static func requests(
        _ first: GenerationRequest, _ prompts: [String], _ count: Int
    ) -> [GenerationRequest] {
        prompts.flatMap { prompt in
            (0..<count).map { index in
                var request = first
                request.prompt = prompt
                request.seed = first.seed &+ UInt64(index)
                return request
            }
        }
    }

    private static func places(
        _ output: String?, _ values: [[String: String]]
    ) throws -> [ImageDestination] {
        guard let output, case .path = ImageDestination(output) else {
            return Array(repeating: ImageDestination(output), count: values.count)
        }
        return try paths(output, values).map { .path($0) }
    }

    /// A path for each image, with its number where they would be the same.
    private static func paths(_ text: String, _ values: [[String: String]]) throws -> [String] {
        let pattern = try OutputPattern(text)
        let paths = values.map(pattern.path)
        guard Set(paths).count < paths.count else { return paths }
        return zip(paths, values).map { $0.marked($1["index"] ?? "") }
    }

    private static func sheet(
        _ output: String?, _ values: [String: String]
    ) throws -> ImageDestination {
        guard let output, case .path = ImageDestination(output) else {
            return ImageDestination(output, stem: "image-grid")
        }
        return .path(try OutputPattern(output).path(values).marked("grid"))
    }

    /// Refuses what cannot be written before any work is done, and notes what is there already.
    ///
    /// - Throws: `FileError`, `ImagingError`, `OutputError`.
    mutating func check() throws {
        for index in jobs.indices { try check(&jobs[index]) }
        // A sheet is of all images, and made anew with any of them.
        try sheet?.check(overwrite: output.force || output.skipExisting)
    }

    private func check(_ job: inout Job) throws {
        do {
            let replaces = output.force || output.skipExisting
            try job.place.check(overwrite: replaces)
            if let latents = job.latents {
                try ImageDestination.check(latents, overwrite: replaces)
            }
        } catch let error as FileError where error.reason == .exists {
            throw OutputError(path: error.path, isOneOfSeveral: jobs.count > 1)
        }
        guard output.skipExisting else { return }
        if case .next = job.place { throw OutputError.namesNothing }
        job.isDone =
            job.place.exists
            && job.latents.map(FileManager.default.fileExists(atPath:)) ?? true
    }
}

/// An output that is there already.
struct OutputError: Error, CustomStringConvertible {
    let description: String

    init(path: String, isOneOfSeveral: Bool) {
        description =
            "\(path): exists already; --force replaces it"
            + (isOneOfSeveral ? ", --skip-existing makes those that are missing" : "")
    }

    private init(_ description: String) { self.description = description }

    /// A folder takes ever new names, so that nothing is ever there.
    static let namesNothing = OutputError(
        "--skip-existing needs an --output that names the images, not a folder")
}
