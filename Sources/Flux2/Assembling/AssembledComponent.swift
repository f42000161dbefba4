internal import FluxModels
internal import Foundation
internal import LoRA
internal import Offloading
internal import Checkpoints
internal import Torch

/// A component of the model that is assembled: its files, and what takes the place of their weights.
final class AssembledComponent {
    /// A weight of a checkpoint.
    struct Taken {
        var values: Tensor
        /// The checkpoint, and what it calls the weight.
        var path: String
        var name: String
    }

    let component: Component
    /// The folder of its files.
    let folder: String
    let parameters: [Parameter]
    private let file: ComponentFile
    private let loader: WeightLoader
    private let dtype: DType?
    private let bySource: [String: [Parameter]]
    private var taken: [String: Taken] = [:]
    private var fusion = LoRAFusion()
    private var loras: [String] = []

    /// - Parameters:
    ///   - parameters: all of the component, as its architecture declares them.
    ///   - dtype: the type of all weights that are written; nil is that of each.
    /// - Throws: `ModelError` where the component is a single file; `WeightError` for files that do
    ///   not have all weights.
    init(_ component: Component, _ file: ComponentFile, _ parameters: [Parameter], dtype: DType?)
        throws
    {
        self.component = component
        self.file = file
        self.parameters = parameters
        self.dtype = dtype
        folder = file.checkpoint.location
        loader = file.loader()
        bySource = Dictionary(grouping: parameters) { file.keyMap.transform($0.key).source }
        guard LocalFiles.isFolder(folder) else {
            throw ModelError(
                path: folder,
                reason: .wrongContent(
                    expected: "a folder of the hub's layout", found: "a single file"))
        }
        try loader.check(parameters)
    }

    var family: TextEncoderConfiguration.Family? {
        if case .textEncoder(let family, _) = file.content { family } else { nil }
    }

    // MARK: What changes

    /// Takes a weight of a checkpoint in the place of the model's own.
    ///
    /// - Throws: `WeightError` for another shape or type, `ModelError` for a second one.
    func take(_ info: TensorInfo, of source: SafetensorsFile, for parameter: Parameter) throws {
        let values = try Tensor.mapped(info, of: source)
        guard values.shape == parameter.shape else {
            throw WeightError(
                file: source.path, key: info.name,
                reason: .unexpectedShape(expected: parameter.shape, found: values.shape))
        }
        guard values.dtype.isFloatingPoint, values.dtype.byteCount > 1 else {
            throw ModelError(
                path: source.path,
                reason: .wrongContent(
                    expected: "weights of 16 or 32 bits",
                    found: "'\(info.name)' of type \(info.type.rawValue)"))
        }
        let new = Taken(values: values, path: source.path, name: info.name)
        if let other = taken.updateValue(new, forKey: parameter.key) {
            throw ModelError(
                path: source.path, reason: .mismatch("'\(info.name)' is in \(other.path), too"))
        }
    }

    /// Folds LoRAs in, on top of what checkpoints give.
    func fold(_ changes: [(changes: LoRAChanges, use: LoRAUse)]) {
        fusion = LoRAFusion(changes.map { ($0.changes, $0.use.strength) })
        loras = changes.map(\.use.path)
    }

    /// Refuses changes of low-bit weights, and of files in another format.
    ///
    /// - Throws: `ModelError`.
    func requireChangeable() throws {
        let isFolded = fusion.all.contains { !$0.changes.adapters.isEmpty }
        guard dtype != nil || !taken.isEmpty || isFolded else { return }
        func refusal(_ found: String) -> ModelError {
            ModelError(
                path: folder,
                reason: .wrongContent(
                    expected: "weights of 16 or 32 bits in .safetensors files", found: found))
        }
        guard !file.checkpoint.isGGUF else { throw refusal("a GGUF file") }
        for info in files.values.flatMap(\.weights).sorted(by: { $0.name < $1.name })
        where (info.type.dtype?.byteCount ?? 1) == 1 {
            throw refusal("'\(info.name)' of type \(info.type.name)")
        }
    }

    /// The files with weights, by their names in the folder.
    private var files: [String: any WeightFile] {
        Dictionary(
            file.checkpoint.files.map { (URL(fileURLWithPath: $0.path).lastPathComponent, $0) }
        ) { first, _ in first }
    }

    /// Whether any of its files is not copied as it is.
    var isChanged: Bool { file.checkpoint.files.flatMap(\.weights).contains(where: isChanged) }

