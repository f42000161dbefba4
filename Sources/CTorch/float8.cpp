#include "float8.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <bit>
#include <cstdint>

// One body for several instruction sets; the loader picks the widest that the processor has.
#if defined(__linux__) && defined(__x86_64__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define CT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#ifndef CT_CLONES
#define CT_CLONES
#endif

namespace {
// Exponent and mantissa are moved to where a float has them; a multiplication then mends the
// exponent's bias, and with it numbers below the smallest normal one. All results are exact.

/// The bits of a float: sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinities, one NaN.
[[gnu::always_inline]] inline uint32_t from_e4m3fn(uint8_t byte) {
  uint32_t magnitude = byte & 0x7Fu;
  float scaled = std::bit_cast<float>(magnitude << 20) * 0x1p120f;
  uint32_t bits = magnitude == 0x7Fu ? 0x7FF00000u : std::bit_cast<uint32_t>(scaled);
  return bits | static_cast<uint32_t>(byte & 0x80u) << 24;
}

/// The bits of a float: sign, 5 bits of exponent (bias 15), 2 of mantissa; as the upper half of a
/// half.
[[gnu::always_inline]] inline uint32_t from_e5m2(uint8_t byte) {
  uint32_t magnitude = byte & 0x7Fu;
  float scaled = std::bit_cast<float>(magnitude << 21) * 0x1p112f;
  uint32_t special = 0x7F800000u | (magnitude & 3u) << 21;
  uint32_t bits = magnitude >= 0x7Cu ? special : std::bit_cast<uint32_t>(scaled);
  return bits | static_cast<uint32_t>(byte & 0x80u) << 24;
}

#define CT_CONVERSIONS(format)                                                                     \
  CT_CLONES void format##_to_float(const uint8_t *from, uint32_t *to, int64_t count) {             \
    for (int64_t i = 0; i < count; i++) to[i] = from_##format(from[i]);                            \
  }                                                                                                \
  CT_CLONES void format##_to_bfloat16(const uint8_t *from, uint16_t *to, int64_t count) {          \
    for (int64_t i = 0; i < count; i++) to[i] = static_cast<uint16_t>(from_##format(from[i]) >> 16); \
  }

CT_CONVERSIONS(e4m3fn)
CT_CONVERSIONS(e5m2)

template <typename To>
void each_piece(
    const at::Tensor &source, at::Tensor &result, void (*convert)(const uint8_t *, To *, int64_t)) {
  auto from = static_cast<const uint8_t *>(source.const_data_ptr());
  auto to = static_cast<To *>(result.mutable_data_ptr());
  at::parallel_for(0, source.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
    convert(from + begin, to + begin, end - begin);
  });
}
} // namespace

at::Tensor converted_from_float8(const at::Tensor &source, at::ScalarType target) {
  bool is_e4m3fn = source.scalar_type() == at::kFloat8_e4m3fn;
  bool is_known = is_e4m3fn || source.scalar_type() == at::kFloat8_e5m2;
  bool is_wanted = target == at::kFloat || target == at::kBFloat16;
  if (!is_known || !is_wanted || !source.is_cpu() || !source.is_contiguous()) return {};
  at::Tensor result = at::empty(source.sizes(), source.options().dtype(target));
  if (target == at::kFloat) {
    each_piece<uint32_t>(source, result, is_e4m3fn ? e4m3fn_to_float : e5m2_to_float);
  } else {
    each_piece<uint16_t>(source, result, is_e4m3fn ? e4m3fn_to_bfloat16 : e5m2_to_bfloat16);
  }
  return result;
}
#endif
