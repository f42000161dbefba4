import ArgumentParser
import Flux2
import Foundation
import Torch

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measure kernels for the processor, each beside libtorch.",
        usage: "flux2 bench kernels [<options>]",
        discussion: """
            Kernels of transformers and text encoders; flux2 bench measures the VAE. Operations take \
            turns with a matrix product, which attention and layers with 8-bit weights are compared \
            with. For these, libtorch multiplies 16-bit weights. The best round counts.
            """)

    @OptionGroup var processor: ThreadOptions

    @Option(help: "Measurements of each operation.")
    var rounds = 5

    @OptionGroup var kernels: KernelOptions
    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        struct Row: Encodable {
            var kernel: String?
            var size: String
            var unit: String
            var rate: Double
            var libtorch: Double?
            var product: Double

            init(_ rate: KernelRate) {
                (kernel, size, unit) = (rate.kernel?.rawValue, rate.size, rate.unit.rawValue)
                (self.rate, libtorch, product) = (rate.rate, rate.libtorch, rate.product)
            }
        }

        var kernels = KernelSet.current.rawValue
        var threads = Runtime.threads
        var rates: [Row] = []
    }

    func run() throws {
        HostMemory.installPool()
        kernels.apply()
        if let threads = processor.threads { Runtime.threads = threads }
        var found = Summary()
        if !result.json { print("kernels \(found.kernels), \(found.threads) threads") }
        try KernelRate.measure(rounds: rounds) { rate in
            found.rates.append(Summary.Row(rate))
            if !result.json { print(rate.line) }
        }
        if result.json { print(try JSON.line(found, warnings: result.report.warnings)) }
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
