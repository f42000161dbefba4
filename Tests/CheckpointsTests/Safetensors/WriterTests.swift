import FileSupport
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing

@Suite("Writing tensor files")
struct WriterTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func tensor(_ name: String, _ type: ElementType, _ shape: [Int]) -> TensorToWrite {
        let size = shape.reduce(type.byteCount, *)
        return TensorToWrite(
            name: name, type: type, shape: shape, bytes: (0..<size).map { UInt8($0 % 251) })
    }

    @Test func givesBackWhatWasWrittenAlignedAndInOrder() throws {
        let path = folder.file("a.safetensors")
        try SafetensorsWriter.write(
            to: path,
            tensors: [
                tensor("odd", .U8, [3]), tensor("b", .F32, [2, 2]), tensor("a", .F32, [1]),
                tensor("half", .BF16, [5]), tensor("none", .I64, [0, 4]), tensor("one", .F64, []),
            ], metadata: ["quote\"": "line\nfeed\u{1}", "émoji": "😀\\"])
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == ["quote\"": "line\nfeed\u{1}", "émoji": "😀\\"])
        #expect(file.tensors.map(\.name) == ["none", "one", "a", "b", "half", "odd"])
        for info in file.tensors {
            let bytes = file.bytes(of: info)
            #expect(bytes.elementsEqual((0..<bytes.count).map { UInt8($0 % 251) }))
            #expect(Int(bitPattern: bytes.baseAddress) % info.type.byteCount == 0)
        }
    }

    @Test func takesTensorsInPieces() throws {
        let path = folder.file("a.safetensors")
        let pieces = TensorToWrite(name: "x", type: .U8, shape: [6]) { sink in
            for start in [0, 2, 4] as [UInt8] {
                try [start, start + 1].withUnsafeBytes { try sink($0) }
            }
        }
        try SafetensorsWriter.write(to: path, tensors: [pieces])
        let file = try SafetensorsFile(path: path)
        #expect(file.bytes(of: file.tensors[0]).elementsEqual(0..<6))
    }

    @Test(arguments: [
        (ElementType.F64, [0, 0, 0, 0, 0, 0, 0xF0, 0x7F] as [UInt8]), (.F32, [0, 0, 0x80, 0xFF]),
        (.F32, [1, 0, 0x80, 0x7F]), (.F16, [0, 0x7C]), (.BF16, [0xC0, 0x7F]), (.F8_E4M3, [0xFF]),
        (.F8_E5M2, [0x7C]),
    ])
    func refusesNumbersThatAreNotFinite(_ type: ElementType, _ bytes: [UInt8]) throws {
        let path = folder.file("a.safetensors")
        let fine = [UInt8](repeating: 0x3B, count: 5 * type.byteCount)
        // Pieces may end within a number.
        for piece in [1, 3, 64] {
            let all = fine + bytes
            let tensor = TensorToWrite(name: "x", type: type, shape: [6]) { sink in
                for start in stride(from: 0, to: all.count, by: piece) {
                    try all[start...].prefix(piece).withUnsafeBytes { try sink($0) }
                }
            }
            #expect(throws: SafetensorsError(file: path, key: "x", reason: .notFinite)) {
                try SafetensorsWriter.write(to: path, tensors: [tensor])
            }
            #expect(folder.contents.isEmpty)
            try SafetensorsWriter.write(to: path, tensors: [tensor], requiresFinite: false)
            try FileManager.default.removeItem(atPath: path)
        }
        let integers = TensorToWrite(
            name: "x", type: .I64, shape: [1], bytes: .init(repeating: 255, count: 8))
        try SafetensorsWriter.write(to: path, tensors: [integers])
    }

    @Test func refusesWhatWouldNotBeReadAgain() throws {
        let path = folder.file("a.safetensors")
        func reason(_ tensors: [TensorToWrite]) throws -> SafetensorsError.Reason {
            try #require(throws: SafetensorsError.self) {
                try SafetensorsWriter.write(to: path, tensors: tensors)
            }.reason
        }
        #expect(
            try reason([tensor("a", .U8, [1]), tensor("a", .U8, [1])]) == .duplicate(other: nil))
        #expect(try reason([tensor("__metadata__", .U8, [1])]) == .duplicate(other: nil))
        #expect(
            try reason([TensorToWrite(name: "a", type: .F32, shape: [2], bytes: [1])])
                == .badSource(expected: 8, found: 1))
        #expect(
            try reason([TensorToWrite(name: "a", type: .F32, shape: [-1], bytes: [])])
                == .badShape([-1]))
        #expect(folder.contents.isEmpty)
    }

    @Test func replacesOnlyWhatMayBeReplaced() throws {
        let path = folder.file("a.safetensors")
        try SafetensorsWriter.write(to: path, tensors: [tensor("a", .U8, [1])])
        #expect(throws: FileError.self) {
            try SafetensorsWriter.write(to: path, tensors: [], overwrite: false)
        }
        #expect(try SafetensorsFile(path: path).tensors.count == 1)
    }
}

