import Foundation
import Imaging
import TestSupport
import Testing

@Suite("The size in an image's header")
struct StoredSizeTests {
    @Test("is that of the image", arguments: ImageFormat.knownExtensions)
    func isThatOfTheImage(_ ending: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("picture.\(ending)")
        try Image(width: 37, height: 21, red: 1, green: 2, blue: 3).write(to: path)
        let size = try Image.storedSize(of: path)
        #expect(size.width == 37 && size.height == 21)
    }

    @Test("is that of the upright image where that is asked for")
    func isThatOfTheUprightImage() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures"
        let turned = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasPrefix("turned") }
        #expect(turned.count >= 10)
        for name in turned {
            let image = try Image(contentsOf: folder + "/" + name)
            let size = try Image.storedSize(of: folder + "/" + name, orientation: .apply)
            #expect(size.width == image.width && size.height == image.height, "\(name)")
        }
    }

    @Test("is not made up for what is no image")
    func isNotMadeUp() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("note.png")
        try "a note".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ImagingError.self) { try Image.storedSize(of: path) }
        #expect(throws: ImagingError.self) { try Image.storedSize(of: folder.file("none.png")) }
    }
}
