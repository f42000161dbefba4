// Products of bfloat16 with sums of 32 bits, in registers, and what goes with them.
//
// For clang on x86-64; everything between CT_AVX512_BEGIN and CT_AVX512_END may use AVX-512 with
// bfloat16, and is to be called where the processor has it.
#pragma once

#if defined(__x86_64__) && defined(__clang__)
#define CT_HAS_AVX512

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#define CT_PRAGMA(...) _Pragma(#__VA_ARGS__)
#define CT_AVX512_BEGIN                                                              \
  CT_PRAGMA(clang attribute push(                                                    \
      __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))),      \
      apply_to = function))
#define CT_AVX512_END _Pragma("clang attribute pop")

CT_AVX512_BEGIN

namespace ct::avx512 {

[[gnu::always_inline]] inline __m512 widened(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
// 16 numbers, or those that the mask names. Whole vectors go without a mask: with one, memory is not
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
  __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f));
  __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 part = _mm512_sub_ps(t, whole);
  // 2^part by its series; within half of 1, the term of the fifth power is below 5e-5.
  __m512 power = _mm512_set1_ps(1.33335581e-3f);
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(9.61812911e-3f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(5.55041087e-2f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(2.40226507e-1f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(6.93147181e-1f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f));
  __m512 exponential = _mm512_scalef_ps(power, whole);
  return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(exponential, _mm512_set1_ps(1.0f))));
}

// Exchanges rows and columns of 16x16 words.
[[gnu::always_inline]] inline void transpose(__m512i (&rows)[16]) {
  __m512i x[16];
  // Pairs of words, then of pairs, within quarters of a register; then the quarters themselves.
#pragma unroll
  for (int i = 0; i < 16; i += 2) {
    x[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    x[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
#pragma unroll
  for (int i = 0; i < 16; i += 4) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      rows[i + 2 * half] = _mm512_unpacklo_epi64(x[i + half], x[i + half + 2]);
      rows[i + 2 * half + 1] = _mm512_unpackhi_epi64(x[i + half], x[i + half + 2]);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int part = 0; part < 16; part += 8) {
      x[part + i] = _mm512_shuffle_i32x4(rows[part + i], rows[part + i + 4], 0x88);
      x[part + i + 4] = _mm512_shuffle_i32x4(rows[part + i], rows[part + i + 4], 0xDD);
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    rows[i] = _mm512_shuffle_i32x4(x[i], x[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(x[i], x[i + 8], 0xDD);
  }
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
