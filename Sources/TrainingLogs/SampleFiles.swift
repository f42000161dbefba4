internal import FileSupport
internal import Foundation
internal import Imaging
internal import Synchronization

/// Images of a training as files: `samples/step-000100-1.png`, the first of those of step 100.
///
/// Each carries its prompt under `Description`, and what its maker has given besides.
public final class SampleFiles: Sendable {
    /// The folder of the images, made with the first of them.
    public let folder: String
    private let last: Mutex<(step: Int, count: Int)>

    /// Goes on with a folder; images of steps after `last` are removed, as they will be made again.
    ///
    /// - Throws: `FileError` where the folder could not be written.
    public init(folder: String, continuingAfter last: Int) throws {
        self.folder = folder
        self.last = Mutex((last, 0))
        try Folder.checkWritable(folder)
        for file in files where file.step > last { unlink(folder + "/" + file.name) }
    }

    /// Writes an image.
    ///
    /// - Returns: the path.
    /// - Throws: `ImagingError`, `FileError`.
    @discardableResult
    public func write(_ image: LoggedImage) throws -> String {
        let number = last.withLock { last in
            last = (image.step, last.step == image.step ? last.count + 1 : 1)
            return last.count
        }
        try Folder.make(folder)
        let path = "\(folder)/step-\(String(format: "%06d", image.step))-\(number).png"
        try image.image.write(
            to: path,
            metadata: image.metadata.merging(["Description": image.name]) { $1 })
        return path
    }

    private struct File {
        var name: String
        var step: Int
        var number: Int
    }

    /// In the order in which they were made; other files of the folder are left alone.
    private var files: [File] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name -> File? in
            guard name.hasPrefix("step-"), name.hasSuffix(".png") else { return nil }
            let numbers = name.dropFirst(5).dropLast(4).split(separator: "-").map { Int($0) }
            guard numbers.count == 2, let step = numbers[0], let number = numbers[1] else {
                return nil
            }
            return File(name: name, step: step, number: number)
        }.sorted { ($0.step, $0.number) < ($1.step, $1.number) }
    }

    /// Images of an earlier run, of so many steps at most, at even distances.
    ///
    /// - Returns: the images, and how many steps are left out; images that cannot be read are.
    func images(ofSteps most: Int) -> (shown: [LoggedImage], dropped: Int) {
        let all = files
        var steps = Array(Set(all.map(\.step))).sorted()
        let count = steps.count
        if count > most {
            steps = (0..<most).map { steps[$0 * (count - 1) / (most - 1)] }
        }
        let chosen = Set(steps)
        let shown = all.filter { chosen.contains($0.step) }.compactMap { file -> LoggedImage? in
            let path = folder + "/" + file.name
            guard let image = try? Image(contentsOf: path) else { return nil }
            let name = (try? Image.readMetadata(of: path))?["Description"]
            return LoggedImage(step: file.step, name: name ?? file.name, image: image)
        }
        return (shown, count - steps.count)
    }
}
