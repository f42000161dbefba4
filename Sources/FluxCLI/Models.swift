import ArgumentParser
import Flux2
import Foundation
import ModelHub

struct Models: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List models with names, and what of them is on this machine.",
        subcommands: [List.self, Remove.self], defaultSubcommand: List.self)
}

extension Models {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the model that comes with flux2, and the published ones.")

        @OptionGroup var result: ResultOptions

        private struct Row: Encodable {
            var name: String
            /// Nil for the bundled model, of which nothing is known but its files.
            var hubID: String?
            var encoder: String?
            var steps: Int?
            var cfgScale: Double?
            var embeddedGuidance: Double?
            var height: Int?
            var width: Int?
            var license: String?
            var gated: Bool
            var bytes: Int?
            var path: String?
            var missing: [String]

            private enum CodingKeys: String, CodingKey {
                case name, hubID, encoder, steps, cfgScale, embeddedGuidance, height, width
                case license = "licence"
                case gated, bytes, path, missing
            }
        }

        func run() throws {
            let settings = try HubSettings()
            let rows = [Self.bundled(settings)] + Variant.allCases.map { Self.row($0, settings) }
            if result.json {
                print(try JSON.lines(rows))
            } else {
                print(rows.map(Self.text).joined(separator: "\n\n"))
            }
        }

        private static func row(_ variant: Variant, _ settings: HubSettings) -> Row {
            let model = ModelRepository(named: variant.rawValue)
            let present = model?.present(settings) ?? [:]
            let own = ModelPlaces.candidates(variant.rawValue, settings)
                .first(where: LocalFiles.isFolder)
            return Row(
                name: variant.rawValue, hubID: variant.hubID, encoder: variant.encoderName,
                steps: variant.preset.steps, cfgScale: variant.preset.cfgScale,
                embeddedGuidance: variant.preset.embeddedGuidance,
                license: variant.license.name, gated: variant.license.isGated,
                bytes: variant.sizes.values.reduce(0, +), path: own,
                missing: ModelRepository.Part.allCases.filter { present[$0] == nil }
                    .map(\.rawValue))
        }

        private static func bundled(_ settings: HubSettings) -> Row {
            let folder = BundledModel.folder()
            let preset = folder.flatMap { try? ModelFiles(model: $0, settings: settings) }?.preset
            return Row(
                name: BundledModel.name, steps: preset?.steps, cfgScale: preset?.cfgScale,
                embeddedGuidance: preset?.embeddedGuidance, height: preset?.height,
                width: preset?.width, gated: false,
                bytes: folder.flatMap { try? DiskUse.bytes(of: $0) },
                path: folder, missing: [])
        }

        private static func text(_ row: Row) -> String {
            let lines = [
                ("repository", row.hubID ?? "none: comes with flux2"), ("size", size(row)),
                ("preset", preset(row)),
                (
                    "licence",
                    row.license.map { $0 + (row.gated ? ", to be agreed to on the hub" : "") }
                ),
                ("on disk", place(row)),
            ]
            return lines.reduce(row.name) { text, line in
                guard let value = line.1 else { return text }
                return text + "\n  " + line.0.padding(toLength: 12, withPad: " ", startingAt: 0)
                    + value
            }
        }

        private static func size(_ row: Row) -> String? {
            row.bytes.map { Terminal.bytes($0) + (row.encoder.map { ", with \($0)" } ?? "") }
        }

        private static func preset(_ row: Row) -> String? {
            guard let steps = row.steps, let scale = row.cfgScale else { return nil }
            let guidance = row.embeddedGuidance.map { ", embedded-guidance \($0)" } ?? ""
            var text = "\(steps) steps, cfg-scale \(scale)\(guidance)"
            if let width = row.width, let height = row.height { text += ", \(width)x\(height)" }
            return text
        }

        private static func place(_ row: Row) -> String {
            guard let path = row.path else {
                let places = BundledModel.places().joined(separator: ", ")
                return "not on this machine; "
                    + (row.hubID == nil ? "looked for \(places)" : "flux2 download \(row.name)")
            }
            let lack = row.missing.isEmpty ? "" : " (lacks \(row.missing.joined(separator: ", ")))"
            return path + lack
        }
    }
}
