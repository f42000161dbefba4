// What kernels for AVX-512 with products of bfloat16 or of integers share.
//
// Products are of six rows with a panel of 64 columns: a matrix [K, 64] as lines of 64 words, each of
// two or four neighbors along K. Everything but the panel stays in registers: 24 hold sums, 4 a line.
#pragma once

#if defined(__x86_64__) && defined(__clang__)
#define CT_HAS_PRODUCTS

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// To be followed by CT_AVX512_END; between them functions may use the instructions: those that every
// processor with AVX-512 has, those for 8-bit integers too, or those for bfloat16 too.
#define CT_AVX512_PLAIN_BEGIN                                                                 \
  _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512vl,avx512dq,fma\"))), apply_to = function)")
#define CT_AVX512_INTEGERS_BEGIN                                                              \
  _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma\"))), apply_to = function)")
#define CT_AVX512_BEGIN                                                                       \
  _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma\"))), apply_to = function)")
#define CT_AVX512_END _Pragma("clang attribute pop")

namespace ct {

constexpr int panel_rows = 6, panel_columns = 64;

CT_AVX512_PLAIN_BEGIN

// Writes sixteen rows of sixteen words as columns, to places `stride` words apart.
[[gnu::always_inline]] inline void transpose_words(__m512i rows[16], uint32_t *to, int64_t stride,
                                                   int count) {
  __m512i a[16], b[16];
#pragma unroll
  for (int i = 0; i < 8; i++) {
    a[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    a[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
#pragma unroll
  for (int i = 0; i < 4; i++) {
    b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
  }
  // b[4g + j] holds column j of each quarter, of rows 4g to 4g + 3.
#pragma unroll
  for (int j = 0; j < 4; j++) {
    __m512i first = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88);
    __m512i second = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xDD);
    __m512i third = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88);
    __m512i fourth = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xDD);
    a[j] = _mm512_shuffle_i32x4(first, third, 0x88);
    a[8 + j] = _mm512_shuffle_i32x4(first, third, 0xDD);
    a[4 + j] = _mm512_shuffle_i32x4(second, fourth, 0x88);
    a[12 + j] = _mm512_shuffle_i32x4(second, fourth, 0xDD);
  }
#pragma unroll
  for (int i = 0; i < 16; i++)
    if (i < count) _mm512_storeu_si512(to + i * stride, a[i]);
}

CT_AVX512_END

CT_AVX512_BEGIN

// 2^x: the fraction by a polynomial, to 3 parts in a million, and the whole part as an exponent. For
// -inf it is 0, although the fraction is NaN then.
[[gnu::always_inline]] inline __m512 exp2(__m512 x) {
  __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_fmadd_ps(_mm512_set1_ps(9.582853e-3f), r, _mm512_set1_ps(5.5906426e-2f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(2.4024099e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(6.9312418e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(y, whole);
}

CT_AVX512_END

}  // namespace ct

#endif
