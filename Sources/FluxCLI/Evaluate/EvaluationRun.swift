import Flux2
import FluxEvaluation
import Imaging

/// Makes images, or takes those that were made, and compares them with what was expected.
struct EvaluationRun: Sendable {
    /// Where images come from.
    enum Source: Sendable {
        case model(GenerationRequest)
        case made([Int: String])
    }

    let engine: Engine
    let task: EvaluationTask
    let source: Source
    let report: Reporter

    /// So many images are held at once while all are encoded.
    private static let portion = 16

    /// - Throws: `CancellationError` between images and between layers, and the errors of `Engine`.
    func outcome() async throws -> EvaluationOutcome {
        // What cannot be made shall not be found out after all else was done.
        if case .model(let request) = source {
            _ = try await engine.plan(request) { event in
                if case .warned(let text) = event { report.warn(text) }
            }
        }
        let plain = try await encode(task.pool, "names", decoding: true)
        let pool = RetrievalPool(plain.map(\.vectors))
        let guests = try await guests()
        var outcome = EvaluationOutcome(decibels: plain.compactMap(\.psnr))
        let progress = EvaluationProgress("pictures", of: task.rows.count, report)
        defer { progress.finish() }
        for row in task.rows {
            try Task.checkCancellation()
            let sought = row.place.map(RetrievalPool.Expected.member) ?? guests[row.number]
            guard let sought else { preconditionFailure("all expected images were encoded") }
            let (made, expected) = (try await image(row, progress), try row.expected())
            outcome.rows.append(try await judge(row, made, expected, sought, pool))
            if task.folder != nil {
                outcome.pairs.append(try EvaluationFolder.pair(made, expected))
            }
            progress.advance()
        }
        return outcome
    }

    /// The expected images that are not in the pool, by row.
    private func guests() async throws -> [Int: RetrievalPool.Expected] {
        let rows = task.rows.filter { $0.place == nil }
        let found = try await encode(rows.map(\.image), "expected", decoding: false)
        return Dictionary(
            zip(rows, found).map { ($0.number, .guest($1.vectors)) }, uniquingKeysWith: { $1 })
    }

    private func judge(
        _ row: EvaluationRow, _ made: Image, _ expected: Image, _ sought: RetrievalPool.Expected,
        _ pool: RetrievalPool
    ) async throws -> ScoredRow {
        let latents = try await engine.encode([made])[0].latents
        func score(_ image: Image, _ vectors: ImageVectors) -> ImageScore {
            ImageScore(image, vectors, expected: sought, among: pool, color: row.color)
        }
        return ScoredRow(
            row: row.number, group: row.group, prompt: row.prompt,
            generated: score(made, ImageVectors(of: made, latents: latents)),
            expected: score(expected, pool.vectors(of: sought)))
    }

    /// The image of a row; one that is made is kept if there is a folder.
    private func image(
        _ row: EvaluationRow, _ progress: EvaluationProgress
    ) async throws -> Image {
        switch source {
        case .made(let paths):
            guard let path = paths[row.number] else {
                preconditionFailure("images were looked for before")
            }
            return try Image(contentsOf: path)
        case .model(var request):
            request.prompt = row.prompt
            request.seed &+= UInt64(row.number)
            request.editImages = try row.references.map { try Image(contentsOf: $0) }
            request.resizesEditImages = row.fitsReferences
            let image = try await engine.generate(request) { progress.show($0) }.image
            try task.folder?.keep(image, of: row)
            return image
        }
    }

    private struct Encoded {
        var vectors: ImageVectors
        var psnr: Double?
    }

    private func encode(
        _ paths: [String], _ name: String, decoding: Bool
    ) async throws -> [Encoded] {
        let progress = EvaluationProgress(name, of: paths.count, report)
        defer { progress.finish() }
        var all: [Encoded] = []
        for start in stride(from: 0, to: paths.count, by: Self.portion) {
            let images = try paths[start..<min(start + Self.portion, paths.count)].map {
                try Image(contentsOf: $0)
            }
            let found = try await engine.encode(images, decoding: decoding) { _ in
                progress.advance()
            }
            all += zip(images, found).map { image, encoded in
                Encoded(
                    vectors: ImageVectors(of: image, latents: encoded.latents),
                    psnr: encoded.decoded.map(image.psnr))
            }
        }
        return all
    }
}
