internal import Flux2
internal import Foundation
internal import Torch

/// Samples by number, read on any thread.
public protocol SampleSource: Sendable {
    /// Different samples.
    var count: Int { get }
    /// Reads one.
    ///
    /// - Throws: `DataError` naming it.
    func load(_ number: Int) throws -> LoadedSample
    /// How much of it there is to compute; told from headers, no image is decoded.
    ///
    /// - Throws: `DataError` naming the sample.
    func measure(_ number: Int) throws -> SampleMeasure
    /// What a sample is made of, by which a resumed run knows its data. Files that cannot be read do not
    /// count.
    func identity(_ number: Int) throws -> RowIdentity
    /// What people call a sample: its image or its file, as it was named.
    func name(_ number: Int) -> String
    /// Looks at the headers of a sample's files.
    ///
    /// - Throws: `DataError` naming one that is none.
    func checkFiles(_ number: Int) throws
    /// What users should know before the first step.
    var remarks: [String] { get }
}

extension SampleSource {
    public var remarks: [String] { [] }
}

/// A sample on its way to the objective.
public enum LoadedSample: Sendable {
    /// With its images; still to be encoded.
    case item(TrainingItem)
    /// The file of an encoded one.
    case encoded(CachedSample)
}

extension ImageDataset: SampleSource {
    public func load(_ number: Int) throws -> LoadedSample { .item(try item(number)) }

    public func identity(_ number: Int) throws -> RowIdentity {
        let columns = extraInputs.sorted().filter { $0 != "edit_image" }
        let (image, references, _) = try paths(number)
        return try RowIdentity(
            text: [prompt(number)] + columns.map { metadata.rows[number][$0]?.identity ?? "" },
            files: digests(of: [image] + references))
    }

    public func name(_ number: Int) -> String {
        (try? paths("image", number))?.first ?? "row \(number + 1)"
    }

    /// Large files by their lengths, their starts and pieces; addresses by what they say. Nil where one
    /// cannot be read.
    private func digests(of files: [String]) -> [String]? {
        let found = files.map { file in
            Self.isAddress(file)
                ? file : try? FileFingerprint.digest(of: file, start: 1 << 18, pieces: 16)
        }
        return found.contains(nil) ? nil : found.compactMap(\.self)
    }

    public func checkFiles(_ number: Int) throws {
        let (image, references, _) = try paths(number)
        for file in [image] + references where !Self.isAddress(file) {
            _ = try size(of: file, number)
        }
    }
}

/// Some of the samples of a source.
struct SampleSelection: SampleSource {
    let source: any SampleSource
    let numbers: [Int]

    var count: Int { numbers.count }
    func load(_ number: Int) throws -> LoadedSample { try source.load(numbers[number]) }
    func measure(_ number: Int) throws -> SampleMeasure { try source.measure(numbers[number]) }
    func identity(_ number: Int) throws -> RowIdentity {
        try source.identity(numbers[number])
    }
    func name(_ number: Int) -> String { source.name(numbers[number]) }
    func checkFiles(_ number: Int) throws { try source.checkFiles(numbers[number]) }
    var remarks: [String] { source.remarks }
}
