public import ArgumentParser
import Foundation
import Torch

/// With which kernels to compute on the processor.
struct KernelOptions: ParsableArguments {
    @Option(
        help: """
            auto, reference, portable, avx512-vnni, direct or avx512-bf16. With reference libtorch \
            computes everything; else kernels of this program's own compute bfloat16 on the \
            processor, and from avx512-vnni on weights of int8-rotated as integers; auto takes the \
            best. direct is avx512-bf16 without products of rounded sums (Winograd). FLUX2_KERNELS \
            says what auto may take.
            """)
    var kernels = KernelChoice.auto

    func validate() throws {
        if let set = ProcessInfo.processInfo.environment["FLUX2_KERNELS"],
            !set.isEmpty, KernelChoice(argument: set) == nil
        {
            throw ValidationError("FLUX2_KERNELS has to be a value of --kernels, not \(set)")
        }
        if case .upTo(let set) = kernels, set > .best {
            throw ValidationError(
                "--kernels \(set.rawValue): this processor has no \(set.rawValue)")
        }
    }

    /// Allows what was asked for, to all that is computed from now on.
    func apply() {
        if case .upTo(let set) = kernels { KernelSet.allow(set) }
    }
}

/// The best kernels, or none above some.
enum KernelChoice: Hashable, ExpressibleByArgument {
    case auto
    case upTo(KernelSet)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let set = KernelSet(rawValue: argument) {
            self = .upTo(set)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .upTo(let set): set.rawValue
        }
    }

    static var allValueStrings: [String] { ["auto"] + KernelSet.allCases.map(\.rawValue) }
}
