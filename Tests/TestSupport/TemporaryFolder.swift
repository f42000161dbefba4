import Foundation

/// A folder that disappears with its owner.
public final class TemporaryFolder {
    public let path: String

    public init() throws {
        path = NSTemporaryDirectory() + "flux2-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func file(_ name: String) -> String { path + "/" + name }

    public var contents: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// A copy of a tiny model that a test may damage.
    public func model(_ name: String = "tiny-klein") throws -> String {
        let copy = file(name)
        try FileManager.default.copyItem(atPath: Reference.ownModel(name), toPath: copy)
        return copy
    }
}