    private func isChanged(_ info: WeightInfo) -> Bool {
        dtype(of: info) != info.type.dtype
            || (bySource[info.name] ?? []).contains {
                taken[$0.key] != nil || fusion.changes($0.key)
            }
    }

    // MARK: What is written

    /// The tensors of a file, by its name in the folder; nil for one that is copied as it is.
    func tensors(of name: String, onWritten: @escaping (Int) throws -> Void) -> (
        tensors: [TensorToWrite], metadata: [String: String]
    )? {
        guard let file = files[name], file.weights.contains(where: isChanged) else { return nil }
        let tensors = file.weights.map { info in
            let dtype = dtype(of: info)
            guard let type = dtype.flatMap(ElementType.init) else {
                preconditionFailure("'\(info.name)' was looked at before")
            }
            return TensorToWrite(name: info.name, type: type, shape: info.shape) { sink in
                let values = try self.values(info, of: file, dtype)
                try self.requireRange(of: values, info.name, in: file)
                try values.withBytes { try sink($0) }
                try onWritten(info.byteCount)
            }
        }
        return (tensors, file.notes)
    }

    /// Looks for values that are not finite in a file that is copied as it is.
    ///
    /// - Throws: `WeightError` naming the first tensor with such numbers.
    func requireFinite(_ name: String) throws {
        guard let file = files[name] as? SafetensorsFile else { return }
        for tensor in file.tensors {
            var check = FiniteCheck(tensor.type)
            withExtendedLifetime(file) { check.add(file.bytes(of: tensor)) }
            guard check.holds else {
                throw WeightError(file: file.path, key: tensor.name, reason: .notFinite)
            }
        }
    }

    /// Refuses what became infinite in a type of few exponents.
    private func requireRange(of values: Tensor, _ name: String, in file: any WeightFile) throws {
        guard dtype == .float16, values.dtype == .float16 else { return }
        guard try !values.isFinite().allTrue() else { return }
        throw ModelError(
            path: file.path,
            reason: .wrongContent(
                expected: "numbers up to 65504, as float16 holds them",
                found: "larger ones in '\(name)'"))
    }

    /// The bytes of a file's tensors as they are written; nil for a file without weights.
    func byteCount(of name: String) -> Int? {
        files[name]?.weights.reduce(0) { sum, info in
            sum + (dtype(of: info).map { $0.byteCount * info.elementCount } ?? info.byteCount)
        }
    }

    /// The type of a tensor in the file that is written; of one that several weights make up, the
    /// widest of theirs.
    private func dtype(of info: WeightInfo) -> DType? {
        guard let own = info.type.dtype, own.isFloatingPoint else { return info.type.dtype }
        if let dtype { return dtype }
        let parts = (bySource[info.name] ?? []).map { taken[$0.key]?.values.dtype ?? own }
        return parts.max { $0.byteCount < $1.byteCount } ?? own
    }

    private func values(_ info: WeightInfo, of file: any WeightFile, _ dtype: DType?) throws
        -> Tensor
    {
        guard isChanged(info), let dtype, let parameters = bySource[info.name] else {
            return try .mapped(info, of: file).to(dtype: dtype).contiguous()
        }
        let parts = try parameters.map { parameter in
            (self.file.keyMap.transform(parameter.key), try value(of: parameter, dtype))
        }
        return try TensorConcatenation.concatenate(parts, shape: info.shape, dtype: dtype)
    }

    private func value(of parameter: Parameter, _ dtype: DType) throws -> Tensor {
        let stored: Tensor
        if let own = taken[parameter.key] {
            guard try own.values.isFinite().allTrue() else {
                throw WeightError(file: own.path, key: own.name, reason: .notFinite)
            }
            stored = own.values
        } else {
            guard case .dense(let values) = try loader.stored([parameter])[0] else {
                preconditionFailure("'\(parameter.key)' was looked at before")
            }
            stored = values
        }
        return try fusion(stored, parameter.key, dtype: dtype)
    }

    // MARK: What is told

    /// What becomes of the component, whose files have so many bytes.
    func report(bytes: Int, checkpoints: [String]) -> AssemblyReport.Part {
        let counts = taken.values.reduce(into: [:]) { $0[$1.path, default: 0] += 1 }
        return AssemblyReport.Part(
            component: component, weights: parameters.count,
            taken: checkpoints.compactMap { path in
                counts[path].map { .init(path: path, weights: $0) }
            },
            folded: zip(loras, fusion.all).compactMap { path, part in
                let count = part.changes.adapters.count
                return count == 0 ? nil : .init(path: path, weights: count)
            },
            bytes: bytes)
    }
}
