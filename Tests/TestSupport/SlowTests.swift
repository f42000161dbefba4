import Foundation
public import Testing

extension Trait where Self == ConditionTrait {
    /// A test that takes long; CI sets the variable.
    public static var slow: Self {
        .enabled(
            if: ProcessInfo.processInfo.environment["FLUX2_SLOW_TESTS"] != nil,
            "needs FLUX2_SLOW_TESTS")
    }
}
