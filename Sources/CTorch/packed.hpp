// Weights of 8 bits: making them, reading them, and conversion of 8-bit floating-point numbers on the processor,
// which ATen does one by one.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH
namespace ct {
/// Memory for a short while: the same again and again, unless somebody still shows it.
at::Tensor lent(at::IntArrayRef sizes, at::ScalarType type, c10::Device where);

/// Rows of a matrix that are converted at once with operations of ATen: whole matrices in 32 bits would
/// take four times the memory that was planned.
int64_t rows_at_once(const at::Tensor &matrix);

/// Writes `values` times `scale`, multiplied in 32 bits and rounded once. The scale may be
/// undefined, of one element, or [rows, groups] for values [rows, ...].
void unpack8(const at::Tensor &values, const at::Tensor &scale, at::Tensor &target);

/// 8-bit floats in another type; undefined where this is not a conversion that is done here.
at::Tensor converted_from_float8(const at::Tensor &source, at::ScalarType target);

struct Packed {
  at::Tensor values, scale;
};

/// Values of 8 bits, `float8_e4m3fn` or `int8`, and 32-bit scales for a weight [rows, ...].
///
/// `group` is how many neighbours of a row share a scale: 0 does without scales, -1 has one for all.
Packed pack8(const at::Tensor &weight, at::ScalarType type, int64_t group);

struct PackingError {
  double difference = 0, weight = 0;
};

/// The sums of the squares of what packing has changed, and of the weights.
PackingError packing_error(const at::Tensor &weight, const Packed &packed);
}  // namespace ct
#endif
