@testable import Flux2
import FluxModels
import Foundation
import ModelHub
import TestSupport
import Testing

@Suite("The published models")
struct VariantTests {
    @Test func haveNamesThatAreFoundInFoldersAndRepositories() {
        for variant in Variant.allCases {
            #expect(Variant(named: variant.rawValue) == variant)
            #expect(Variant(named: variant.hubID) == variant)
            #expect(Variant(named: "/models/" + variant.hubID) == variant)
            let cached = "/x/hub/models--" + variant.hubID.replacing("/", with: "--")
            #expect(Variant(named: cached + "/snapshots/abc") == variant)
        }
        #expect(Variant(named: "/models/my-klein") == nil)
    }

    @Test func comeWithTheSettingsOfTheirMakers() {
        #expect(Variant.klein4B.preset == Preset(name: "klein-4b", steps: 4, cfgScale: 1))
        #expect(Variant.kleinBase9B.preset == Preset(name: "klein-base-9b", steps: 50, cfgScale: 4))
        #expect(
            Variant.dev.preset == Preset(name: "dev", steps: 50, cfgScale: 1, embeddedGuidance: 4))
        #expect(Variant.kleinBase4B.companion == .klein4B)
        #expect(Variant.dev.companion == nil)
    }

    /// 16-bit files are as large as their values and a header of less than 100 kB.
    @Test func haveTransformersOfTheSizeOfTheirFiles() throws {
        for variant in Variant.allCases {
            let values = variant.transformer.shapes.values.reduce(0) { $0 + $1.reduce(1, *) }
            let file = try #require(variant.sizes[.transformer])
            #expect((0..<100_000).contains(file - 2 * values), "\(variant)")
        }
    }

    @Test func lieWhereOtherProgramsPutThem() throws {
        let folder = try TemporaryFolder()
        let cache = folder.file("hub/models--black-forest-labs--FLUX.2-klein-4B")
        for path in ["refs", "snapshots/abc"] {
            try FileManager.default.createDirectory(
                atPath: cache + "/" + path, withIntermediateDirectories: true)
        }
        try "abc\n".write(toFile: cache + "/refs/main", atomically: true, encoding: .utf8)
        let settings = try HubSettings(environment: ["HF_HUB_CACHE": folder.file("hub")])
        let places = ModelPlaces.candidates("klein-4b", settings)
        #expect(places.contains(cache + "/snapshots/abc"))
        #expect(places.contains("models/black-forest-labs/FLUX.2-klein-4B"))
        #expect(places.first == "klein-4b")
        #expect(ModelPlaces.candidates("/a/b", settings) == ["/a/b"])
    }
}
