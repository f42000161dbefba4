#include "clones.hpp"
#include "optimizers.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bitwise_and.h>
#include <ATen/ops/bitwise_right_shift.h>
#include <ATen/ops/bitwise_xor.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>

#include <bit>

using namespace ct;

namespace {
/// What separates the stream of one key from those of others.
struct Keys {
  uint32_t first, second;
  explicit Keys(uint64_t key)
      : first(static_cast<uint32_t>(key)), second(static_cast<uint32_t>(key >> 32)) {}
};

constexpr uint32_t multipliers[] = {0x7feb352du, 0x846ca68bu};

/// Every bit of the result depends on every bit of the argument; multipliers and shifts are those of
/// the search for such functions in "Prospecting for Hash Functions" by C. Wellons.
[[gnu::always_inline]] inline uint32_t scattered(uint32_t x) {
  x = (x ^ x >> 16) * multipliers[0];
  x = (x ^ x >> 15) * multipliers[1];
  return x ^ x >> 16;
}

[[gnu::always_inline]] inline uint32_t sixteen_bits(uint32_t place, Keys keys) {
  return scattered(scattered(place ^ keys.first) + keys.second) & 0xFFFFu;
}

CT_CLONES void round_values(const float *from, uint16_t *to, int64_t count, uint32_t begin, Keys keys) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = std::bit_cast<uint32_t>(from[i]);
    uint32_t raised = bits + sixteen_bits(begin + static_cast<uint32_t>(i), keys);
    // What is infinite stays so; what is NaN must not become infinite.
    bool is_finite = (bits & 0x7F800000u) != 0x7F800000u;
    uint32_t special = bits | ((bits & 0x007FFFFFu) != 0 ? 0x00400000u : 0u);
    to[i] = static_cast<uint16_t>((is_finite ? raised : special) >> 16);
  }
}

/// The same with 64-bit integers that hold 32 bits, for any device.
at::Tensor scattered(at::Tensor x) {
  auto fold = [](const at::Tensor &t, int64_t shift) {
    return t.bitwise_xor(t.bitwise_right_shift(at::Scalar(shift)));
  };
  auto cut = [](const at::Tensor &t) { return t.bitwise_and(at::Scalar(int64_t{0xFFFFFFFF})); };
  x = cut(fold(x, 16).mul_(static_cast<int64_t>(multipliers[0])));
  x = cut(fold(x, 15).mul_(static_cast<int64_t>(multipliers[1])));
  return fold(x, 16);
}

void round_by_operations(const at::Tensor &from, const at::Tensor &to, Keys keys, int64_t begin) {
  auto options = from.options().dtype(at::kLong);
  at::Scalar low(int64_t{0xFFFFFFFF});
  at::Tensor places = at::arange(begin, begin + from.numel(), options).bitwise_and_(low);
  places = scattered(places.bitwise_xor_(static_cast<int64_t>(keys.first)));
  places = scattered(places.add_(static_cast<int64_t>(keys.second)).bitwise_and_(low));
  at::Tensor raised = from.view(at::kInt).to(at::kLong);
  raised.add_(places.bitwise_and_(int64_t{0xFFFF})).bitwise_and_(int64_t{0xFFFF0000});
  at::Tensor rounded = raised.to(at::kInt).view(at::kFloat);
  to.copy_(at::where(at::isfinite(from), rounded, from));
}
}  // namespace

uint64_t ct::mixed(uint64_t seed, uint64_t step, uint64_t part) {
  uint64_t x = seed + 0x9E3779B97F4A7C15u * (step * 8 + part + 1);
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

void ct::round_stochastically(const at::Tensor &from, const at::Tensor &to, uint64_t key,
                              int64_t begin, bool by_operations) {
  TORCH_CHECK(from.scalar_type() == at::kFloat && to.scalar_type() == at::kBFloat16 &&
                  from.sizes() == to.sizes() && from.is_contiguous() && to.is_contiguous(),
              "rounding needs float32 and bfloat16 of one shape, in row-major order");
  Keys keys(key);
  if (by_operations || !from.is_cpu() || !to.is_cpu()) {
    return round_by_operations(from.view({-1}), to.view({-1}), keys, begin);
  }
  auto *source = static_cast<const float *>(from.const_data_ptr());
  auto *target = static_cast<uint16_t *>(to.mutable_data_ptr());
  parallel_for(from.numel(), 1 << 14, [&](int64_t start, int64_t end) {
    round_values(source + start, target + start, end - start, static_cast<uint32_t>(begin + start), keys);
  });
}

extern "C" ct_status ct_round_stochastically(ct_tensor from, ct_tensor to, uint64_t seed,
                                             bool by_operations) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    round_stochastically(borrow(from), borrow(to), mixed(seed, 0, 0), 0, by_operations);
  });
}
#endif
