#include "clones.hpp"
#include "eight_bits.hpp"
#include "quantized.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <algorithm>

#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/reshape.h>
#include <ATen/ops/unsqueeze.h>
#include <c10/util/Half.h>

using namespace ct;

namespace {
/// Converts values side by side that share a scale.
using Kernel = void (*)(const uint8_t *from, void *to, int64_t count, float scale);

#define CT_DEQUANTIZE(format, target, bits)                                                         \
  CT_CLONES void format##_to_##target(const uint8_t *from, void *out, int64_t count, float s) { \
    auto *to = static_cast<bits *>(out);                                                        \
    for (int64_t i = 0; i < count; i++) to[i] = target##_bits(from_##format(from[i]) * s);      \
  }
#define CT_DEQUANTIZE_ALL(format)           \
  CT_DEQUANTIZE(format, float32, uint32_t)  \
  CT_DEQUANTIZE(format, bfloat16, uint16_t) \
  CT_DEQUANTIZE(format, float16, uint16_t)

CT_DEQUANTIZE_ALL(e4m3fn)
CT_DEQUANTIZE_ALL(e5m2)
CT_DEQUANTIZE_ALL(int8)

#define CT_CHOOSE(format)                            \
  switch (target) {                                  \
    case at::kFloat: return format##_to_float32;     \
    case at::kBFloat16: return format##_to_bfloat16; \
    case at::kHalf: return format##_to_float16;      \
    default: return nullptr;                         \
  }

Kernel kernel(at::ScalarType source, at::ScalarType target) {
  switch (source) {
    case at::kFloat8_e4m3fn: CT_CHOOSE(e4m3fn)
    case at::kFloat8_e5m2: CT_CHOOSE(e5m2)
    case at::kChar: CT_CHOOSE(int8)
    default: return nullptr;
  }
}

/// Converts runs of equal length, each with the scale of its number; without scales, with 1.
void dequantize_runs(
    Kernel convert, const at::Tensor &values, const float *scales, int64_t length, at::Tensor &target) {
  auto from = static_cast<const uint8_t *>(values.const_data_ptr());
  auto to = static_cast<char *>(target.mutable_data_ptr());
  int64_t width = target.element_size();
  int64_t grain = std::max<int64_t>(1, (1 << 16) / std::max<int64_t>(1, length));
  parallel_for(values.numel() / length, grain, [&](int64_t begin, int64_t end) {
    for (int64_t run = begin; run < end; run++) {
      int64_t start = run * length;
      convert(from + start, to + start * width, length, scales ? scales[run] : 1.0f);
    }
  });
}

/// Whether the kernels here can do it; if so, it is done.
bool dequantized_here(const at::Tensor &values, const at::Tensor &scale, at::Tensor &target) {
  Kernel convert = kernel(values.scalar_type(), target.scalar_type());
  bool are_here = values.is_cpu() && target.is_cpu() && (!scale.defined() || scale.is_cpu());
  bool are_plain = values.is_contiguous() && target.is_contiguous();
  if (!convert || !are_here || !are_plain || values.sizes() != target.sizes()) return false;
  if (values.numel() == 0) return true;
  if (!scale.defined() || scale.numel() == 1) {
    float factor = scale.defined() ? scale.item<float>() : 1.0f;
    auto from = static_cast<const uint8_t *>(values.const_data_ptr());
    auto to = static_cast<char *>(target.mutable_data_ptr());
    parallel_for(values.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
      convert(from + begin, to + begin * target.element_size(), end - begin, factor);
    });
    return true;
  }
  at::Tensor scales = scale.to(at::kFloat).contiguous();
  int64_t length = values.numel() / scales.numel();
  dequantize_runs(convert, values, static_cast<const float *>(scales.const_data_ptr()), length, target);
  return true;
}

void check_scale(const at::Tensor &values, const at::Tensor &scale) {
  if (!scale.defined() || scale.numel() == 1 || values.numel() == 0) return;
  TORCH_CHECK(
      scale.dim() == 2 && values.dim() > 0 && scale.size(0) == values.size(0) &&
          scale.size(1) > 0 && (values.numel() / values.size(0)) % scale.size(1) == 0,
      "scales of shape ", scale.sizes(), " for values of shape ", values.sizes());
}

void dequantize_by_rows(const at::Tensor &values, const at::Tensor &scale, at::Tensor &target) {
  int64_t rows = values.size(0), step = rows_at_once(values);
  for (int64_t start = 0; start < rows; start += step) {
    int64_t count = std::min(step, rows - start);
    at::Tensor exact = values.narrow(0, start, count).to(at::kFloat);
    at::Tensor part = target.narrow(0, start, count);
    if (scale.numel() == 1) {
      part.copy_(exact.mul_(scale.reshape({})));
    } else {
      at::Tensor groups = exact.reshape({count, scale.size(1), -1});
      groups.mul_(scale.narrow(0, start, count).unsqueeze(2));
      part.copy_(groups.reshape(part.sizes()));
    }
  }
}
}  // namespace

int64_t ct::rows_at_once(const at::Tensor &matrix) {
  return std::max<int64_t>(
      1, (int64_t{1} << 22) * matrix.size(0) / std::max<int64_t>(1, matrix.numel()));
}

void ct::dequantize8(const at::Tensor &values, const at::Tensor &scale, at::Tensor &target) {
  check_scale(values, scale);
  if (dequantized_here(values, scale, target)) return;
  if (!scale.defined() || values.dim() == 0) {
    target.copy_(values);
  } else {
    dequantize_by_rows(values, scale, target);
  }
}

at::Tensor ct::converted_from_float8(const at::Tensor &source, at::ScalarType target) {
  if (!at::isFloat8Type(source.scalar_type())) return {};
  if (!kernel(source.scalar_type(), target) || !source.is_cpu() || !source.is_contiguous()) return {};
  at::Tensor result = at::empty(source.sizes(), source.options().dtype(target));
  dequantize8(source, {}, result);
  return result;
}
#endif
