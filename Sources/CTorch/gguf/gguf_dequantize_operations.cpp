#include "gguf_blocks.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <utility>

namespace {

using at::Tensor;

// Blocks are [N, bytes of one]; what is taken from them keeps N in front.

Tensor bytes(const Tensor &blocks, int64_t start, int64_t count) {
  return blocks.narrow(1, start, count);
}

Tensor half_at(const Tensor &blocks, int64_t start) {
  return bytes(blocks, start, 2).contiguous().view(at::kHalf).to(at::kFloat);
}

Tensor signed_bytes(const Tensor &blocks, int64_t start, int64_t count) {
  return bytes(blocks, start, count).contiguous().view(at::kChar).to(at::kFloat);
}

// Fields of so many bits: [N, A·B] bytes become [N, A, 8/bits, B], lowest bits first.
Tensor fields(const Tensor &from, int64_t bits, int64_t width) {
  Tensor shifts = at::arange(0, 8, bits, from.options()).view({1, 1, -1, 1});
  Tensor shifted = from.reshape({from.size(0), -1, 1, width}).bitwise_right_shift(shifts);
  return shifted.bitwise_and((1 << bits) - 1);
}

Tensor q8_0(const Tensor &blocks) { return half_at(blocks, 0) * signed_bytes(blocks, 2, 32); }

Tensor q4_0(const Tensor &blocks) {
  Tensor quants = fields(bytes(blocks, 2, 16), 4, 16).reshape({-1, 32});
  return half_at(blocks, 0) * (quants.to(at::kFloat) - 8);
}

// Scales and minima of the eight parts, [N, 8, 1] each; see the kernels of the same name.
std::pair<Tensor, Tensor> scales_and_minima(const Tensor &blocks) {
  Tensor low = bytes(blocks, 4, 4), middle = bytes(blocks, 8, 4), high = bytes(blocks, 12, 4);
  auto joined = [](const Tensor &lower, const Tensor &nibbles) {
    Tensor upper = nibbles.bitwise_or(lower.bitwise_right_shift(6).bitwise_left_shift(4));
    return at::cat({lower.bitwise_and(63), upper}, 1).to(at::kFloat);
  };
  Tensor scales = half_at(blocks, 0) * joined(low, high.bitwise_and(15));
  Tensor minima = half_at(blocks, 2) * joined(middle, high.bitwise_right_shift(4));
  return {scales.unsqueeze(2), minima.unsqueeze(2)};
}

Tensor q4_k(const Tensor &blocks) {
  auto [scales, minima] = scales_and_minima(blocks);
  Tensor quants = fields(bytes(blocks, 16, 128), 4, 32).reshape({-1, 8, 32});
  return scales * quants.to(at::kFloat) - minima;
}

Tensor q5_k(const Tensor &blocks) {
  auto [scales, minima] = scales_and_minima(blocks);
  Tensor fifths = fields(bytes(blocks, 16, 32), 1, 32).reshape({-1, 8, 32});
  Tensor quants = fields(bytes(blocks, 48, 128), 4, 32).reshape({-1, 8, 32});
  quants = quants.bitwise_or(fifths.bitwise_left_shift(4));
  return scales * quants.to(at::kFloat) - minima;
}

Tensor q6_k(const Tensor &blocks) {
  Tensor low = fields(bytes(blocks, 0, 128), 4, 64).reshape({-1, 16, 16});
  Tensor high = fields(bytes(blocks, 128, 64), 2, 32).reshape({-1, 16, 16});
  Tensor quants = low.bitwise_or(high.bitwise_left_shift(4)).to(at::kFloat) - 32;
  Tensor scales = half_at(blocks, 208) * signed_bytes(blocks, 192, 16);
  return scales.unsqueeze(2) * quants;
}

Tensor dequantized(const Tensor &blocks, ct_gguf_block_type format) {
  switch (format) {
    case CT_Q4_0: return q4_0(blocks);
    case CT_Q8_0: return q8_0(blocks);
    case CT_Q4_K: return q4_k(blocks);
    case CT_Q5_K: return q5_k(blocks);
    case CT_Q6_K: return q6_k(blocks);
  }
  return {};
}

// What is computed on the way takes several times the memory of the result.
constexpr int64_t values_at_once = 1 << 24;

}  // namespace

void ct::dequantize_by_operations(const Tensor &packed, ct_gguf_block_type format, Tensor &out) {
  BlockSize size = block_size(format);
  Tensor blocks = packed.view({-1, size.bytes}), values = out.view({-1, size.values});
  int64_t step = values_at_once / size.values;
  for (int64_t start = 0; start < blocks.size(0); start += step) {
    int64_t count = std::min(step, blocks.size(0) - start);
    Tensor result = dequantized(blocks.narrow(0, start, count), format);
    values.narrow(0, start, count).copy_(result.view({count, size.values}));
  }
}

#endif
