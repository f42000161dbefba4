import Foundation
import TestSupport

/// A library in C that takes the place of functions of the system, for a program to be run with.
struct Shim {
    let path: String

    static let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"]
        .first(where: FileManager.default.isExecutableFile(atPath:))

    init(_ source: String, in folder: TemporaryFolder) throws {
        let name = folder.file("." + UUID().uuidString)
        path = name + ".so"
        try source.write(toFile: name + ".c", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.compiler ?? "/usr/bin/cc")
        process.arguments = ["-shared", "-fPIC", "-o", path, name + ".c", "-ldl"]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}
