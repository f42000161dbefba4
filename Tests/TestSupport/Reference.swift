import Foundation
import Testing

/// The folder of tiny models and of what the reference implementations compute with them.
///
/// `FLUX2_REFERENCE` names another one made by the same generator; the default is the copy in
/// `Tests/Reference`.
public enum Reference {
    public static let folder: String =
        ProcessInfo.processInfo.environment["FLUX2_REFERENCE"] ?? own

    /// The copy in this repository, for what other sets do not have.
    public static let own: String =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Reference").path

    /// Whether that copy is used.
    static var isOwn: Bool { folder == own }

    /// A model of this repository's copy, for tests that know its sizes.
    public static func ownModel(_ name: String) -> String { "\(own)/models/\(name)" }

    /// The folder of the bundled model.
    public static let bundledModel = own + "/../../Models/emoji"

    public static func path(_ relative: String) -> String { folder + "/" + relative }

    /// The names of a stage's cases, without extensions.
    public static func cases(of stage: String) throws -> [String] {
        let files = try FileManager.default.contentsOfDirectory(
            atPath: path("goldens/\(stage)"))
        return Set(files.map { ($0 as NSString).deletingPathExtension }).sorted()
    }
}
