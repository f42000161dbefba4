// Weights in 8 bits behind Hadamard matrices: made once, and made into weights again where integers
// are not multiplied as integers.
#include "clones.hpp"
#include "eight_bits.hpp"
#include "hadamard.hpp"
#include "parallel.hpp"
#include "rotated.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>

#include <vector>

#if defined(__clang__)
#pragma clang fp contract(off)
#endif

using namespace ct;

namespace {

constexpr int64_t worthwhile = 1 << 16;

// --- Rows ----------------------------------------------------------------------------------------

CT_CLONES void quantize(const float *from, uint8_t *to, int64_t count, float scale) {
  for (int64_t i = 0; i < count; i++) to[i] = to_int8(from[i] / scale);
}

#define CT_FINISH(target, bits)                                                               \
  CT_CLONES void finish_##target(const float *from, void *out, int64_t count, float scale) {  \
    auto *to = static_cast<bits *>(out);                                                      \
    for (int64_t i = 0; i < count; i++) to[i] = target##_bits(from[i] * scale);               \
  }
CT_FINISH(float32, uint32_t)
CT_FINISH(bfloat16, uint16_t)
CT_FINISH(float16, uint16_t)

using Finish = void (*)(const float *from, void *to, int64_t count, float scale);

Finish finish(at::ScalarType target) {
  switch (target) {
    case at::kFloat: return finish_float32;
    case at::kBFloat16: return finish_bfloat16;
    case at::kHalf: return finish_float16;
    default: return nullptr;
  }
}

int64_t row_length(const at::Tensor &weight) {
  return weight.size(0) > 0 ? weight.numel() / weight.size(0) : 0;
}

// Calls `body(row, space)` for all rows; a rotated row fits into the space.
template <class F>
void for_rows(const at::Tensor &weight, F body) {
  int64_t length = row_length(weight);
  parallel_for(weight.size(0), worthwhile / std::max<int64_t>(length, 1) + 1,
               [&](int64_t begin, int64_t end) {
                 std::vector<float> space(static_cast<size_t>(length + lanes));
                 for (int64_t row = begin; row < end; row++) body(row, space.data());
               });
}

// --- Elsewhere -----------------------------------------------------------------------------------

// Turns rows by a product with the matrix; integers stay exact.
at::Tensor rotated_by_aten(const at::Tensor &rows) {
  int64_t width = hadamard_width(rows.size(1));
  at::Tensor matrix = at::ones({1, 1}, rows.options());
  for (int64_t size = 1; size < width; size *= 2) {
    at::Tensor top = at::cat({matrix, matrix}, 1), low = at::cat({matrix, matrix.neg()}, 1);
    matrix = at::cat({top, low}, 0);
  }
  return at::matmul(rows.reshape({-1, width}), matrix).reshape(rows.sizes());
}

void dequantize_by_aten(const Quantized &quantized, at::Tensor &target) {
  int64_t rows = quantized.values.size(0), length = row_length(quantized.values);
  int64_t step = rows_at_once(quantized.values);
  for (int64_t start = 0; start < rows; start += step) {
    int64_t count = std::min(step, rows - start);
    at::Tensor part = quantized.values.narrow(0, start, count).to(at::kFloat).reshape({count, length});
    at::Tensor scale = at::mul(quantized.scale.narrow(0, start, count), hadamard_factor(length));
    at::Tensor result = target.narrow(0, start, count);
    result.copy_(at::mul(rotated_by_aten(part), scale).reshape(result.sizes()));
  }
}

void check(const Quantized &quantized) {
  TORCH_CHECK(quantized.values.scalar_type() == at::kChar && quantized.values.dim() > 0,
              "only int8 values are rotated");
  TORCH_CHECK(quantized.scale.defined() && quantized.scale.dim() == 2 &&
                  quantized.scale.size(0) == quantized.values.size(0) && quantized.scale.size(1) == 1,
              "rotated values need a scale for each row");
}

}  // namespace

Quantized ct::quantize_rotated(const at::Tensor &given) {
  TORCH_CHECK(given.dim() > 0 && given.numel() > 0, "a weight without values cannot be quantized");
  bool is_short = given.scalar_type() == at::kBFloat16;
  at::Tensor weight = (is_short ? given : given.to(at::kFloat)).cpu().contiguous();
  at::Tensor values = at::empty(weight.sizes(), weight.options().dtype(at::kChar));
  at::Tensor scale = at::empty({weight.size(0), 1}, weight.options().dtype(at::kFloat));
  auto from = static_cast<const char *>(weight.const_data_ptr());
  auto to = static_cast<uint8_t *>(values.mutable_data_ptr());
  auto scales = static_cast<float *>(scale.mutable_data_ptr());
  int64_t length = row_length(weight), bytes = length * weight.element_size();
  Rotation rotate = rotation_of(weight.scalar_type());
  float factor = hadamard_factor(length);
  for_rows(weight, [&](int64_t row, float *space) {
    float step = rotate(from + row * bytes, space, length) / 127;
    if (step == 0) step = 1 / factor;
    quantize(space, to + row * length, length, step);
    scales[row] = step * factor;
  });
  return {values.to(given.device()), scale.to(given.device())};
}

void ct::dequantize_rotated(const Quantized &quantized, at::Tensor &target) {
  check(quantized);
  Finish convert = finish(target.scalar_type());
  bool is_here = quantized.values.is_cpu() && quantized.scale.is_cpu() && target.is_cpu();
  if (!convert || !is_here || !quantized.values.is_contiguous() || !target.is_contiguous() ||
      quantized.values.sizes() != target.sizes()) {
    return dequantize_by_aten(quantized, target);
  }
  at::Tensor scale = quantized.scale.to(at::kFloat).contiguous();
  auto from = static_cast<const char *>(quantized.values.const_data_ptr());
  auto to = static_cast<char *>(target.mutable_data_ptr());
  auto scales = static_cast<const float *>(scale.const_data_ptr());
  int64_t length = row_length(quantized.values), bytes = length * target.element_size();
  float factor = hadamard_factor(length);
  Rotation rotate = rotation_of(at::kChar);
  for_rows(quantized.values, [&](int64_t row, float *space) {
    rotate(from + row * length, space, length);
    convert(space, to + row * bytes, length, scales[row] * factor);
  });
}

QuantizationLoss ct::loss_of_rotated(const at::Tensor &weight, const Quantized &quantized) {
  check(quantized);
  TORCH_CHECK(weight.sizes() == quantized.values.sizes(), "a weight of another shape was quantized");
  QuantizationLoss sum;
  int64_t step = rows_at_once(weight);
  for (int64_t start = 0; start < weight.size(0); start += step) {
    int64_t count = std::min(step, weight.size(0) - start);
    auto some = [&](const at::Tensor &t) { return t.narrow(0, start, count); };
    at::Tensor exact = some(weight).to(at::kFloat), found = at::empty_like(exact);
    dequantize_rotated({some(quantized.values), some(quantized.scale)}, found);
    sum.difference += at::sum(at::square(at::sub(exact, found))).item<double>();
    sum.weight += at::sum(at::square(exact)).item<double>();
  }
  return sum;
}

#endif
