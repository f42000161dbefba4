// Weights as `int8` behind Hadamard matrices, and products of integers with them.
#pragma once

#include "quantized.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

// Rotates a row of `count` numbers; `to` has room for whole vectors of sixteen. Gives the largest magnitude
// there, or what is NaN.
using Rotation = float (*)(const void *from, float *to, int64_t count);

// For `float32`, `bfloat16` and `int8`.
Rotation rotation_of(at::ScalarType type);

// Values and scales of rows that are rotated first; `int8`, a scale for each row.
Quantized quantize_rotated(const at::Tensor &weight);

// The weight again: values are rotated back, which is exact, then multiplied and rounded once.
void dequantize_rotated(const Quantized &quantized, at::Tensor &target);

// What that has changed.
QuantizationLoss loss_of_rotated(const at::Tensor &weight, const Quantized &quantized);

// Rows in 8 bits as the product of integers takes them: six rows together, 64 bytes of each after the
// other. A byte is the number over its row's scale, plus 128.
struct RotatedRows {
  static constexpr int64_t together = 6, line = 64;
  uint8_t *bytes;
  float *scales;
  int64_t count, width;

  // 64 bytes of each row.
  int64_t lines() const { return (width + line - 1) / line; }
  int64_t blocks() const { return (count + together - 1) / together; }
  int64_t byte_count() const { return blocks() * lines() * together * line; }
};

// Rotates rows [count, width] of `bfloat16` or `float32`, whose neighbors lie side by side.
void rotate_rows(const at::Tensor &rows, const RotatedRows &to);

// rows · weightᵀ for what `rotate_rows` has made; `out` is [count, columns] in one piece.
void multiply_rotated(const RotatedRows &rows, const Quantized &weight, at::Tensor &out);

}  // namespace ct

#endif
