#include "clones.hpp"
#include "eight_bits.hpp"
#include "quantized.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/reshape.h>
#include <ATen/ops/round.h>
#include <ATen/ops/unsqueeze.h>
#include <ATen/ops/where.h>
#include <optional>
#include <vector>

using namespace ct;

namespace {
/// Without a sign, floats are in the order of their bits, and NaN is the largest.
#define CT_LARGEST(source, bits)                                      \
  CT_CLONES float largest_##source(const void *from, int64_t count) { \
    auto *values = static_cast<const bits *>(from);                   \
    constexpr bits magnitude = static_cast<bits>(~bits{0}) >> 1;      \
    bits largest = 0;                                                 \
    for (int64_t i = 0; i < count; i++) {                             \
      bits value = values[i] & magnitude;                             \
      largest = value > largest ? value : largest;                    \
    }                                                                 \
    return from_##source(largest);                                    \
  }
CT_LARGEST(float32, uint32_t)
CT_LARGEST(bfloat16, uint16_t)
CT_LARGEST(float16, uint16_t)

/// NaN stays, since no comparison with it holds.
[[gnu::always_inline]] inline float clamped(float x, float limit) {
  x = x > limit ? limit : x;
  return x < -limit ? -limit : x;
}

#define CT_QUANTIZE(source, bits, format, limit)                                               \
  CT_CLONES void source##_to_##format(const void *from, uint8_t *to, int64_t n, float s) { \
    auto *values = static_cast<const bits *>(from);                                        \
    for (int64_t i = 0; i < n; i++) {                                                      \
      to[i] = to_##format(clamped(from_##source(values[i]) / s, limit));                   \
    }                                                                                      \
  }
#define CT_CAST(source, bits)                                                         \
  CT_CLONES void source##_cast(const void *from, uint8_t *to, int64_t count, float) { \
    auto *values = static_cast<const bits *>(from);                                   \
    for (int64_t i = 0; i < count; i++) to[i] = to_e4m3fn(from_##source(values[i]));  \
  }
#define CT_QUANTIZE_ALL(source, bits)       \
  CT_QUANTIZE(source, bits, e4m3fn, 448.0f) \
  CT_QUANTIZE(source, bits, int8, 127.0f)   \
  CT_CAST(source, bits)
CT_QUANTIZE_ALL(float32, uint32_t)
CT_QUANTIZE_ALL(bfloat16, uint16_t)
CT_QUANTIZE_ALL(float16, uint16_t)

/// What reads weights of a type.
struct Kernels {
  float (*largest)(const void *from, int64_t count);
  void (*to_e4m3fn)(const void *from, uint8_t *to, int64_t count, float scale);
  void (*to_int8)(const void *from, uint8_t *to, int64_t count, float scale);
  void (*cast)(const void *from, uint8_t *to, int64_t count, float);
};
#define CT_KERNELS(source) \
  Kernels { largest_##source, source##_to_e4m3fn, source##_to_int8, source##_cast }

std::optional<Kernels> kernels(at::ScalarType source) {
  switch (source) {
    case at::kFloat: return CT_KERNELS(float32);
    case at::kBFloat16: return CT_KERNELS(bfloat16);
    case at::kHalf: return CT_KERNELS(float16);
    default: return {};
  }
}

float scale_for(float largest, float limit) {
  float scale = largest / limit;
  return scale == 0 ? 1.0f : scale;
}

/// Weights side by side on their way to 8-bit values.
struct Quantizer {
  Kernels kernels;
  const char *from;
  int64_t width;  // bytes of a weight
  uint8_t *to;
  int64_t count;
  bool is_int8;

  float limit() const { return is_int8 ? 127.0f : 448.0f; }

  void convert(int64_t begin, int64_t end, float scale) const {
    auto convert = is_int8 ? kernels.to_int8 : kernels.to_e4m3fn;
    convert(from + begin * width, to + begin, end - begin, scale);
  }

  void cast() const {
    parallel_for(count, 1 << 16, [&](int64_t begin, int64_t end) {
      kernels.cast(from + begin * width, to + begin, end - begin, 1);
    });
  }

  /// Pieces are read twice while they are in the cache.
  void quantize_runs(int64_t length, float *scales) const {
    int64_t grain = std::max<int64_t>(1, (1 << 16) / length);
    parallel_for(count / length, grain, [&](int64_t begin, int64_t end) {
      for (int64_t run = begin; run < end; run++) {
        int64_t start = run * length;
        scales[run] = scale_for(kernels.largest(from + start * width, length), limit());
        convert(start, start + length, scales[run]);
      }
    });
  }

  float quantize_all() const {
    int64_t piece = 1 << 16;
    std::vector<float> largest(static_cast<size_t>((count + piece - 1) / piece));
    parallel_for(static_cast<int64_t>(largest.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t size = std::min(piece, count - i * piece);
        largest[static_cast<size_t>(i)] = kernels.largest(from + i * piece * width, size);
      }
    });
    float all = 0;
    for (float one : largest) all = one > all || one != one ? one : all;
    float scale = scale_for(all, limit());
    parallel_for(count, piece, [&](int64_t begin, int64_t end) { convert(begin, end, scale); });
    return scale;
  }
};

