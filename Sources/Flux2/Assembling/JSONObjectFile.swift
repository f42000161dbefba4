internal import FileSupport
internal import Foundation

/// Changes of single fields in files that hold one JSON object.
enum JSONObjectFile {
    /// The file with some fields set; of one that is not there, the fields alone.
    ///
    /// - Throws: `ModelError` for a file that holds something else.
    static func edited(_ path: String, _ fields: [IndexField]) throws -> [UInt8] {
        var object = try read(path)
        for field in fields { set(field.value.object, at: field.path[...], in: &object) }
        let data = try JSONSerialization.data(
            withJSONObject: object,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return Array(data) + [UInt8(ascii: "\n")]
    }

    /// The names of the object's fields; none of a file that is not there.
    static func names(in path: String) throws -> Set<String> { Set(try read(path).keys) }

    private static func read(_ path: String) throws -> [String: Any] {
        guard FileManager.default.fileExists(atPath: path) else { return [:] }
        let data = Data(try WholeFile.bytes(path))
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw ModelError(path: path, reason: .badConfiguration("holds no JSON object"))
        }
        return object
    }

    private static func set(
        _ value: Any, at path: ArraySlice<String>, in object: inout [String: Any]
    ) {
        guard let name = path.first else { return }
        guard path.count > 1 else {
            object[name] = value
            return
        }
        var inner = object[name] as? [String: Any] ?? [:]
        set(value, at: path.dropFirst(), in: &inner)
        object[name] = inner
    }
}
