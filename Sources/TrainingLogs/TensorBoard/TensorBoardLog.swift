internal import FileSupport
internal import Foundation

/// A log that TensorBoard shows: a file of events for each run, values as scalars, images as PNG.
public final class TensorBoardLog: TrainingLog {
    /// The file of this run, `events.out.tfevents.<seconds>.<host>.<process>`.
    public var path: String { file.path }

    private let file: AppendedFile

    /// Begins a file in a folder, which is made where it is not there.
    ///
    /// - Parameters:
    ///   - folder: where TensorBoard looks, `tensorboard_log` in the folder of the output.
    ///   - last: the last step that earlier files of the folder told well; readers drop what these
    ///     say of later ones. Nil lets all stay.
    /// - Throws: `FileError`.
    public init(folder: String, continuingAfter last: Int? = nil) throws {
        try Folder.make(folder)
        let earlier = try Self.seconds(in: folder)
        let now = Date().timeIntervalSince1970
        file = try Self.newFile(in: folder, from: max(Int(now), (earlier.max() ?? 0) + 1))
        var messages = [EventMessage.version(at: now)]
        // Readers take the first start that they see for the run's own, and only another for a new
        // one; files of other programs may have none.
        if let last, last > 0 || !earlier.isEmpty {
            let start = EventMessage.sessionStart(step: last + 1, at: now)
            messages += [start, start]
        } else if earlier.isEmpty {
            messages.append(EventMessage.sessionStart(step: 0, at: now))
        }
        for message in messages { try append(message) }
    }

    public func write(_ entry: LogEntry) throws {
        try append(EventMessage.scalars(entry))
    }

    /// Adds an image as `samples/<name>`.
    public func add(_ image: LoggedImage) throws {
        let name = image.name.map { $0.isNewline || $0 == "/" ? " " : $0 }.prefix(100)
        try append(try EventMessage.image(image, tag: "samples/" + String(name)))
    }

    public func close() throws { try file.close() }

    private func append(_ message: [UInt8]) throws {
        try file.append(EventMessage.frame(message))
    }

    private static let prefix = "events.out.tfevents."

    /// When the files of a folder were begun, as their names have it.
    private static func seconds(in folder: String) throws -> [Int] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
                guard name.hasPrefix(prefix) else { return nil }
                return Int(name.dropFirst(prefix.count).prefix { $0.isWholeNumber })
            }
        } catch { throw FileError.failed("list", folder) }
    }

    /// Readers take files in the order of their names, so a new one has to come last.
    private static func newFile(in folder: String, from first: Int) throws -> AppendedFile {
        var seconds = first
        while true {
            let name = "\(prefix)\(seconds).\(host).\(getpid())"
            do {
                return try AppendedFile(path: "\(folder)/\(name)", isNew: true)
            } catch let error as FileError where error.reason == .exists { seconds += 1 }
        }
    }

    private static var host: String {
        // Foundation would ask the network for it, and wait.
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let bytes = name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        let text = String(decoding: bytes, as: UTF8.self).replacing("/", with: "-")
        return text.isEmpty ? "localhost" : text
    }
}
