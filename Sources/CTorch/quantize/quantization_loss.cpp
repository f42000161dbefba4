#include "clones.hpp"
#include "eight_bits.hpp"
#include "quantized.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/empty.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>

#include <vector>

using namespace ct;

namespace {
/// Adds the squares of differences and of weights side by side that share a scale.
using Kernel = void (*)(
    const void *weights, const uint8_t *values, int64_t count, float scale, QuantizationLoss &sum);

// Sums may be taken in any order, which vectors need; pieces are short enough for 32 bits.
#define CT_ERROR_OF(source, bits, format)                                                       \
  CT_CLONES void source##_error_of_##format(                                                    \
      const void *from, const uint8_t *values, int64_t count, float scale, QuantizationLoss &sum) { \
    _Pragma("clang fp reassociate(on)") auto *weights = static_cast<const bits *>(from);        \
    float difference = 0, weight = 0;                                                           \
    for (int64_t i = 0; i < count; i++) {                                                       \
      float exact = from_##source(weights[i]);                                                  \
      float change = exact - from_##format(values[i]) * scale;                                  \
      difference += change * change;                                                            \
      weight += exact * exact;                                                                  \
    }                                                                                           \
    sum.difference += difference;                                                               \
    sum.weight += weight;                                                                       \
  }
#define CT_ERRORS_OF(source, bits)  \
  CT_ERROR_OF(source, bits, e4m3fn) \
  CT_ERROR_OF(source, bits, int8)
CT_ERRORS_OF(float32, uint32_t)
CT_ERRORS_OF(bfloat16, uint16_t)
CT_ERRORS_OF(float16, uint16_t)

Kernel kernel(at::ScalarType source, at::ScalarType values) {
  if (values != at::kChar && values != at::kFloat8_e4m3fn) return nullptr;
  bool is_int8 = values == at::kChar;
  switch (source) {
    case at::kFloat: return is_int8 ? float32_error_of_int8 : float32_error_of_e4m3fn;
    case at::kBFloat16: return is_int8 ? bfloat16_error_of_int8 : bfloat16_error_of_e4m3fn;
    case at::kHalf: return is_int8 ? float16_error_of_int8 : float16_error_of_e4m3fn;
    default: return nullptr;
  }
}

QuantizationLoss error_by_aten(const at::Tensor &weight, const Quantized &quantized) {
  at::Tensor exact = weight.to(at::kFloat);
  at::Tensor found = at::empty(weight.sizes(), exact.options());
  dequantize8(quantized.values, quantized.scale, found);
  auto squares = [](const at::Tensor &x) { return at::sum(at::square(x)).item<double>(); };
  return {squares(at::sub(exact, found)), squares(exact)};
}
}  // namespace

QuantizationLoss ct::quantization_loss(const at::Tensor &weight, const Quantized &quantized) {
  const auto &[values, scale] = quantized;
  TORCH_CHECK(weight.sizes() == values.sizes(), "a weight of another shape was quantized");
  Kernel measure = kernel(weight.scalar_type(), values.scalar_type());
  bool is_plain = weight.is_contiguous() && values.is_contiguous();
  bool has_scales = scale.defined() && scale.numel() > 0;
  if (!measure || !weight.is_cpu() || !values.is_cpu() || !is_plain || weight.numel() == 0 ||
      (has_scales && (!scale.is_cpu() || weight.numel() % scale.numel() != 0))) {
    return error_by_aten(weight, quantized);
  }
  at::Tensor scales = has_scales ? scale.to(at::kFloat).contiguous() : at::Tensor();
  const float *factors = has_scales ? static_cast<const float *>(scales.const_data_ptr()) : nullptr;
  int64_t length = weight.numel() / (has_scales ? scale.numel() : 1);
  auto from = static_cast<const char *>(weight.const_data_ptr());
  auto quantized_values = static_cast<const uint8_t *>(values.const_data_ptr());
  int64_t width = weight.element_size();
  // One sum for each block, so that the total does not depend on who is done first.
  int64_t block = 1 << 16, count = weight.numel();
  std::vector<QuantizationLoss> sums(static_cast<size_t>((count + block - 1) / block));
  parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t start = begin * block; start < std::min(end * block, count);) {
      int64_t run = start / length;
      int64_t stop = std::min({count, (run + 1) * length, (start / 4096 + 1) * 4096});
      measure(from + start * width, quantized_values + start, stop - start,
              factors ? factors[run] : 1.0f, sums[static_cast<size_t>(start / block)]);
      start = stop;
    }
  });
  QuantizationLoss total;
  for (const QuantizationLoss &sum : sums) {
    total.difference += sum.difference;
    total.weight += sum.weight;
  }
  return total;
}
#endif
