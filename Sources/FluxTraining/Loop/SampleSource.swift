public import Flux2
internal import Torch

/// Samples by number, read on any thread.
public protocol SampleSource: Sendable {
    /// Different samples.
    var count: Int { get }
    /// Reads one.
    ///
    /// - Throws: `DataError` naming it.
    func load(_ number: Int) throws -> LoadedSample
    /// How much of it there is to compute; told from headers, no picture is decoded.
    ///
    /// - Throws: `DataError` naming the sample.
    func measure(_ number: Int) throws -> SampleMeasure
    /// A digest of all that decides the samples, by which a resumed run knows its data.
    func fingerprint() throws -> String
}

/// A sample on its way to the objective.
public enum LoadedSample: Sendable {
    /// With its pictures; still to be encoded.
    case item(TrainingItem)
    /// The file of an encoded one.
    case encoded(CachedSample)
}

extension PictureDataset: SampleSource {
    public func load(_ number: Int) throws -> LoadedSample { .item(try item(number)) }

    public func fingerprint() throws -> String {
        let columns = ["image", "prompt"] + extraInputs
        return Digest.of(
            ["\(sizing)", "\(options)", base] + columns
                + metadata.rows.map { row in
                    columns.map { row[$0]?.identity ?? "" }.joined(separator: "\u{1F}")
                })
    }
}

/// Some of the samples of a source.
struct SampleSelection: SampleSource {
    let source: any SampleSource
    let numbers: [Int]

    var count: Int { numbers.count }
    func load(_ number: Int) throws -> LoadedSample { try source.load(numbers[number]) }
    func measure(_ number: Int) throws -> SampleMeasure { try source.measure(numbers[number]) }
    func fingerprint() throws -> String { try source.fingerprint() + "\(numbers.count)" }
}
