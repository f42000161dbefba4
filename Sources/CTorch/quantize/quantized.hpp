// 8-bit weights: making them, reading them, and conversion of 8-bit floating-point values on the processor,
// which ATen does one by one.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH
namespace ct {
/// Memory for a short while: the same again and again, unless somebody still shows it.
at::Tensor scratch_tensor(at::IntArrayRef sizes, at::ScalarType type, c10::Device where);

/// Rows of a matrix that are converted at once with operations of ATen: whole matrices in float32 would
/// take four times the memory that was planned.
int64_t rows_at_once(const at::Tensor &matrix);

/// Writes `values` times `scale`, multiplied in float32 and rounded once. The scale may be
/// undefined, of one element, or [rows, groups] for values [rows, ...].
void dequantize8(const at::Tensor &values, const at::Tensor &scale, at::Tensor &target);

/// 8-bit floats in another type; undefined where this is not a conversion that is done here.
at::Tensor converted_from_float8(const at::Tensor &source, at::ScalarType target);

struct Quantized {
  at::Tensor values, scale;
};

/// 8-bit values, `float8_e4m3fn` or `int8`, and 32-bit scales for a weight [rows, ...].
///
/// `group` is how many neighbors of a row share a scale: 0 does without scales, -1 has one for all.
Quantized quantize8(const at::Tensor &weight, at::ScalarType type, int64_t group);

struct QuantizationLoss {
  double difference = 0, weight = 0;
};

/// The sums of the squares of what quantization has changed, and of the weights.
QuantizationLoss quantization_loss(const at::Tensor &weight, const Quantized &quantized);
}  // namespace ct
#endif
