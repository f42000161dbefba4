public import Torch

/// Sees what a module has computed, under the module's name in the canonical layout.
///
/// Models call it after every part of some length; throwing from it stops the model, which is how
/// work is cancelled between blocks.
public typealias Observer = (_ module: String, _ output: Tensor) throws -> Void

/// Looks at nothing.
public func ignoreOutputs(_ module: String, _ output: Tensor) {}
