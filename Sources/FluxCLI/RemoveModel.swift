import ArgumentParser
import Flux2
import Foundation
import ModelHub

extension Models {
    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a model or a data set from this machine.",
            discussion: """
                Looks where flux2 download puts files, and in the caches of huggingface_hub and \
                modelscope; other programs that use those lose the model too.
                """)

        @Argument(help: "klein-4b, or owner/name.")
        var name: String

        @Flag(help: "It is a data set, not a model.")
        var dataset = false

        @Flag(help: "Do not ask.")
        var force = false

        func run() throws {
            let settings = try HubSettings()
            let repository =
                dataset
                ? try Repository(name, kind: .dataset)
                : try ModelRepository(named: name)?.repository ?? Repository(name)
            let folders = settings.storage(of: repository, named: dataset ? nil : name)
            guard !folders.isEmpty else {
                throw HubError(name, .notHere(searched: settings.folders(of: repository)))
            }
            for folder in folders {
                print("\(folder): \(Terminal.bytes(try DiskUse.bytes(of: folder)))")
            }
            guard force || Self.agrees() else {
                throw ValidationError("nothing was removed; --force does it without asking")
            }
            for folder in folders { try FileManager.default.removeItem(atPath: folder) }
            print("removed")
        }

        /// Asks, where somebody can answer.
        private static func agrees() -> Bool {
            guard isatty(STDIN_FILENO) == 1 else { return false }
            print("Remove? [y/N] ", terminator: "")
            fflush(nil)
            return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
        }
    }
}

enum DiskUse {
    /// The bytes of all files in a folder; what links lead to elsewhere does not count.
    static func bytes(of folder: String) throws -> Int {
        let names = FileManager.default.enumerator(atPath: folder)
        var sum = 0
        while let name = names?.nextObject() as? String {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder + "/" + name)
            if attributes[.type] as? FileAttributeType == .typeRegular {
                sum += attributes[.size] as? Int ?? 0
            }
        }
        return sum
    }
}
