import FileSupport
import Foundation
import TestSupport
import Testing

/// Damaged and hostile files for every reader: no signal, no hang, no memory without bound, and nothing
/// accepted that is wrong. `FLUX2_FUZZ` is the number of inputs; they follow from their seeds.
///
/// Inputs are read in a process of their own, since a trap ends it: this program again, with one test.
@Suite("Files that nobody wrote so", .serialized)
struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let isSlow = environment["FLUX2_SLOW_TESTS"] != nil
    static let task = environment["FLUX2_FUZZ_TASK"]
    private static let total =
        environment["FLUX2_FUZZ"].flatMap { Int($0) } ?? (isSlow ? 100_000 : 2000)
    /// After so many failures of one reader, the rest are left out.
    private static let mostFailures = 5

    private static func count(_ reader: FuzzReader) -> Int {
        let shares = FuzzReader.all.reduce(0) { $0 + $1.share }
        return max(3, Int(Double(total) * reader.share / shares))
    }

    @Test(.enabled(if: task == nil), arguments: FuzzReader.all)
    func areReadOrRefused(_ reader: FuzzReader) throws {
        let folder = try TemporaryFolder()
        let end = Self.count(reader)
        var (seed, failures) = (0, 0)
        while seed < end, failures < Self.mostFailures {
            let outcome = try FuzzChild.run(reader.name, seeds: seed..<end, folder.path)
            guard let failure = outcome else { return }
            failures += 1
            Issue.record("\(reader.name), seed \(failure.seed): \(failure.what)")
            seed = failure.seed + 1
        }
    }

    @Test(.enabled(if: task != nil)) func inThisProcess() throws {
        try FuzzChild.work(Self.task ?? "")
    }

    /// The changes reach what they are for.
    @Test(.enabled(if: task == nil), arguments: FuzzReader.all)
    func filesThatAreRightAreRead(_ reader: FuzzReader) throws {
        for base in try reader.bases() {
            let folder = try TemporaryFolder()
            try reader.prepare(folder.path)
            let path = folder.file(reader.file)
            try Folder.make(for: path)
            try Data(base).write(to: URL(fileURLWithPath: path))
            #expect(throws: Never.self, "\(reader.name)") { try reader.read(path) }
        }
    }
}

extension FuzzReader: CustomTestStringConvertible {
    var testDescription: String { name }
}
