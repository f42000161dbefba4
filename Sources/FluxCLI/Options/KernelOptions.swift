internal import ArgumentParser
import Foundation
import Torch

/// With which kernels to compute on the processor.
struct KernelOptions: ParsableArguments {
    @Option(
        help: """
            Kernels for the processor; auto takes the best. reference is libtorch alone; the others \
            compute bfloat16 with own kernels. From avx512-vnni on, int8-rotated weights multiply \
            as integers. direct is avx512-bf16 without Winograd convolutions. FLUX2_KERNELS limits \
            what auto takes.
            """)
    var kernels = KernelChoice.auto

    /// Refuses a word in the environment that says nothing, whatever the command.
    static func checkEnvironment() throws {
        guard let set = ProcessInfo.processInfo.environment["FLUX2_KERNELS"], !set.isEmpty,
            KernelChoice(argument: set) == nil
        else { return }
        throw ValidationError("FLUX2_KERNELS has to be a value of --kernels, not \(set)")
    }

    func validate() throws {
        if case .upTo(let set) = kernels, set > .best {
            throw ValidationError(
                "--kernels \(set.rawValue): this processor has no \(set.rawValue)")
        }
    }

    /// The same for an image that is made again: what is not asked for is as it was. Its settings
    /// then name what computes.
    func apply(orThoseOf settings: inout GenerationMetadata, _ report: Reporter) throws {
        guard settings.device == Device.cpu.description else { return apply() }
        let set = try settings.kernelSet()
        if case .auto = kernels { KernelSet.allow(set) } else { apply() }
        settings.kernels = KernelSet.current.rawValue
        if case .auto = kernels, KernelSet.current != set {
            report.warn(
                "computing with kernels \(KernelSet.current.rawValue): this processor has no "
                    + "\(set.rawValue), which the image was made with")
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
