internal import Domains
internal import FileSupport
public import FluxModels
internal import Foundation
public import Torch

extension StageStorage {
    /// Reads values under DiffSynth-Studio's names, `offload_dtype` to `computation_device`.
    ///
    /// - Parameters:
    ///   - values: `disk`, a type's name or a device's name each.
    ///   - name: what errors call the source.
    ///   - dtype, device: what stands for computation where it is not given; computation's values
    ///     stand for others that are not given.
    /// - Returns: nil when the offload values are not both given, which leaves weights alone.
    /// - Throws: `RequestError` for a name or a value that is not known.
    public init?(
        _ values: [String: String], name: String, dtype: DType, device: Device
    ) throws {
        let stages = ["offload", "onload", "preparing", "computation"]
        let known = stages.flatMap { [$0 + "_dtype", $0 + "_device"] }
        if let unknown = values.keys.sorted().first(where: { !known.contains($0) }) {
            throw RequestError(
                setting: "\(name).\(unknown)", expected: known.joined(separator: ", "),
                found: unknown)
        }
        let computation = try Value(
            values, "computation", name, default: Value(dtype: dtype, device: device))
        let given = values["offload_dtype"] != nil && values["offload_device"] != nil
        guard given else { return nil }
        func value(_ stage: String) throws -> Value {
            try Value(values, stage, name, default: computation)
        }
        self.init(
            offload: try value("offload"), onload: try value("onload"),
            preparing: try value("preparing"), computation: computation)
    }

    /// Reads a file: one object for all components, or an object of them by `transformer`,
    /// `text_encoder` and `vae`, which DiffSynth-Studio calls `dit` and, by its kind, too.
    ///
    /// - Returns: the values by component, and `vram_limit` in GiB where it is given.
    /// - Throws: `RequestError` naming the file and what is wrong in it.
    public static func read(
        _ path: String, dtype: DType, device: Device
    ) throws -> (components: [Component: StageStorage], limit: Double?) {
        guard let data = WholeFile.contents(path),
            let found = try? JSONSerialization.jsonObject(with: data)
        else {
            throw RequestError(setting: path, expected: "a JSON object", found: "none")
        }
        guard var object = found as? [String: Any] else {
            throw RequestError(setting: path, expected: "a JSON object", found: "another value")
        }
        var limit: Double?
        if let value = object.removeValue(forKey: "vram_limit"), !(value is NSNull) {
            guard let number = value as? Double,
                NumericSetting.vramLimit.domain.contains(number)
            else {
                throw RequestError(
                    setting: "\(path).vram_limit",
                    expected: "a number from 0 to 1048576 GiB, or null", found: "\(value)")
            }
            limit = number
        }
        let names = object.keys.compactMap { Component(diffsynth: $0) }
        let parts: [(Component, Any)] =
            names.isEmpty
            ? [Component.transformer, .textEncoder, .autoencoder].map { ($0, object) }
            : try object.map { key, value in
                guard let component = Component(diffsynth: key) else {
                    throw RequestError(
                        setting: "\(path).\(key)",
                        expected: "transformer, text_encoder, vae or vram_limit", found: key)
                }
                return (component, value)
            }
        var components: [Component: StageStorage] = [:]
        for (component, value) in parts {
            components[component] = try StageStorage(
                texts(value, "\(path).\(component.rawValue)"), name: path, dtype: dtype,
                device: device)
        }
        return (components, limit)
    }

    /// The values of a component. `clear_parameters`, DiffSynth-Studio's ninth, needs nothing: weights
    /// that are not in use take no private memory.
    private static func texts(_ value: Any, _ name: String) throws -> [String: String] {
        var fields = value as? [String: Any] ?? [:]
        let clears = fields.removeValue(forKey: "clear_parameters")
        guard clears == nil || clears is Bool else {
            throw RequestError(
                setting: "\(name).clear_parameters", expected: "true or false",
                found: "another value")
        }
        guard value is [String: Any], let texts = fields as? [String: String] else {
            throw RequestError(
                setting: name, expected: "an object of strings", found: "another value")
        }
        return texts
    }
}

extension StageStorage.Value {
    init(
        _ values: [String: String], _ stage: String, _ name: String,
        default fallback: StageStorage.Value
    ) throws {
        self = fallback
        if let text = values[stage + "_dtype"] {
            dtype = nil
            if text != "disk" {
                guard let found = DType(name: text), found.isFloatingPoint else {
                    throw RequestError(
                        setting: "\(name).\(stage)_dtype",
                        expected: "disk, bfloat16, float16, float32 or float8_e4m3fn",
                        found: text)
                }
                dtype = found
            }
        }
        if let text = values[stage + "_device"] {
            device = nil
            if text != "disk" {
                guard let found = Device(name: text) else {
                    throw RequestError(
                        setting: "\(name).\(stage)_device", expected: "disk, cpu or cuda",
                        found: text)
                }
                device = found
            }
        }
    }
}

extension Component {
    /// Reads a component's name, or one of those that DiffSynth-Studio gives to its models.
    init?(diffsynth name: String) {
        switch name {
        case "dit", "flux2_dit": self = .transformer
        case "text_encoder_qwen3", "flux2_text_encoder", "z_image_text_encoder":
            self = .textEncoder
        case "flux2_vae": self = .autoencoder
        default: self.init(rawValue: name)
        }
    }
}
