import Offloading
import Checkpoints
import Testing

/// What the training cases of a set of references were made with, which differs from set to set.
public enum ReferenceTraining {
    /// The seed of a group of cases: the set's own, and how far the group's is from it.
    public static func seed(plus more: Int) throws -> UInt64 {
        let name = try #require(
            Reference.cases(of: "training").first { $0.hasPrefix("sft_lora_gradients") })
        return UInt64(try #require(Golden("training", name).integer("torch_seed")) + more)
    }

    /// The rank of a LoRA file in the naming of DiffSynth or PEFT.
    public static func rank(of path: String) throws -> Int {
        let file = try SafetensorsFile(path: path)
        let down = try #require(file.tensors.first { $0.name.contains(".lora_A.") })
        return try #require(down.shape.first)
    }
}
