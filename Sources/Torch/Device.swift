internal import CTorch

/// Where a tensor lives.
public struct Device: Hashable, Sendable, CustomStringConvertible {
    /// The kinds of devices that this package knows.
    public enum Kind: String, Hashable, Sendable {
        /// The processor, an NVIDIA GPU, an Apple GPU.
        case cpu, cuda, mps
        /// No memory at all: tensors have shapes and types, and no values. See ``AllocationCounter``.
        case meta
    }

    /// The processor, or what brand of GPU.
    public var kind: Kind
    /// Counts from 0; nil is the current device of its kind.
    public var index: Int?

    /// A device of a kind; nothing is looked up or loaded before it is used.
    public init(_ kind: Kind, index: Int? = nil) {
        self.kind = kind
        self.index = index
    }

    /// The processor.
    public static let cpu = Device(.cpu)

    /// Reads `cpu`, `cuda`, `cuda:1` or `mps`.
    public init?(name: String) {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = parts.first, let kind = Kind(rawValue: String(first)), kind != .meta
        else { return nil }
        switch parts.count {
        case 1: self.init(kind)
        case 2:
            guard let index = Int(parts[1]), (0..<128).contains(index) else { return nil }
            self.init(kind, index: index)
        default: return nil
        }
    }

    public var description: String {
        index.map { "\(kind.rawValue):\($0)" } ?? kind.rawValue
    }

    var raw: ct_device {
        let type: ct_device_type =
            switch kind {
            case .cpu: CT_CPU
            case .cuda: CT_CUDA
            case .mps: CT_MPS
            case .meta: CT_META
            }
        return ct_device(type: type, index: Int32(index ?? -1))
    }

    init(_ raw: ct_device) {
        switch raw.type {
        case CT_CUDA: kind = .cuda
        case CT_MPS: kind = .mps
        case CT_META: kind = .meta
        default: kind = .cpu
        }
        index = kind == .cpu || kind == .meta || raw.index < 0 ? nil : Int(raw.index)
    }
}
