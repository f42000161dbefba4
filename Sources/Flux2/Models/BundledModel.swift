internal import Foundation
internal import ModelHub

/// The small bundled model, which draws emoji.
public enum BundledModel {
    /// What it is called wherever a model's name is taken.
    public static let name = "emoji"

    /// The variable of the environment that names another folder to take it from.
    static let variable = "FLUX2_EMOJI_MODEL"

    /// The folder of the model; nil where it is not on this machine.
    public static func folder() -> String? { places().first(where: isModel) }

    /// The folders that it is looked for in, one after the other.
    ///
    /// That of `FLUX2_EMOJI_MODEL`, and then no other; else the one that `make install` makes
    /// beside the program, and that of the package in which the program was built.
    public static func places() -> [String] {
        places(
            environment: ProcessInfo.processInfo.environment,
            program: Bundle.main.executableURL?.resolvingSymlinksInPath())
    }

    /// - Parameters:
    ///   - environment: the variables that count.
    ///   - program: the executable, links followed.
    static func places(environment: [String: String], program: URL?) -> [String] {
        if let named = environment[variable], !named.isEmpty { return [named] }
        guard let program else { return [] }
        let folder = program.deletingLastPathComponent()
        let installed = folder.deletingLastPathComponent().path + "/share/flux2/" + name
        return [installed] + [ofPackage(above: folder)].compactMap(\.self)
    }

    /// The model's place in the first package above a folder that has it, else in the first one.
    private static func ofPackage(above folder: URL) -> String? {
        var folder = folder
        var found: [String] = []
        while folder.path.count > 1 {
            if FileManager.default.fileExists(atPath: folder.path + "/Package.swift") {
                found.append(folder.path + "/Models/" + name)
            }
            folder.deleteLastPathComponent()
        }
        return found.first(where: isModel) ?? found.first
    }

    private static func isModel(_ folder: String) -> Bool {
        FileManager.default.fileExists(atPath: folder + "/model_index.json")
    }

    /// A path as it is, or the model's folder for its name where nothing else is called so.
    static func path(_ path: String) -> String {
        guard path == name, !FileManager.default.fileExists(atPath: path) else { return path }
        return folder() ?? path
    }
}
