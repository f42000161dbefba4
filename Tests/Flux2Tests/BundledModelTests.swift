@testable import Flux2
import Foundation
import TestSupport
import Testing

@Suite("The model that comes with the program")
struct BundledModelTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func makeFile(_ path: String) throws {
        let url = URL(fileURLWithPath: folder.file(path))
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: url)
    }

    private func places(_ program: String, _ environment: [String: String] = [:]) -> [String] {
        let program = URL(fileURLWithPath: folder.file(program))
        return BundledModel.places(environment: environment, program: program)
            .map { $0.replacing(folder.path + "/", with: "") }
    }

    @Test func isBesideAnInstalledProgram() {
        #expect(places("usr/bin/flux2").first == "usr/share/flux2/emoji")
    }

    @Test func isInThePackageOfABuiltProgram() throws {
        let built = "package/.build/linux/debug/flux2"
        let beside = "package/.build/linux/share/flux2/emoji"
        #expect(places(built) == [beside])
        try makeFile("package/Package.swift")
        #expect(places(built) == [beside, "package/Models/emoji"])
        // A package within another one does not hide the model.
        try makeFile("package/.build/linux/Package.swift")
        #expect(places(built) == [beside, "package/.build/linux/Models/emoji"])
        try makeFile("package/Models/emoji/model_index.json")
        #expect(places(built) == [beside, "package/Models/emoji"])
    }

    @Test func isElsewhereWhereTheEnvironmentSaysSo() {
        #expect(places("bin/flux2", ["FLUX2_EMOJI_MODEL": "/x"]) == ["/x"])
        #expect(places("bin/flux2", ["FLUX2_EMOJI_MODEL": ""]) == ["share/flux2/emoji"])
    }

    /// What a model says itself counts more than what is known of its name.
    @Test func modelsSayWhatSuitsThem() throws {
        let model = folder.file("klein-4b")
        try FileManager.default.copyItem(
            atPath: Reference.ownModel("tiny-klein"), toPath: model)
        #expect(try ModelFiles(model: model).preset == Variant.klein4B.preset)
        let index = model + "/model_index.json"
        for (text, expected) in [
            (#"{"flux2": {"steps": 7}}"#, Preset(name: "klein-4b", steps: 7, cfgScale: 1)),
            (
                #"{"flux2": {"height": 64, "cfg_scale": 3}}"#,
                Preset(name: "klein-4b", steps: 4, cfgScale: 3, height: 64)
            ),
            (#"{"flux2": {"text_length": 32}}"#, Variant.klein4B.preset),
        ] {
            try text.write(toFile: index, atomically: true, encoding: .utf8)
            #expect(try ModelFiles(model: model).preset == expected)
        }
        try FileManager.default.moveItem(atPath: model, toPath: folder.file("mine"))
        try #"{"is_distilled": true, "flux2": {"width": 64}}"#.write(
            toFile: folder.file("mine/model_index.json"), atomically: true, encoding: .utf8)
        #expect(
            try ModelFiles(model: folder.file("mine")).preset
                == Preset(name: "mine", steps: 4, cfgScale: 1, width: 64))
    }
}
