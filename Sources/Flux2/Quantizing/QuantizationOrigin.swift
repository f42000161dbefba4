internal import FileSupport
internal import Foundation
internal import Offloading

/// The files that a checkpoint was made of, as they were then.
struct QuantizationOrigin: Hashable, Codable {
    struct File: Hashable, Codable {
        /// Without its folder.
        var name: String
        /// In bytes.
        var size: Int
        /// When it was last written, in milliseconds since 1970.
        var modified: Int
    }

    var files: [File]

    init(_ files: [any WeightFile]) {
        self.files = files.map { file in
            let url = URL(fileURLWithPath: file.path)
            let attributes = try? FileManager.default.attributesOfItem(
                atPath: url.resolvingSymlinksInPath().path)
            let written = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return File(
                name: url.lastPathComponent, size: file.mapped.size,
                modified: Int((written * 1000).rounded()))
        }
    }
}

/// What a quantized checkpoint says about itself.
enum QuantizationNotes {
    private static let version = "1"

    static func metadata(
        _ source: QuantizationSource, _ settings: QuantizationSettings
    ) throws -> [String: String] {
        [
            "format": "pt",
            "quantization": settings.format.name,
            "quantization_settings": try json(settings),
            "quantization_source": try json(QuantizationOrigin(source.files).files),
            "quantization_version": version,
        ]
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// What ComfyUI wants to be told of a quantized weight, as JSON; nil for what it cannot read.
    static func comfy(_ format: QuantizationFormat) -> String? {
        switch format {
        case .float8Tensor: #"{"format": "float8_e4m3fn"}"#
        case .int8Rows: #"{"format": "int8_tensorwise"}"#
        case .float8, .float8Rows, .int8Groups, .int8Rotated: nil
        }
    }
}
