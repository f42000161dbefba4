import FileSupport
@testable import FluxTraining
import Foundation
import Imaging
import ModelHub
import Checkpoints
import TestSupport
import Torch

/// Small files of each form that are right.
enum Bases {
    static func tensor(_ name: String, _ type: ElementType = .F32, _ shape: [Int] = [2, 2])
        -> TensorToWrite
    {
        let count = shape.reduce(type.byteCount, *)
        return TensorToWrite(
            name: name, type: type, shape: shape, bytes: (0..<count).map { UInt8($0 % 60) })
    }

    private static func written(
        _ tensors: [TensorToWrite], _ metadata: [String: String] = ["format": "pt"]
    ) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let path = folder.file("a.safetensors")
        try SafetensorsWriter.write(to: path, tensors: tensors, metadata: metadata)
        return try WholeFile.bytes(path)
    }

    // MARK: Tensor files

    static func safetensors() throws -> [[UInt8]] {
        let note = Array(#"{"format": "int8_tensorwise", "convrot": false, "params": {}}"#.utf8)
        return [
            try written([
                tensor("a"), tensor("b", .BF16, [3]), tensor("c", .U8, [0, 4]),
                tensor("d", .I64, []),
                tensor("e\"é", .F8_E4M3, [5]),
            ]),
            try written(
                [
                    tensor("x.weight", .I8, [4, 4]), tensor("x.weight_scale", .F32, [4, 1]),
                    TensorToWrite(
                        name: "x.comfy_quant", type: .U8, shape: [note.count], bytes: note),
                ],
                [
                    "_quantization_metadata":
                        #"{"format_version": "1.0", "layers": {"x": {"format": "int8_tensorwise"}}}"#
                ]),
        ]
    }

    static func loras() throws -> [[UInt8]] {
        let place = "transformer_blocks.0.attn.to_q."
        return [
            try written(
                [
                    tensor("transformer.\(place)lora_A.weight", .F32, [2, 4]),
                    tensor("transformer.\(place)lora_B.weight", .F32, [8, 2]),
                ],
                [
                    "lora_adapter_metadata": """
                    {"r": 2, "lora_alpha": 4, "rank_pattern": {"to_q": 2}, "alpha_pattern": {"to_.": 3}}
                    """
                ]),
            try written([
                tensor("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", .BF16, [2, 4]),
                tensor("lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight", .BF16, [24, 2]),
                tensor("lora_unet_double_blocks_0_img_attn_qkv.alpha", .F32, []),
            ]),
            try written([
                tensor("\(place)lokr_w1", .F32, [2, 2]), tensor("\(place)lokr_w2", .F32, [4, 2]),
                tensor("\(place)alpha", .F32, []), tensor("\(place)dora_scale", .F32, [8, 1]),
            ]),
        ]
    }

    static func listing(_ hub: Hub) -> [UInt8] {
        let sum = String(repeating: "0a", count: 32)
        let small = String(repeating: "0b", count: 20)
        let text =
            hub == .huggingFace
            ? """
            [{"type": "file", "path": "a/b.safetensors", "size": 7, "oid": "\(small)",
              "lfs": {"oid": "\(sum)", "size": 4000000000, "pointerSize": 130}},
             {"type": "directory", "path": "a", "size": 0, "oid": "\(small)"},
             {"type": "file", "path": "c.json", "size": 12, "oid": "\(small)"}]
            """
            : """
            {"Code": 200, "Data": {"Files": [
              {"Type": "blob", "Path": "a/b.safetensors", "Size": 4000000000, "Sha256": "\(sum)"},
              {"Type": "tree", "Path": "a", "Size": 0}, {"Type": "blob", "Path": "c", "Size": 3}]}}
            """
        return Array(text.utf8)
    }

    static let index = Array(
        #"{"metadata": {"total_size": 32}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}"#
            .utf8)

    /// Two tensors, and a value of each kind.
    static func gguf() -> [UInt8] {
        func number<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        func text(_ value: String) -> [UInt8] {
            number(UInt64(value.utf8.count)) + Array(value.utf8)
        }
        func entry(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
            text(key) + number(type) + value
        }
        func info(_ name: String, _ shape: [UInt64], _ type: UInt32, _ place: UInt64) -> [UInt8] {
            text(name) + number(UInt32(shape.count)) + shape.flatMap(number) + number(type)
                + number(place)
        }
        let entries = [
            entry("general.architecture", 8, text("qwen3")),
            entry("general.alignment", 4, number(UInt32(32))),
            entry("qwen3.block_count", 4, number(UInt32(2))),
            entry("a.float", 6, number(Float(1.5).bitPattern)),
            entry("a.flag", 7, [1]), entry("a.large", 10, number(UInt64(7))),
            entry("a.words", 9, number(UInt32(8)) + number(UInt64(2)) + text("x") + text("yz")),
            entry(
                "a.nested", 9,
                number(UInt32(9)) + number(UInt64(1)) + number(UInt32(0)) + number(UInt64(3)) + [
                    1, 2, 3,
                ]),
        ]
        let infos = [
            info("blk.0.attn_q.weight", [32, 2], 8, 0), info("token_embd.weight", [4, 2], 0, 96),
        ]
        let head =
            Array("GGUF".utf8) + number(UInt32(3)) + number(UInt64(infos.count))
            + number(UInt64(entries.count)) + entries.flatMap(\.self) + infos.flatMap(\.self)
        return head + [UInt8](repeating: 0, count: (32 - head.count % 32) % 32 + 96 + 32)
    }

    // MARK: Images and configurations

    static func imageWithSettings() throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let settings = #"""
            {"prompt": "x", "negative_prompt": "", "seed": 7, "rand_device": "cpu", "steps": 2, "cfg_scale": 1,
             "embedded_guidance": 4, "height": 64, "width": 64, "requested_height": 60, "text_length": 48,
             "parity": "diffsynth", "denoising_strength": 0.5, "inpaint_blur_size": 3, "step_cache": 0.1,
             "inpaint_blur_sigma": 1.5, "tiling": "feathered 8 0.5", "lora_mode": "hot",
             "loras": ["both a.safetensors:1.0"], "inputs": {"edit_image": 1}, "model": "tiny",
             "dtype": "float32", "device": "cpu", "weights": {"transformer": "int8-row"},
             "kernels": "portable", "version": "0.1.0"}
            """#
        let image = Image(width: 4, height: 4, red: 1, green: 2, blue: 3)
        try image.write(to: folder.file("a.png"), metadata: ["flux2": settings])
        return try WholeFile.bytes(folder.file("a.png"))
    }

    static let quantizationConfig = Array(
        #"""
        {"quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized",
         "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float",
         "symmetric": true, "strategy": "tensor", "dynamic": false}}}, "ignore": []},
         "text_config": {"quantization_config": {"quant_method": "modelopt", "quant_type": "INT8"}}}
        """#.utf8)

    static let storage = Array(
        #"""
        {"transformer": {"offload_dtype": "disk", "offload_device": "disk", "onload_dtype": "bfloat16",
         "onload_device": "cpu", "preparing_dtype": "bfloat16", "preparing_device": "cpu",
         "computation_dtype": "bfloat16", "computation_device": "cpu"}, "vram_limit": 4.5}
        """#.utf8)

    // MARK: Training

    static let csv = Array("image,prompt,seed\na.png,\"a, \"\"red\"\" fox\",1\nb.png,x,2\n".utf8)
    static let rows = Array(
        #"[{"image": "a.png", "prompt": "x", "seed": 3}, {"image": ["a", "b"], "prompt": "é"}]"#
            .utf8)
    static let lines = Array(
        "{\"image\": \"a.png\", \"prompt\": \"x\"}\n{\"image\": \"b.png\"}\n".utf8)
    static let recipe = Array(
        """
        model: tiny
        dataset_base_path: data
        output_path: out
        lora_base_model: dit
        lora_target_modules: "to_q, to_k"
        lora_rank: 4
        lora_alpha: 8.0
        learning_rate: 1e-4
        num_epochs: 2
        batch_size: 1
        seed: 7
        max_pixels: 1048576
        enable_csv_log: true
        extra_inputs: [edit_image]
        """.utf8)
    static let recipeInJSON = Array(
        #"{"model": "tiny", "lora_rank": 4, "learning_rate": 1e-4, "num_epochs": 2, "seed": 7}"#
            .utf8)
    static let accelerate = Array(
        "compute_environment: LOCAL_MACHINE\nnum_processes: 2\nmain_process_port: 29500\nmixed_precision: bf16\n"
            .utf8)

    static func state() throws -> [[UInt8]] {
        let folder = try TemporaryFolder()
        let state = TrainingState(
            progress: TrainingProgress(epoch: 1, batch: 2, steps: 3, updates: 3, seconds: 1.5),
            identity: RunIdentity(
                fields: [.init(name: "--lora_rank", value: "4")], seed: 5, drawsByProcess: false,
                processes: 1, accumulation: 1), rows: [RowIdentity(text: 1, files: 2)],
            tensors: ["weights.a": try .ones([2, 2]), "optimizer.a": try .zeros([2])])
        try state.write(to: folder.file("a.safetensors"))
        return [try WholeFile.bytes(folder.file("a.safetensors"))]
    }

    static func sample() throws -> [[UInt8]] {
        let places = (0..<4).flatMap { [0, $0 / 2, $0 % 2, 0] }
        let ids = TensorToWrite(
            name: "shared.image_ids", type: .I64, shape: [1, 4, 4],
            bytes: places.flatMap { value in withUnsafeBytes(of: Int64(value)) { Array($0) } })
        return [
            try written(
                [
                    tensor("shared.input_latents", .F32, [1, 4, 8]), ids,
                    tensor("shared.latents", .F32, [1, 4, 8]),
                    tensor("positive.prompt_embeds", .F32, [1, 3, 6]),
                ],
                [
                    "version": "1", "size": "2x2", "fingerprint": "x",
                    "inputs": #"{"seed": 1, "embeddedGuidance": 1, "inferenceSteps": 4}"#,
                ])
        ]
    }

    static let features: [Float] = [0, 1, 2, 3, 4, 5]

    static func prompt() throws -> [[UInt8]] {
        let bytes = features.flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
        }
        let tensor = TensorToWrite(name: "features", type: .F32, shape: [1, 2, 3], bytes: bytes)
        return [try written([tensor], ["digest": bytes.withUnsafeBytes(ByteDigest.of)])]
    }

    static func seal() throws -> [[UInt8]] {
        let folder = try TemporaryFolder()
        try AtomicFile.write(folder.file("a"), bytes: [1, 2, 3])
        try SealedFile.seal(folder.file("a"))
        _ = SealedFile.state(of: folder.file("a"))
        return [try WholeFile.bytes(folder.file("a.digest"))]
    }
}
