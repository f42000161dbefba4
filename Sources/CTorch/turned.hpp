// Weights as `int8` behind Hadamard matrices, and products of integers with them.
#pragma once

#include "packed.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

// Turns a row of `count` numbers; `to` has room for whole vectors of sixteen. Gives the largest magnitude
// there, or what is no number.
using Turn = float (*)(const void *from, float *to, int64_t count);

// For `float32`, `bfloat16` and `int8`.
Turn turn_of(at::ScalarType type);

// Values and scales of rows that are turned first; `int8`, a scale for each row.
Packed pack_turned(const at::Tensor &weight);

// The weight again: values are turned back, which is exact, then multiplied and rounded once.
void unpack_turned(const Packed &packed, at::Tensor &target);

// What that has changed.
PackingError error_of_turned(const at::Tensor &weight, const Packed &packed);

// Rows in 8 bits as the product of integers takes them: six rows together, 64 bytes of each after the
// other. A byte is the number over its row's scale, plus 128.
struct TurnedRows {
  static constexpr int64_t together = 6, line = 64;
  uint8_t *bytes;
  float *scales;
  int64_t count, width;

  // 64 bytes of each row.
  int64_t lines() const { return (width + line - 1) / line; }
  int64_t blocks() const { return (count + together - 1) / together; }
  int64_t byte_count() const { return blocks() * lines() * together * line; }
};

// Turns rows [count, width] of `bfloat16` or `float32`, whose neighbours lie side by side.
void turn_rows(const at::Tensor &rows, const TurnedRows &to);

// rows · weightᵀ for what `turn_rows` has made; `out` is [count, columns] in one piece.
void multiply_turned(const TurnedRows &rows, const Packed &weight, at::Tensor &out);

}  // namespace ct

#endif
