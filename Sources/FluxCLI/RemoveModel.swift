import ArgumentParser
import Flux2
import Foundation
import ModelHub

extension Models {
    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a model or a data set from this machine.",
            usage: """
                flux2 models remove <name> [<options>]
                flux2 models remove -m <name> [<options>]
                """,
            discussion: """
                Looks where flux2 download puts files, and in the caches of huggingface_hub and \
                modelscope. Other programs that use those caches lose the model too.
                """)

        @OptionGroup var repository: RepositoryName

        @Flag(help: "No question first.")
        var force = false

        @OptionGroup var result: ResultOptions

        /// A folder, and what it took.
        private struct Folder: Encodable {
            var path: String
            var bytes: Int

            init(_ path: String) throws {
                self.path = path
                bytes = try DiskUse.bytes(of: path)
            }

            var line: String { "\(path): \(Terminal.bytes(bytes))" }
        }

        private struct Removal: Encodable {
            var name: String
            var removed: [Folder]
        }

        func run() throws {
            let (name, dataset) = (try repository.value(), repository.dataset)
            let found = try folders(of: name, isDataset: dataset).map(Folder.init)
            // Who is asked has to see what about.
            if !result.json, !result.quiet || !force { found.forEach { print($0.line) } }
            guard force || agrees() else {
                throw ValidationError("nothing was removed; --force does it without asking")
            }
            for folder in found { try FileManager.default.removeItem(atPath: folder.path) }
            try result.tell(Removal(name: name, removed: found), result.report, ["removed"])
        }

        private func folders(of name: String, isDataset dataset: Bool) throws -> [String] {
            let settings = try HubSettings()
            let repository =
                dataset
                ? try Repository(name, kind: .dataset)
                : try ModelRepository(named: name)?.repository ?? Repository(name)
            let folders = settings.storage(of: repository, named: dataset ? nil : name)
            guard !folders.isEmpty else {
                throw HubError(name, .notHere(searched: settings.folders(of: repository)))
            }
            return folders
        }

        /// Asks, where somebody can answer.
        private func agrees() -> Bool {
            guard !result.json, isatty(STDIN_FILENO) == 1 else { return false }
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
