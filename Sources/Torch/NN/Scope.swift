/// Names parameters while layers are built, so that each checkpoint key is written once.
///
/// `scope["attn"]["to_q"]` is the place `attn.to_q`; a layer asks it for its parameters.
public struct Scope {
    private let path: String
    private let registry: Registry

    private final class Registry {
        var parameters: [Parameter] = []
    }

    /// A root, where nothing is declared yet.
    public init() {
        path = ""
        registry = Registry()
    }

    private init(path: String, registry: Registry) {
        self.path = path
        self.registry = registry
    }

    /// The place of this name under this one.
    public subscript(_ name: String) -> Scope {
        Scope(path: path.isEmpty ? name : path + "." + name, registry: registry)
    }

    /// The place of this number under this one, for layers in a row.
    public subscript(_ index: Int) -> Scope { self[String(index)] }

    /// Declares a parameter; its values come later.
    public func parameter(_ name: String, _ shape: [Int]) -> Parameter {
        let parameter = Parameter(key: self[name].path, shape: shape)
        registry.parameters.append(parameter)
        return parameter
    }

    /// Everything declared under the root so far, in order.
    public var parameters: [Parameter] { registry.parameters }
}
