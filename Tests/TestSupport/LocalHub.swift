import Foundation

/// A hub on this machine, over TLS with an authority of its own, that misbehaves as it is told.
///
/// `hub_server.py` beside this file serves it and lists what it can be told.
public final class LocalHub {
    public struct Request: Decodable {
        /// `hub`, `second` (where large files are) or `plain` (without TLS).
        public var place: String
        public var path: String
        public var headers: [String: String]
    }

    /// The ports of the hub, of the second host and of the one without TLS.
    public let ports: [Int]
    private let folder: TemporaryFolder
    private let server = Process()
    private let input = Pipe()

    public init() throws {
        folder = try TemporaryFolder()
        for name in ["root", "root/datasets"] {
            try FileManager.default.createDirectory(
                atPath: folder.file(name), withIntermediateDirectories: true)
        }
        try Self.makeCertificates(in: folder.path)
        let output = Pipe()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = [
            "python3",
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("hub_server.py").path,
            folder.file("root"), folder.file("server.pem"), folder.file("server.key"),
            folder.file("log"),
        ]
        server.standardInput = input
        server.standardOutput = output
        try server.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            line += String(decoding: data, as: UTF8.self)
        }
        ports = line.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
        precondition(ports.count == 3, "the hub for tests did not start: \(line)")
    }

    deinit {
        try? input.fileHandleForWriting.close()
        server.waitUntilExit()
    }

    /// The authority that the hub's certificate is from.
    public var authority: String { folder.file("authority.pem") }

    /// The address of the hub.
    public var address: String { "https://localhost:\(ports[0])" }

    /// What a program has to be told to use this hub, and places in a folder.
    public func environment(in home: String) -> [String: String] {
        [
            "HF_ENDPOINT": address, "MODELSCOPE_ENDPOINT": address, "SSL_CERT_FILE": authority,
            "HOME": home, "HF_HOME": home + "/hf", "MODELSCOPE_CACHE": home + "/ms",
            "DIFFSYNTH_MODEL_BASE_PATH": home + "/models",
        ]
    }

    /// Puts files into a repository, which then misbehaves as told.
    public func add(
        _ id: String, _ files: [String: Data], dataset: Bool = false,
        behavior: [String: Any] = [:]
    ) throws {
        for (path, content) in files {
            let file = URL(
                fileURLWithPath: self.path(of: id, dataset: dataset) + "/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try content.write(to: file)
        }
        try tell(id, behavior, dataset: dataset)
    }

    /// Serves a copy of a folder as a repository.
    public func add(_ id: String, folder source: String) throws {
        let target = URL(fileURLWithPath: self.path(of: id))
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: URL(fileURLWithPath: source), to: target)
    }

    /// Changes how a repository misbehaves.
    public func tell(_ id: String, _ behavior: [String: Any], dataset: Bool = false) throws {
        let data = try JSONSerialization.data(withJSONObject: behavior)
        try data.write(
            to: URL(fileURLWithPath: path(of: id, dataset: dataset) + "/.behaviour"))
    }

    /// Where a repository's files are served from.
    public func path(of id: String, dataset: Bool = false) -> String {
        folder.file("root/" + (dataset ? "datasets/" : "") + id)
    }

    /// All requests up to now.
    public var requests: [Request] {
        let log = (try? String(contentsOfFile: folder.file("log"), encoding: .utf8)) ?? ""
        return log.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Request.self, from: Data($0.utf8))
        }
    }

    private static func makeCertificates(in folder: String) throws {
        let key = [
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        ]
        try openssl(
            ["req", "-x509", "-keyout", "authority.key", "-out", "authority.pem"] + key
                + ["-subj", "/CN=authority of a test"],
            in: folder)
        try openssl(
            ["req", "-x509", "-keyout", "server.key", "-out", "server.pem"] + key + [
                "-subj", "/CN=localhost", "-CA", "authority.pem", "-CAkey", "authority.key",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext", "basicConstraints=critical,CA:FALSE",
            ], in: folder)
    }

    private static func openssl(_ arguments: [String], in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        precondition(process.terminationStatus == 0, "openssl \(arguments)")
    }
}
