/// How the values of a tensor are stored, by the number that files have for it.
///
/// Rows of a tensor are whole blocks; a plain number is a block of one.
public enum GGUFTensorType: UInt32, Hashable, Sendable, CaseIterable {
    /// Plain float32.
    case F32 = 0
    /// Plain float16.
    case F16 = 1
    /// Plain bfloat16.
    case BF16 = 30
    /// Blocks of 32 integers of 4 bits with one scale.
    case Q4_0 = 2
    /// Blocks of 32 integers of 8 bits with one scale.
    case Q8_0 = 8
    /// Blocks of 256 integers of 4 bits with scales and minima for each 32 of them.
    case Q4_K = 12
    /// Blocks of 256 integers of 5 bits with scales and minima for each 32 of them.
    case Q5_K = 13
    /// Blocks of 256 integers of 6 bits with scales for each 16 of them.
    case Q6_K = 14

    /// The values of a block.
    public var valuesPerBlock: Int {
        switch self {
        case .F32, .F16, .BF16: 1
        case .Q4_0, .Q8_0: 32
        case .Q4_K, .Q5_K, .Q6_K: 256
        }
    }

    /// The bytes of a block.
    public var bytesPerBlock: Int {
        switch self {
        case .F32: 4
        case .F16, .BF16: 2
        case .Q4_0: 18
        case .Q8_0: 34
        case .Q4_K: 144
        case .Q5_K: 176
        case .Q6_K: 210
        }
    }

    /// The name as files and programs spell it.
    public var name: String { "\(self)" }

    /// What a number stands for, of types that are not read, too.
    static func name(of number: UInt32) -> String {
        GGUFTensorType(rawValue: number)?.name ?? otherNames[number] ?? "\(number)"
    }

    private static let otherNames: [UInt32: String] = [
        3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K",
        16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
        22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
        29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
    ]
}
