@testable import FluxTraining
import Foundation
import Imaging
import ModelHub
import TestSupport
import Testing

@Suite("Images of a data set", .serialized) struct WebPictureTests {
    @Test func mayBeOnAServer() throws {
        let folder = try TemporaryFolder()
        let port = 20_000 + Int(getpid()) % 20_000
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = [
            "python3", "-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory",
            Reference.path("inputs"),
        ]
        server.standardOutput = FileHandle.nullDevice
        server.standardError = FileHandle.nullDevice
        try server.run()
        defer { server.terminate() }
        let address = "http://127.0.0.1:\(port)"
        let settings = try HubSettings(environment: [:])
        // The server needs a moment; tries are a second apart.
        let bytes = try SmallDownload.bytes(of: address + "/exact.png", settings)
        let file = try Data(contentsOf: URL(fileURLWithPath: Reference.path("inputs/exact.png")))
        #expect(bytes == Array(file))
        let error = #expect(throws: HubError.self) {
            try SmallDownload.bytes(of: address + "/none.png", settings)
        }
        #expect(error.map { "\($0)".contains("/none.png") } == true)
        withExtendedLifetime(folder) {}
    }
}
