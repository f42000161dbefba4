import Flux2
import Torch

/// Asks each of the two products for something that is known beforehand.
@main
struct Main {
    static func main() throws {
        print(Variant.klein4B.hubID)
        print(try Tensor.arange(to: 5).sum().item())
    }
}
