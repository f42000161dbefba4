import ArgumentParser
import Flux2
import FluxModels
import Foundation

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the published models, and which of their parts are on this machine.")

    @Flag(help: "Print one JSON array.")
    var json = false

    private struct Row: Encodable {
        var name: String
        var hubID: String
        var encoder: String
        var steps: Int
        var cfgScale: Double
        var licence: String
        var gated: Bool
        var bytes: Int
        var path: String?
        var missing: [String]
    }

    func run() throws {
        let rows = Variant.allCases.map(Self.row)
        if json {
            print(try JSON.line(rows))
        } else {
            print(rows.map(Self.text).joined(separator: "\n\n"))
        }
    }

    private static func row(_ variant: Variant) -> Row {
        let places = ModelPlaces.candidates(variant.rawValue).filter(isFolder)
        let companion = variant.companion.map {
            ModelPlaces.candidates($0.rawValue).filter(isFolder)
        }
        let needed = Component.allCases.map(\.rawValue) + ["tokenizer"]
        let missing = needed.filter { part in
            !(places + (part == "transformer" ? [] : companion ?? [])).contains {
                isFolder($0 + "/" + part)
            }
        }
        return Row(
            name: variant.rawValue, hubID: variant.hubID, encoder: variant.encoderName,
            steps: variant.preset.steps, cfgScale: variant.preset.cfgScale,
            licence: variant.licence.name, gated: variant.licence.isGated,
            bytes: variant.sizes.values.reduce(0, +), path: places.first,
            missing: places.isEmpty ? needed : missing)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    private static func text(_ row: Row) -> String {
        let disk = row.path ?? "not on this machine"
        let lack =
            row.missing.isEmpty || row.path == nil
            ? "" : " (lacks \(row.missing.joined(separator: ", ")))"
        return """
            \(row.name)
              repository  \(row.hubID)
              size        \(Terminal.bytes(row.bytes)), with \(row.encoder)
              preset      \(row.steps) steps, cfg-scale \(row.cfgScale)
              licence     \(row.licence)\(row.gated ? ", to be agreed to on the hub" : "")
              on disk     \(disk)\(lack)
            """
    }
}
