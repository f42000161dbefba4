internal import FileSupport
internal import Foundation

/// What lies beside a checkpoint about how its weights were quantized: `quantization_config`
/// in `config.json`, as transformers, diffusers and compressed-tensors write it, and files of their own.
///
/// As with ``WeightFormat``, all that it says has to be known.
enum QuantizationConfig {
    /// Looks at the files beside a checkpoint.
    ///
    /// - Throws: `WeightError` naming file and key of what is not understood; `FileError`.
    static func check(in folder: String) throws {
        for name in ["quantization_config.json", "quantize_config.json", "quant_strategy.json"]
        where exists(folder + "/" + name) {
            throw refusal(folder + "/" + name, "quant_method", try json(folder + "/" + name))
        }
        let ofModelOpt = folder + "/hf_quant_config.json"
        if exists(ofModelOpt) {
            let all = try json(ofModelOpt)
            try check(
                .object(["quant_method": .string("modelopt")]).merging(all["quantization"]),
                "quantization", ofModelOpt)
        }
        let path = folder + "/config.json"
        guard exists(path) else { return }
        let config = try json(path)
        for (place, values) in [("", config), ("text_config.", config["text_config"])] {
            for key in ["quantization", "compression_config"] where values[key] != .null {
                throw refusal(path, place + key, values[key])
            }
            try check(values["quantization_config"], place + "quantization_config", path)
        }
    }

    private static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    /// A file that is no JSON is for its reader to refuse.
    private static func json(_ path: String) throws -> JSONValue {
        var reader = JSONReader(try WholeFile.bytes(path))
        return (try? reader.document()) ?? .null
    }

    private static func check(_ value: JSONValue, _ place: String, _ path: String) throws {
        guard value != .null, value != .object([:]) else { return }
        guard let members = value.object, let method = members["quant_method"]?.string,
            let known = methods[method]
        else { throw refusal(path, place + ".quant_method", value) }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) where key != "quant_method" {
            guard value != .null, value != .object([:]) else { continue }
            guard let findOdd = known[key] else { throw refusal(path, "\(place).\(key)", value) }
            if let odd = findOdd(value) { throw refusal(path, "\(place).\(key)\(odd.0)", odd.1) }
        }
    }

    private static func refusal(_ path: String, _ key: String, _ value: JSONValue) -> WeightError {
        let method = value["quant_method"]
        // Which of its kinds it is.
        let kind = ["bnb_4bit_quant_type", "weights_dtype", "quant_type", "bits"].lazy
            .map { value[$0] }.first { $0 != .null }
        let what = (method == .null ? value : method).summary
        return WeightError(
            file: path, key: key,
            reason: .unknownNote(what + (kind.map { " (\($0.summary))" } ?? "")))
    }

    /// Says what is not known of a value, and below which key; nil where all is.
    private typealias Known = @Sendable (JSONValue) -> (String, JSONValue)?

    private static func words(_ known: String...) -> Known {
        { value in value.string.map(known.contains) == true ? nil : ("", value) }
    }

    /// What is about inputs or about how the file was made.
    private static let anything: Known = { _ in nil }

    private static let methods: [String: [String: Known]] = [
        "compressed-tensors": [
            "format": words("float-quantized", "int-quantized", "naive-quantized"),
            "config_groups": groups, "ignore": anything, "kv_cache_scheme": anything,
            "quantization_status": words("compressed", "frozen"), "version": anything,
            "global_compression_ratio": anything, "run_compressed": anything,
            "sparsity_config": {
                $0["format"] == .string("dense") ? nil : (".format", $0["format"])
            },
        ],
        "modelopt": [
            "quant_algo": words("FP8", "INT8", "FP8_PER_CHANNEL_PER_TOKEN"),
            "quant_type": words("FP8", "INT8"), "config_groups": groups, "producer": anything,
            "ignore": anything, "exclude_modules": anything, "modules_to_not_convert": anything,
            "kv_cache_scheme": anything, "kv_cache_quant_algo": anything, "weight_only": anything,
            "channel_quantize": anything, "scale_channel_quantize": anything,
            "algorithm": anything, "disable_conv_quantization": anything,
        ],
        "fp8": [
            "activation_scheme": anything, "modules_to_not_convert": anything,
            "ignored_layers": anything, "dequantize": anything, "kv_cache_scheme": anything,
        ],
    ]

    @Sendable private static func groups(_ value: JSONValue) -> (String, JSONValue)? {
        guard let groups = value.object else { return ("", value) }
        for (name, group) in groups.sorted(by: { $0.key < $1.key }) {
            guard let members = group.object else { return (".\(name)", group) }
            for (key, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
                switch key {
                case "targets", "input_activations", "output_activations": continue
                case "format" where value.string?.hasSuffix("-quantized") == true:
                    if value != .string("pack-quantized") { continue }
                case "weights":
                    guard let odd = odd(weights: value) else { continue }
                    return (".\(name).weights\(odd.0)", odd.1)
                default: break
                }
                return (".\(name).\(key)", value)
            }
        }
        return nil
    }

    /// How the weights of a group are stored.
    private static func odd(weights value: JSONValue) -> (String, JSONValue)? {
        guard let members = value.object else { return ("", value) }
        for (key, value) in members.sorted(by: { $0.key < $1.key })
        where value != .null && value != .object([:]) {
            let isKnown =
                switch key {
                case "num_bits": value == .number(8)
                case "type": value == .string("float") || value == .string("int")
                case "symmetric": value == .boolean(true)
                case "strategy": value == .string("tensor") || value == .string("channel")
                case "dynamic": value == .boolean(false)
                case "observer", "scale_dtype", "zp_dtype": value.string != nil
                default: false
                }
            if !isKnown { return (".\(key)", value) }
        }
        return nil
    }
}

extension JSONValue {
    /// An object with the members of another.
    fileprivate func merging(_ other: JSONValue) -> JSONValue {
        .object((object ?? [:]).merging(other.object ?? [:]) { first, _ in first })
    }
}
