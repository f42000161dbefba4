internal import FileSupport
internal import Checkpoints

/// What a checkpoint says of how the weights of a layer are stored, as ComfyUI's files say it: a
/// tensor with JSON beside each weight, or one text about all layers in the header.
///
/// A note counts as understood when all of it is known, at every depth: a word that is not known may say
/// that the numbers mean something else.
enum WeightFormat {
    /// The formats in which a weight is its values times a scale of ``ScaleTensorName``.
    static let known: [String: ElementType] = [
        "float8_e4m3fn": .F8_E4M3, "float8_e5m2": .F8_E5M2, "int8_tensorwise": .I8,
    ]

    /// For messages.
    static var list: String { known.keys.sorted().joined(separator: ", ") }

    /// Where the header has the text about all layers.
    private static let headerKey = "_quantization_metadata"
    /// What `flux2 quantize` writes there; it describes where a file is from.
    private static let ownKeys: Set<String> = [
        "quantization", "quantization_version", "quantization_settings", "quantization_source",
    ]

    /// Looks at all that a checkpoint says.
    ///
    /// - Throws: `WeightError` naming the first weight in a format that is not understood.
    static func check(_ checkpoint: Checkpoint) throws {
        for file in checkpoint.files {
            try checkHeader(of: file, checkpoint)
            let suffix = "." + ScaleTensorName.note.rawValue
            for tensor in file.weights where tensor.name.hasSuffix(suffix) {
                let note = Note(checkpoint, file, tensor.name)
                try note.check(json(file.bytes(of: tensor)), weight: note.beside)
            }
            for tensor in file.weights where ScaleTensorName.isMark(tensor.name) {
                // Its type names the format; older programs wrote 32 bits.
                let types: [WeightType] = [.plain(.F8_E4M3), .plain(.F8_E5M2), .plain(.F32)]
                guard !types.contains(tensor.type) else { continue }
                throw Note(checkpoint, file, tensor.name).unknown(tensor.type.name)
            }
        }
        try ForeignFormat.refuse(checkpoint)
    }

    private static func checkHeader(of file: any WeightFile, _ checkpoint: Checkpoint) throws {
        for key in file.notes.keys.sorted()
        where key.contains("quant") && key != headerKey && !ownKeys.contains(key) {
            guard file is SafetensorsFile, let text = file.notes[key], !text.isEmpty else {
                continue
            }
            throw WeightError(
                file: file.path, key: key, reason: .unknownNote("\(text.prefix(60))"))
        }
        guard let text = file.notes[headerKey] else { return }
        let note = Note(checkpoint, file, headerKey)
        let members = json(text.utf8).object ?? [:]
        guard let layers = members["layers"]?.object else {
            throw note.unknown("something without 'layers' in JSON")
        }
        let others = members.filter { $0.key != "layers" }
        if let odd = Note.odd(others, known: { $0 == "format_version" && $1 == .string("1.0") }) {
            throw WeightError(file: file.path, key: headerKey, reason: .unknownNote(odd))
        }
        for (layer, value) in layers.sorted(by: { $0.key < $1.key }) {
            try Note(checkpoint, file, layer).check(value, weight: layer + ".weight")
        }
    }

    private static func json(_ bytes: some Sequence<UInt8>) -> JSONValue {
        // Some writers pad with zeros.
        var reader = JSONReader(Array(bytes.prefix { $0 != 0 }))
        return (try? reader.document()) ?? .null
    }
}

/// One note, about one layer.
private struct Note {
    private let checkpoint: Checkpoint
    private let file: any WeightFile
    private let key: String

    init(_ checkpoint: Checkpoint, _ file: any WeightFile, _ key: String) {
        self.checkpoint = checkpoint
        self.file = file
        self.key = key
    }

    /// The weight that a tensor with a note lies beside.
    var beside: String { ScaleTensorName.weight(of: key) ?? key }

    func unknown(_ what: String) -> WeightError {
        WeightError(file: file.path, key: key, reason: .unknownFormat(what))
    }

    func check(_ note: JSONValue, weight: String) throws {
        guard let members = note.object, let format = note["format"].string else {
            throw unknown("something without 'format' in JSON")
        }
        guard let type = WeightFormat.known[format] else {
            throw unknown("'\(format.prefix(40))'")
        }
        let others = members.filter { $0.key != "format" }
        if let odd = Self.odd(others, known: Self.isHarmless) {
            throw unknown("'\(format)' with \(odd)")
        }
        // A layer of another file's names has no weight here; then there is nothing to contradict.
        guard let found = checkpoint[weight]?.info.type, found != .plain(type) else { return }
        throw unknown("'\(format)', while its weight is of type \(found.name)")
    }

    /// What changes nothing for values that are multiplied with their scale.
    private static func isHarmless(_ key: String, _ value: JSONValue) -> Bool {
        switch key {
        // How they are multiplied by others.
        case "full_precision_matrix_mult": value.boolean != nil
        case "convrot": value == .boolean(false)
        default: value == .null
        }
    }

    /// The first member that is not known, as `'params.convrot': true`; nil where all are.
    static func odd(
        _ members: [String: JSONValue], known: (String, JSONValue) -> Bool, below path: String = ""
    ) -> String? {
        for (key, value) in members.sorted(by: { $0.key < $1.key }) where !known(key, value) {
            // Without a rotation its size says nothing.
            if key == "convrot_groupsize", members["convrot"] == .boolean(false) { continue }
            guard key == "params", let inner = value.object else {
                return "'\(path)\(key.prefix(40))': \(value.summary)"
            }
            if let found = odd(inner, known: known, below: path + "params.") { return found }
        }
        return nil
    }
}