/// The same by ATen, wherever the weight is.
Quantized quantize_by_aten(const at::Tensor &weight, at::ScalarType type, int64_t group) {
  if (group == 0) return {weight.to(type), {}};
  double limit = type == at::kChar ? 127 : 448;
  at::Tensor exact = weight.to(at::kFloat);
  exact = group < 0 ? exact.reshape({1, 1, -1}) : exact.reshape({weight.size(0), -1, group});
  at::Tensor scale = at::div(at::amax(at::abs(exact), {2}), limit);
  scale = at::where(at::eq(scale, 0), 1.0, scale).to(at::kFloat);
  at::Tensor values = at::clamp(at::div(exact, scale.unsqueeze(2)), -limit, limit);
  if (type == at::kChar) values = at::round(values);
  return {values.to(type).reshape(weight.sizes()), group < 0 ? scale.reshape({}) : scale};
}

void check(const at::Tensor &weight, at::ScalarType type, int64_t group) {
  TORCH_CHECK(
      type == at::kChar || type == at::kFloat8_e4m3fn, "weights are quantized as int8 or float8_e4m3fn");
  TORCH_CHECK(type != at::kChar || group != 0, "int8 needs scales");
  TORCH_CHECK(weight.dim() > 0 && weight.numel() > 0, "a weight without values cannot be quantized");
  TORCH_CHECK(
      group < 1 || weight.numel() / weight.size(0) % group == 0, "groups of ", group,
      " do not divide rows of ", weight.numel() / weight.size(0));
}
}  // namespace

Quantized ct::quantize8(const at::Tensor &given, at::ScalarType type, int64_t group) {
  check(given, type, group);
  auto found = kernels(given.scalar_type());
  if (!found || !given.is_cpu()) return quantize_by_aten(given, type, group);
  at::Tensor weight = given.contiguous();
  at::Tensor values = at::empty(weight.sizes(), weight.options().dtype(type));
  Quantizer quantizer{
      *found, static_cast<const char *>(weight.const_data_ptr()), weight.element_size(),
      static_cast<uint8_t *>(values.mutable_data_ptr()), weight.numel(), type == at::kChar};
  if (group == 0) {
    quantizer.cast();
    return {values, {}};
  }
  at::TensorOptions floats = weight.options().dtype(at::kFloat);
  if (group < 0) {
    at::Tensor scale = at::empty({}, floats);
    *scale.mutable_data_ptr<float>() = quantizer.quantize_all();
    return {values, scale};
  }
  at::Tensor scale = at::empty({weight.size(0), weight.numel() / weight.size(0) / group}, floats);
  quantizer.quantize_runs(group, scale.mutable_data_ptr<float>());
  return {values, scale};
}
#endif