@Suite("Checkpoints")
struct CheckpointTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ file: String, _ names: [String]) throws {
        try SafetensorsWriter.write(
            to: folder.file(file),
            tensors: names.map { TensorToWrite(name: $0, type: .U8, shape: [1], bytes: [1]) },
            metadata: ["from": file])
    }

    private func writeIndex(_ map: [String: String]) throws {
        let data = try JSONSerialization.data(withJSONObject: ["weight_map": map])
        try data.write(to: URL(fileURLWithPath: folder.file("model.safetensors.index.json")))
    }

    private func complaint() throws -> String {
        try #require(throws: SafetensorsError.self) { try Checkpoint(path: folder.path) }
            .description
    }

    @Test func areAFileAFolderAnIndexOrAListOfFiles() throws {
        try write("a.safetensors", ["x", "y"])
        try write("b.safetensors", ["z"])
        #expect(try Checkpoint(path: folder.file("a.safetensors")).names.sorted() == ["x", "y"])
        let whole = try Checkpoint(path: folder.path)
        #expect(whole.names.sorted() == ["x", "y", "z"] && whole.totalBytes == 3)
        #expect(whole["z"]?.file.path == folder.file("b.safetensors"))
        #expect(whole.metadata == ["from": "a.safetensors"])
        try writeIndex(["x": "a.safetensors", "z": "b.safetensors"])
        let index = folder.file("model.safetensors.index.json")
        #expect(try Checkpoint(path: index).files.count == 2)
        let paths = ["b.safetensors", "a.safetensors"].map(folder.file)
        #expect(try Checkpoint(files: paths).names.count == 3)
    }

    @Test func takeOnlyTheFilesThatTheIndexNames() throws {
        try write("a.safetensors", ["x"])
        try write("a.fp16.safetensors", ["x"])
        #expect(try complaint().contains("'x' is there twice, also in"))
        try writeIndex(["x": "a.safetensors"])
        #expect(try Checkpoint(path: folder.path).files.count == 1)
    }

    @Test func whoseIndexIsWrongAreRefused() throws {
        try write("a.safetensors", ["x"])
        try writeIndex(["x": "b.safetensors"])
        #expect(try complaint().contains("names 'b.safetensors', which is not there"))
        try writeIndex(["y": "a.safetensors"])
        #expect(try complaint().contains("'y' is not in 'a.safetensors', where the index has it"))
        try writeIndex(["x": "../a.safetensors"])
        #expect(try complaint().contains("expected a file beside the index"))
        try Data("{}".utf8).write(
            to: URL(fileURLWithPath: folder.file("model.safetensors.index.json")))
        #expect(try complaint().contains("has no 'weight_map'"))
    }

    @Test func thatAreNotThereAreNamed() throws {
        #expect(try complaint().contains("expected .safetensors files, found none"))
        #expect(throws: FileError.self) { try Checkpoint(path: folder.file("none.safetensors")) }
    }
}
