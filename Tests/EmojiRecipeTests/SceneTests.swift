import FluxEvaluation
import Imaging
import TestSupport
import Testing

@testable import emoji_recipe

@Suite("Scenes") struct SceneTests {
    /// Discs of colors; the last is gray.
    private func emoji(_ count: Int = 12) throws -> [Emoji] {
        try (0..<count).map { number in
            var pixel: [UInt8] = [90, 90, 90]
            if number < count - 1 {
                HSV(hue: Double(30 * number), saturation: 0.8, value: 0.9).write(to: &pixel, at: 0)
            }
            let image = Image(
                width: 136, height: 128, red: pixel[0], green: pixel[1], blue: pixel[2])
            return Emoji(
                name: EmojiName(character: "a", names: ["thing \(number)", "object \(number)"]),
                glyph: try Glyph(png: image.encoded(as: .png)))
        }
    }

    @Test func thatAreHeldOutHaveNoCaptionInCommonWithOthers() throws {
        let all = try emoji(40)
        let scenes = Scenes(all)
        let trained = Set((scenes.plain + scenes.varied).map { $0.caption(all) })
        #expect(scenes.heldOut.count > 20)
        #expect(scenes.heldOut.allSatisfy { !trained.contains($0.caption(all)) })
        #expect(scenes.varied.allSatisfy { $0.color == nil || all[$0.emoji[0]].takesColor })
        #expect(!all[39].takesColor && all[0].takesColor)
    }

    @Test func areTheSameEveryTime() throws {
        let all = try emoji()
        let scenes = Scenes(all)
        let heldOut = scenes.heldOut.prefix(3).map { $0.caption(all) }
        #expect(heldOut == ["green thing 8", "red thing 0", "thing 4 on purple"])
        let varied = scenes.varied.prefix(3).map { $0.caption(all) }
        #expect(varied == ["purple thing 6", "orange thing 2", "pink thing 1"])
    }

    @Test func sayWhatTheyShow() throws {
        let all = try emoji()
        var scene = Scene(emoji: [1])
        #expect(scene.caption(all) == "thing 1")
        #expect(scene.caption(all, synonym: 1) == "object 1")
        scene.color = .blue
        scene.background = .yellow
        #expect(scene.caption(all) == "blue thing 1 on yellow")
        #expect(Scene(emoji: [1, 2], layout: .beside).caption(all) == "thing 1 and thing 2")
    }

    @Test func showWhatTheySay() throws {
        let all = try emoji()
        func color(_ image: Image, _ x: Int, _ y: Int) -> HSV {
            HSV(image.pixels, at: 3 * (y * image.width + x))
        }
        let plain = Scene(emoji: [4]).image(all)
        #expect(abs(color(plain, 64, 64).hue - 120) < 3)
        #expect(color(plain, 1, 1).saturation == 0)
        let painted = Scene(emoji: [4], color: .purple, background: .blue).image(all)
        #expect(abs(color(painted, 64, 64).hue - 275) < 3)
        #expect(abs(color(painted, 1, 1).hue - 215) < 3)
        let left = Scene(emoji: [4], layout: .left).image(all)
        #expect(color(left, 36, 64).saturation > 0.5 && color(left, 92, 64).saturation == 0)
    }

    @Test(arguments: [
        ("cat", "cats"), ("cherry", "cherries"), ("fox", "foxes"), ("jeans", "jeans"),
        ("mouse", "mice"), ("meat on a bone", "meats on a bone"), ("monkey", "monkeys"),
    ])
    func haveManyOf(_ one: String, _ many: String) { #expect(Plural.of(one) == many) }

    @Test func haveStylesThatFiguresTell() throws {
        let pixels = (0..<3 * 32 * 32).map { place in
            UInt8(truncatingIfNeeded: (place / 3 % 32) * 7 + place / 96 * 3)
        }
        let smooth = Image(width: 32, height: 32, pixels: pixels)
        #expect(StyleFigure.blockiness(smooth) < 0.35)
        #expect(StyleFigure.blockiness(Treatment.pixelArt(smooth)) == 1)
        let red = Image(width: 8, height: 8, red: 255, green: 0, blue: 0)
        #expect(StyleFigure.color(red) == 1)
        #expect(StyleFigure.color(Treatment.gray(red)) == 0)
    }
}
