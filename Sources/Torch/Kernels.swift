internal import CTorch

/// The kernels of this package's own that may compute: those for `bfloat16`, and for weights of 8
/// bits, on the processor where no gradients are recorded. Everything else is computed by libtorch.
///
/// Kernels round once where libtorch rounds after each operation of several, so their results differ
/// from libtorch's by less than `bfloat16` resolves, and are closer to exact ones; not so
/// ``Kernel/winograd``, enlarging convolutions and ``Kernel/int8``, which round what they multiply.
/// None depends on the number of threads.
public enum KernelSet: String, Hashable, Sendable, CaseIterable, Comparable {
    /// None: libtorch computes everything.
    case reference
    /// Those that every processor runs.
    case portable
    /// Those of processors that multiply 8-bit integers with AVX-512 as well.
    case avx512Integers = "avx512-vnni"
    /// Those of processors that multiply `bfloat16` with AVX-512 as well, as far as they round no
    /// sums of what is computed before multiplying them.
    case direct
    /// Those of the same processors, convolutions by fewer products of rounded sums among them.
    case avx512BFloat16 = "avx512-bf16"

    /// The widest set that this processor runs.
    public static var best: KernelSet { KernelSet(ct_best_kernels()) }

    /// What computations of this thread use.
    public static var current: KernelSet { KernelSet(ct_kernels()) }

    /// Allows this set and those below it to all threads, as far as the processor has them.
    ///
    /// Is to be called before something is computed.
    public static func allow(_ highest: KernelSet) { ct_allow_kernels(highest.raw) }

    /// Runs `body` with this set and those below it at most.
    ///
    /// The limit belongs to the thread, hence synchronous closures only.
    public static func limited<R>(to highest: KernelSet, _ body: () throws -> R) rethrows -> R {
        let before = ct_allow_kernels_here(highest.raw)
        defer { _ = ct_allow_kernels_here(before) }
        return try body()
    }

    /// Whether the second allows more.
    public static func < (a: KernelSet, b: KernelSet) -> Bool { a.raw.rawValue < b.raw.rawValue }

    private var raw: ct_kernel_set {
        switch self {
        case .reference: CT_KERNELS_REFERENCE
        case .portable: CT_KERNELS_PORTABLE
        case .avx512Integers: CT_KERNELS_AVX512_VNNI
        case .direct: CT_KERNELS_DIRECT
        case .avx512BFloat16: CT_KERNELS_AVX512_BF16
        }
    }

    fileprivate init(_ raw: ct_kernel_set) {
        self =
            switch raw {
            case CT_KERNELS_PORTABLE: .portable
            case CT_KERNELS_AVX512_VNNI: .avx512Integers
            case CT_KERNELS_DIRECT: .direct
            case CT_KERNELS_AVX512_BF16: .avx512BFloat16
            default: .reference
            }
    }
}

/// An operation that there is a kernel for.
public enum Kernel: String, Hashable, Sendable, CaseIterable {
    /// Scaled dot-product attention, without the attention matrix.
    case attention
    /// RMS norm with its weight.
    case norm
    /// Layer norm, shift and scale.
    case modulation
    /// Rotation of heads, with the norm before it.
    case rotation
    /// `silu(gate) · up`.
    case gate
    /// The sum of a stream and what is gated.
    case residual
    /// Group norm of a map, with SiLU behind it.
    case groupNorm = "group norm"
    /// Convolutions of maps, with the enlargement before them and the sum behind them.
    case convolution
    /// 3x3 convolutions by fewer products.
    case winograd
    /// The product with a weight of ``QuantizationFormat/int8Rotated``, integers by integers.
    case int8

    /// The set that the kernel belongs to.
    public var set: KernelSet { KernelSet(ct_kernel_needs(raw)) }

    /// Whether the kernel is used by this thread, where types, shapes and gradients allow it.
    public var isUsed: Bool { KernelSet.current >= self.set }

    /// Whether the kernel computes on these operands; libtorch does otherwise.
    func serves(_ operands: Tensor?...) -> Bool {
        withExtendedLifetime(operands) {
            let handles = operands.map { $0?.raw }
            return handles.withUnsafeBufferPointer { ct_has_kernel(raw, $0.baseAddress, $0.count) }
        }
    }

    private var raw: ct_kernel {
        switch self {
        case .attention: CT_KERNEL_ATTENTION
        case .norm: CT_KERNEL_NORM
        case .modulation: CT_KERNEL_MODULATION
        case .rotation: CT_KERNEL_ROTATION
        case .gate: CT_KERNEL_GATE
        case .residual: CT_KERNEL_RESIDUAL
        case .groupNorm: CT_KERNEL_GROUP_NORM
        case .convolution: CT_KERNEL_CONVOLUTION
        case .winograd: CT_KERNEL_WINOGRAD
        case .int8: CT_KERNEL_INT8
        }
    }
}
