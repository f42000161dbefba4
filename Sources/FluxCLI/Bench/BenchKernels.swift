import ArgumentParser
import Flux2
import Foundation
import Torch

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measure kernels for the processor, each beside libtorch.",
        discussion: """
            Those of transformers and text encoders; flux2 bench shows how long the autoencoder takes. \
            Operations are measured by turns with a matrix product; attention and layers with weights \
            of 8 bits are compared with that. For these, libtorch multiplies weights of 16 bits. The \
            best of some rounds counts.
            """)

    @OptionGroup var processor: ThreadOptions

    @Option(help: "How often each operation is measured.")
    var rounds = 5

    @OptionGroup var kernels: KernelOptions

    func run() throws {
        HostMemory.keepFreed()
        kernels.apply()
        if let threads = processor.threads { Runtime.threads = threads }
        print("kernels \(KernelSet.current.rawValue), \(Runtime.threads) threads")
        try KernelRate.measure(rounds: rounds) { print($0.line) }
    }
}

extension KernelRate {
    /// One line of a table.
    fileprivate var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text.padding(toLength: width, withPad: " ", startingAt: 0)
        }
        let digits = unit == .bytes ? "%6.1f" : "%6.0f"
        var text = padded(kernel?.rawValue ?? "product", 12) + padded(size, 24)
        text += String(format: digits, rate) + " \(unit.rawValue)"
        guard let libtorch else { return text }
        text = padded(text, 52) + "libtorch" + String(format: digits, libtorch)
        text += String(format: "  x%.1f", rate / libtorch)
        guard unit == .operations else { return text }
        return text + String(format: "   %.2f of a product", rate / product)
    }
}
