internal import CFiles
import Foundation

/// Sums by which damage is noticed, at the speed of memory; they protect from no intent.
public enum ByteDigest {
    /// Sixteen hexadecimal digits.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
        let sum = String(cf_digest(bytes.baseAddress, bytes.count), radix: 16)
        return String(repeating: "0", count: 16 - sum.count) + sum
    }
}
