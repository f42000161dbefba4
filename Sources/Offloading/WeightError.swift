/// Tensors of a checkpoint that do not fit the model they are meant for.
public struct WeightError: Error, Hashable, CustomStringConvertible {
    /// How checkpoint and model differ.
    public enum Reason: Hashable, Sendable {
        /// The model needs it and others, in all `count`.
        case missing(count: Int)
        /// The model has no use for it and others, in all `count`.
        case unused(count: Int)
        /// The tensor is there with another shape.
        case unexpectedShape(expected: [Int], found: [Int])
        /// No tensor can hold elements of this type, as the file spells it.
        case unsupportedType(String)
        /// The tensor holds integers of this type, as the file spells it, without a scale.
        case integers(String)
        /// The scale of an 8-bit weight cannot be used, with the cause.
        case badScale(String)
        /// The weight is stored in a way that is not understood, with what the file says of it.
        case unknownFormat(String)
        /// The file, or what lies beside it, says something of its weights that is not understood.
        case unknownNote(String)
        /// Some values are infinite or NaN.
        case notFinite
    }

    /// The file or folder.
    public var file: String
    /// The tensor's name in the file.
    public var key: String
    /// How the tensor differs from what the model needs.
    public var reason: Reason

    /// Names a tensor of a file and what is wrong with it.
    public init(file: String, key: String, reason: Reason) {
        self.file = file
        self.key = key
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .missing(let count):
            "\(file): no tensor named '\(key)'\(Self.others(count)); "
                + "is this the checkpoint of another model?"
        case .unused(let count):
            "\(file): the model has no place for '\(key)'\(Self.others(count)); "
                + "is this the checkpoint of another model?"
        case .unexpectedShape(let expected, let found):
            "\(file): '\(key)' has shape \(found), the model needs \(expected)"
        case .unsupportedType(let type):
            "\(file): '\(key)' has elements of type \(type), which no tensor can hold"
        case .integers(let type):
            "\(file): '\(key)' has elements of type \(type), expected floating-point numbers, "
                + "or I8 with a weight_scale"
        case .badScale(let why): "\(file): '\(key)' \(why)"
        case .unknownFormat(let format):
            "\(file): '\(key)' is stored as \(format), expected \(WeightFormat.list)"
        case .unknownNote(let what):
            "\(file): '\(key)' says \(what), which is not understood; its weights are not read"
        case .notFinite: "\(file): '\(key)' holds values that are not finite"
        }
    }

    private static func others(_ count: Int) -> String {
        count > 1 ? " and \(count - 1) more" : ""
    }
}
