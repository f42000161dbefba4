internal import JSONReading

/// What a checkpoint says of how the weights of a layer are stored, as ComfyUI's files say it: a
/// tensor with JSON beside each weight, or one text about all layers in the header.
enum WeightFormat {
    /// The formats in which a weight is its values times a scale of ``WeightCompanion``.
    static let known = ["float8_e4m3fn", "float8_e5m2", "int8_tensorwise"]

    /// For messages.
    static var list: String { known.joined(separator: ", ") }

    /// Where the header has the text about all layers.
    private static let headerKey = "_quantization_metadata"

    /// Looks at all that a checkpoint says.
    ///
    /// - Throws: `WeightError` naming the first weight in a format that is not understood.
    static func check(_ checkpoint: Checkpoint) throws {
        for file in checkpoint.files {
            try checkHeader(of: file)
            let suffix = "." + WeightCompanion.note.rawValue
            for tensor in file.weights where tensor.name.hasSuffix(suffix) {
                try check(json(file.bytes(of: tensor)), of: tensor.name, in: file)
            }
        }
    }

    private static func checkHeader(of file: any WeightFile) throws {
        guard let text = file.notes[headerKey] else { return }
        guard let members = json(text.utf8)["layers"].object else {
            throw WeightError(
                file: file.path, key: headerKey,
                reason: .unknownFormat("something without 'layers' in JSON"))
        }
        for (layer, note) in members.sorted(by: { $0.key < $1.key }) {
            try check(note, of: layer, in: file)
        }
    }

    private static func json(_ bytes: some Sequence<UInt8>) -> JSONValue {
        // Some writers pad with zeros.
        var reader = JSONReader(Array(bytes.prefix { $0 != 0 }))
        return (try? reader.document()) ?? .null
    }

    private static func check(
        _ note: JSONValue, of key: String, in file: any WeightFile
    ) throws {
        func unknown(_ what: String) -> WeightError {
            WeightError(file: file.path, key: key, reason: .unknownFormat(what))
        }
        guard let format = note["format"].string else {
            throw unknown("something without 'format' in JSON")
        }
        guard known.contains(format) else { throw unknown("'\(format.prefix(40))'") }
        // Rotated weights are stored under the name of the format that the rotated ones have.
        let turned = note.object?.first { $0.key.contains("rot") && $0.value == .boolean(true) }
        if let turned { throw unknown("'\(format)' with '\(turned.key.prefix(40))'") }
    }
}
