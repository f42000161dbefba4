import ArgumentParser
import Flux2
import FluxEvaluation
import FluxTraining
import Foundation
import Imaging

/// Everything that is compared, looked at and found to fit before a model is.
struct EvaluationTask {
    /// Paths of the images among which neighbors are searched.
    let pool: [String]
    /// None where only the autoencoder is looked at.
    let rows: [EvaluationRow]
    /// Images that were made before, by row.
    let made: [Int: String]?
    let folder: EvaluationFolder?
    /// The one size of all images.
    let size: (height: Int, width: Int)

    /// - Throws: `DataError`, `ImagingError`, `FileError`, `ValidationError`.
    init(_ options: EvaluationOptions) throws {
        let among = try Metadata(path: options.among)
        // An image with several names is one neighbor.
        var known: Set<String> = []
        let pool = try among.rows.indices.map { try among.path(among.text("image", inRow: $0)) }
            .filter { known.insert($0).inserted }
        let rows = try options.rows.map { path in
            try EvaluationRow.all(
                in: Metadata(path: path), among: pool, groups: options.group, limit: options.limit)
        }
        let chosen = rows ?? []
        let made = try options.pictures.map { try EvaluationFolder.images(in: $0, of: chosen) }
        size = try Self.commonSize(
            pool + chosen.filter { $0.place == nil }.map(\.image)
                + chosen.compactMap { made?[$0.number] })
        folder = try options.output.map { path in
            try EvaluationFolder(
                path, rows: made == nil ? chosen : [], overwrite: options.force)
        }
        (self.pool, self.rows, self.made) = (pool, chosen, made)
    }

    /// Refuses images of another size than those that they are compared with.
    func require(_ found: (height: Int, width: Int)) throws {
        guard found == size else {
            throw RequestError(
                setting: "height and width",
                expected: "those of the expected images, \(size.height) and \(size.width)",
                found: "\(found.height) and \(found.width)")
        }
    }

    /// The size that all images have.
    private static func commonSize(_ paths: [String]) throws -> (height: Int, width: Int) {
        var size: (height: Int, width: Int)?
        for path in paths {
            let (width, height) = try Image.storedSize(of: path, orientation: .apply)
            guard width % 16 == 0, height % 16 == 0 else {
                throw DataError(
                    path: path,
                    reason: .image("sides must be multiples of 16, not \(width)x\(height)"))
            }
            guard let first = size else {
                size = (height, width)
                continue
            }
            guard first == (height, width) else {
                throw DataError(
                    path: path,
                    reason: .image(
                        "must be \(first.width)x\(first.height) pixels as \(paths[0]), not "
                            + "\(width)x\(height)"))
            }
        }
        return size ?? (0, 0)
    }
}
