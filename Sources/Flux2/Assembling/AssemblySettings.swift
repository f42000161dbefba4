public import Torch

/// What a model's folder is made with, besides the model that it is made of.
public struct AssemblySettings: Hashable, Sendable {
    /// Full checkpoints of a training; their weights take the place of the model's own. A LoRA that is in
    /// one as well is folded in.
    public var checkpoints: [String]
    /// LoRAs that are folded in, after checkpoints have been taken.
    public var loras: [LoRAUse]
    /// The type that all weights are written in; nil leaves each in the type that it is stored in.
    public var dtype: DType?
    /// Fields that are set in `model_index.json`.
    public var index: [IndexField]

    /// Changes what is given, and nothing else.
    public init(
        checkpoints: [String] = [], loras: [LoRAUse] = [], dtype: DType? = nil,
        index: [IndexField] = []
    ) {
        self.checkpoints = checkpoints
        self.loras = loras
        self.dtype = dtype
        self.index = index
    }
}

/// A field of a JSON object, or of one in it, and its value.
public struct IndexField: Hashable, Sendable {
    /// A value that a field may have.
    public enum Value: Hashable, Sendable {
        /// True or false.
        case flag(Bool)
        /// A number without a fraction.
        case integer(Int)
        /// Another finite number.
        case number(Double)
        /// Anything else.
        case text(String)
    }

    /// The names on the way to the field, outermost first.
    public var path: [String]
    /// What it is set to.
    public var value: Value

    /// Names a field, dots between objects, and its value.
    public init(_ path: String, _ value: Value) {
        self.path = path.split(separator: ".").map(String.init)
        self.value = value
    }

    /// Reads `KEY=VALUE`; what is neither a number nor `true` or `false` is text.
    ///
    /// - Throws: `RequestError` where there is no key.
    public init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let names = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, names.allSatisfy({ !$0.isEmpty }) else {
            throw RequestError(
                setting: "index", expected: "KEY=VALUE such as flux2.steps=30", found: "'\(text)'")
        }
        self.init(String(parts[0]), Value(String(parts[1])))
    }
}

extension IndexField.Value {
    fileprivate init(_ text: String) {
        if let flag = Bool(text) {
            self = .flag(flag)
        } else if let integer = Int(text) {
            self = .integer(integer)
        } else if let number = Double(text), number.isFinite {
            self = .number(number)
        } else {
            self = .text(text)
        }
    }

    /// As Foundation's JSON takes it.
    var object: Any {
        switch self {
        case .flag(let value): value
        case .integer(let value): value
        case .number(let value): value
        case .text(let value): value
        }
    }
}
