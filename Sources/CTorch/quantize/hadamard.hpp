// Rows times Hadamard matrices: each block of neighbors becomes its sums with all patterns of signs.
// What is large in a few places is then spread over many, and few bits hold it better.
//
// The matrix is symmetric, and over the root of its width its own inverse; two rows that are both
// rotated have the product that they had. Factors are left to scales.
#pragma once

#include "vectors.hpp"

#if defined(__clang__) || defined(__GNUC__)

#include <cmath>

namespace ct {

// How many neighbors are rotated together: the largest power of two up to 256 that divides a row.
inline int64_t hadamard_width(int64_t count) {
  int64_t width = 1;
  while (width < 256 && count % (2 * width) == 0) width *= 2;
  return width;
}

// What rotated numbers are to be multiplied with.
inline float hadamard_factor(int64_t count) {
  return 1 / std::sqrt(static_cast<float>(hadamard_width(count)));
}

// Each lane and the one `step` away become their sum and their difference.
template <int step>
CT_VECTOR_INLINE void mix_lanes(Floats &x) {
  Floats other;
  if constexpr (step == 1)
    other = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  else if constexpr (step == 2)
    other = __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  else if constexpr (step == 4)
    other = __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  else
    other = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  Words lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, bits;
  reinterpret(x, bits);
  bits ^= (Words)((lane & static_cast<uint32_t>(step)) != 0u) & 0x80000000u;
  reinterpret(bits, x);
  x += other;
}

// Rotates so many lanes together.
CT_VECTOR_INLINE void rotate_lanes(Floats &x, int64_t width) {
  if (width > 1) mix_lanes<1>(x);
  if (width > 2) mix_lanes<2>(x);
  if (width > 4) mix_lanes<4>(x);
  if (width > 8) mix_lanes<8>(x);
}

CT_VECTOR_INLINE void mix(Floats &a, Floats &b) {
  Floats low = a, high = b;
  a = low + high;
  b = low - high;
}

// Blocks of 256 values, which stay in registers meanwhile.
template <class Source>
CT_VECTOR_INLINE void rotate_wide(const Source *from, float *to, int64_t count) {
  constexpr int vectors = 256 / lanes;
  for (int64_t i = 0; i < count; i += 256) {
    Floats x[vectors];
#pragma unroll
    for (int v = 0; v < vectors; v++) {
      load(from + i + v * lanes, x[v]);
      rotate_lanes(x[v], lanes);
    }
#pragma unroll
    for (int half = 1; half < vectors; half *= 2)
#pragma unroll
      for (int v = 0; v < vectors; v++)
        if (!(v & half)) mix(x[v], x[v + half]);
#pragma unroll
    for (int v = 0; v < vectors; v++) std::memcpy(to + i + v * lanes, &x[v], sizeof(x[v]));
  }
}

// Blocks of any other width, with a zero in each place behind the last number.
template <class Source>
CT_VECTOR_INLINE void rotate_narrow(const Source *from, float *to, int64_t count, int64_t width) {
  Floats a, b;
  for (int64_t i = 0; i < count; i += lanes) {
    Source part[lanes] = {};
    bool is_whole = count - i >= lanes;
    if (!is_whole) std::memcpy(part, from + i, static_cast<size_t>(count - i) * sizeof(Source));
    load(is_whole ? from + i : part, a);
    rotate_lanes(a, width);
    std::memcpy(to + i, &a, sizeof(a));
  }
  for (int64_t half = lanes; half < width; half *= 2)
    for (int64_t i = 0; i < count; i += lanes) {
      if (i & half) continue;
      load(to + i, a);
      load(to + i + half, b);
      mix(a, b);
      std::memcpy(to + i, &a, sizeof(a));
      std::memcpy(to + i + half, &b, sizeof(b));
    }
}

// The largest magnitude, by bits: in their order what is NaN comes last.
CT_VECTOR_INLINE float largest_magnitude(const float *x, int64_t count) {
  Words largest{}, bits;
  for (int64_t i = 0; i < count; i += lanes) {
    std::memcpy(&bits, x + i, sizeof(bits));
    bits &= 0x7FFFFFFFu;
    largest = bits > largest ? bits : largest;
  }
  uint32_t parts[lanes], most = 0;
  std::memcpy(parts, &largest, sizeof(parts));
  for (uint32_t part : parts) most = part > most ? part : most;
  float result;
  std::memcpy(&result, &most, sizeof(result));
  return result;
}

// Rotates a row into one that has room for whole vectors, and gives the largest magnitude there.
template <class Source>
CT_VECTOR_INLINE float rotate_row(const Source *from, float *to, int64_t count) {
  int64_t width = hadamard_width(count);
  if (width == 256)
    rotate_wide(from, to, count);
  else
    rotate_narrow(from, to, count, width);
  return largest_magnitude(to, count);
}

}  // namespace ct

#endif
