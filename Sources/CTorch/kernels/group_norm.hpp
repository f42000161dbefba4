// Group norms of bfloat16 maps with channels innermost, by kernels for AVX-512.
#pragma once

#include "avx512.hpp"

#ifdef CT_HAS_PRODUCTS

#include <cstdint>

namespace ct::avx512 {

// A map [images][rows][columns][channels].
struct Map {
  int64_t images, rows, columns, channels;
};

// Zeros around a map, in pixels.
struct Border {
  int64_t top, bottom, left, right;
};

// The sum and the sum of squares of every row's part of each group, [images][rows][groups][2]:
// added up in float32 for one channel, in 64 bits across channels.
void group_sums(const uint16_t *x, const Map &map, int64_t groups, double *sums);

// What a norm does to channels, [images][channels] to whole vectors of 16: x · scale + shift.
struct Affine {
  const float *scale, *shift;
  bool activates;  // whether SiLU follows
};

// Writes a map with a border, after `affine` where there is one, rounded once. A channel of zeros
// makes an odd number of them even.
void write_bordered(const uint16_t *x, const Map &map, const Border &border, const Affine *affine,
                    uint16_t *out);

}  // namespace ct::avx512

#endif
