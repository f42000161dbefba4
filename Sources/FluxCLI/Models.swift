import ArgumentParser
import Flux2
import Foundation
import ModelHub

struct Models: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The published models, and which of their parts are on this machine.",
        subcommands: [List.self, Remove.self], defaultSubcommand: List.self)
}

extension Models {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the published models.")

        @Flag(help: "Print one JSON array.")
        var json = false

        private struct Row: Encodable {
            var name: String
            var hubID: String
            var encoder: String
            var steps: Int
            var cfgScale: Double
            var embeddedGuidance: Double?
            var licence: String
            var gated: Bool
            var bytes: Int
            var path: String?
            var missing: [String]
        }

        func run() throws {
            let settings = try HubSettings()
            let rows = Variant.allCases.map { Self.row($0, settings) }
            if json {
                print(try JSON.line(rows))
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
                licence: variant.licence.name, gated: variant.licence.isGated,
                bytes: variant.sizes.values.reduce(0, +), path: own,
                missing: ModelRepository.Part.allCases.filter { present[$0] == nil }
                    .map(\.rawValue))
        }

        private static func text(_ row: Row) -> String {
            let disk = row.path ?? "not on this machine; flux2 download \(row.name)"
            let lack =
                row.missing.isEmpty || row.path == nil
                ? "" : " (lacks \(row.missing.joined(separator: ", ")))"
            let guidance = row.embeddedGuidance.map { ", embedded-guidance \($0)" } ?? ""
            return """
                \(row.name)
                  repository  \(row.hubID)
                  size        \(Terminal.bytes(row.bytes)), with \(row.encoder)
                  preset      \(row.steps) steps, cfg-scale \(row.cfgScale)\(guidance)
                  licence     \(row.licence)\(row.gated ? ", to be agreed to on the hub" : "")
                  on disk     \(disk)\(lack)
                """
        }
    }
}
