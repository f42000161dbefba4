internal import Domains
internal import FileSupport
internal import Foundation

/// Reads a JSON configuration and says in one line what is wrong with it.
package enum Configuration {
    package static func read<T: Decodable>(_ type: T.Type, from path: String) throws -> T {
        guard let data = WholeFile.contents(path) else {
            throw ModelError(path: path, reason: .badConfiguration("cannot be read"))
        }
        return try decode(type, data, of: path)
    }

    /// - Parameter path: what errors call the file.
    static func decode<T: Decodable>(_ type: T.Type, _ data: Data, of path: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as DecodingError {
            throw ModelError(path: path, reason: .badConfiguration(describe(error)))
        } catch let error as NumberError {
            throw ModelError(path: path, reason: .badConfiguration("\(error)"))
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let names = context.codingPath.map(\.stringValue).joined(separator: ".")
            return names.isEmpty ? "" : "'\(names)': "
        }
        switch error {
        case .keyNotFound(let key, let context):
            return place(context) + "no '\(key.stringValue)'"
        case .typeMismatch(let type, let context):
            return place(context) + "expected a value of type \(type)"
        case .valueNotFound(let type, let context):
            return place(context) + "expected a value of type \(type), found null"
        case .dataCorrupted(let context):
            return place(context) + context.debugDescription
        @unknown default: return "cannot be understood"
        }
    }
}
