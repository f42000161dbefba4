// Tiles of products, loads, stores and activations for maps of bfloat16, beside `products.hpp`.
#pragma once

#include "products.hpp"

#ifdef CT_HAS_PRODUCTS

CT_AVX512_BEGIN

namespace ct::avx512 {

[[gnu::always_inline]] inline __m512 widened(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
// 16 values, or those that the mask names. Whole vectors go without a mask: with one, memory is not
// fetched ahead, and some processors take long to store.
[[gnu::always_inline]] inline __m512 load(const uint16_t *from, __mmask16 which) {
  if (which == 0xFFFF) return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
  return widened(_mm256_maskz_loadu_epi16(which, from));
}
[[gnu::always_inline]] inline void store(uint16_t *to, __m512 x, __mmask16 which) {
  auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
  if (which == 0xFFFF)
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), rounded);
  else
    _mm256_mask_storeu_epi16(to, which, rounded);
}

// The first `count` of 16, all of them from 16 on.
[[gnu::always_inline]] inline __mmask16 first(int64_t count) {
  return count >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << (count > 0 ? count : 0)) - 1);
}

// sums += a · b for ROWS rows of `a`, `stride` numbers apart, and 16 · COLUMNS columns of `b`.
//
// `b` has pairs of numbers side by side, [pairs][16 · COLUMNS][2]. Every sum is added up pair by
// pair in the order of `a`, however many rows and columns are computed at once. With six rows and
// four columns of 16, 24 of the 32 registers hold sums; that keeps the multiplier busy.
template <int ROWS, int COLUMNS>
[[gnu::always_inline]] inline void multiply(__m512 (&sums)[ROWS][COLUMNS], const uint16_t *a,
                                            int64_t stride, const uint16_t *b, int64_t pairs) {
#pragma clang loop unroll_count(2)
  for (int64_t pair = 0; pair < pairs; ++pair) {
    __m512bh columns[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c)
      columns[c] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + (pair * COLUMNS + c) * 32));
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      int32_t both;
      std::memcpy(&both, a + r * stride + 2 * pair, 4);
      auto row = reinterpret_cast<__m512bh>(_mm512_set1_epi32(both));
#pragma unroll
      for (int c = 0; c < COLUMNS; ++c)
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], row, columns[c]);
    }
  }
}

// x / (1 + e^-x), to about 14 bits.
[[gnu::always_inline]] inline __m512 silu(__m512 x) {
  __m512 exponential = exp2(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)));
  return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(exponential, _mm512_set1_ps(1.0f))));
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
