internal import Torch

/// What the layers of all models take from a heap, in the order in which libtorch's kernels take it.
struct Footprint {
    let heap: PieceHeap
    /// Bytes of a number in the type that is computed in.
    let bytes: Int
    /// Threads that a kernel runs on; each has buffers of its own.
    let threads: Int
    /// The kernels that compute `bfloat16`, where that is what is computed in.
    var kernels = KernelSet.reference

    typealias Piece = PieceHeap.Piece

    /// The kernels that compute a type on a device.
    static func kernels(_ dtype: DType, _ kind: Device.Kind) -> KernelSet {
        dtype == .bfloat16 && kind == .cpu ? .current : .reference
    }

    /// A tensor of so many numbers.
    func tensor(_ count: Int) -> Piece { heap.take(count * bytes) }

    /// A tensor of so many numbers of 32 bits.
    func exact(_ count: Int) -> Piece { heap.take(4 * count) }

    /// The sum or product of tensors that are no longer needed then.
    func combined(_ count: Int, _ parts: Piece...) -> Piece {
        let result = tensor(count)
        heap.give(parts)
        return result
    }

    /// A matrix product into `count` numbers.
    func linear(_ count: Int) -> Piece { tensor(count) }

    /// `rms_norm`, which libtorch composes of a power, a product with the deviation and, with a
    /// weight, another product, all in 32 bits.
    ///
    /// - Parameter weighted: whether the kernel applies a weight.
    func rmsNorm(_ count: Int, weighted: Bool) -> Piece {
        let upcast = bytes == 4 ? nil : exact(count)
        heap.give(exact(count))
        var normed = exact(count)
        if weighted {
            let product = exact(count)
            heap.give(normed)
            normed = product
        }
        upcast.map { heap.give($0) }
        guard bytes != 4 else { return normed }
        let rounded = tensor(count)
        heap.give(normed)
        return rounded
    }

    /// `RoundedRMSNorm`: a weight in the type of the input.
    func roundedNorm(_ count: Int) -> Piece {
        combined(count, rmsNorm(count, weighted: false))
    }

    /// `RotaryTable`: complex numbers of 32 bits and their product.
    func rotated(_ count: Int) -> Piece {
        let pairs = bytes == 4 ? nil : exact(count)
        let product = exact(count)
        guard bytes != 4 else { return product }
        let rounded = tensor(count)
        pairs.map { heap.give($0) }
        heap.give(product)
        return rounded
    }

    /// The kernel of attention without a table of weights: a result and, on each thread, a block of
    /// queries to keys in 32 bits, once more in the type itself if that is smaller.
    ///
    /// - Parameter queries: how many there are of each head; few are taken in smaller blocks.
    func attention(_ count: Int, headSize: Int, queries: Int, keys: Int) -> Piece {
        let result = tensor(count)
        let rows = queries >= 768 ? 256 : queries >= 192 ? 64 : 32
        let table = rows * min(512, keys)
        let block = exact(threads * (table + 2 * rows + rows * headSize))
        let rounded = bytes == 4 ? nil : tensor(threads * table)
        rounded.map { heap.give($0) }
        heap.give(block)
        return result
    }

    /// `silu(gate) · up` of one projection, which is freed.
    func gated(_ count: Int, _ fused: Piece) -> Piece {
        let gate = tensor(count)
        let product = tensor(count)
        heap.give(fused, gate)
        return product
    }
}
