// Sixteen 32-bit values at once, on every processor: the compiler takes as many registers as
// that needs. In functions with CT_CLONES the widest that there are, with equal results.
#pragma once

#if defined(__clang__) || defined(__GNUC__)

#include <cstdint>
#include <cstring>

// Processors that add to a product without rounding it would give other results than those that
// cannot.
#if defined(__clang__)
#pragma clang fp contract(off)
#endif

namespace ct {

typedef float Floats __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef int32_t Integers __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef int8_t SignedBytes __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

constexpr int lanes = 16;

// Vectors are passed by reference: by value, how depends on the instruction set.
#define CT_VECTOR_INLINE [[gnu::always_inline]] static inline

template <class To, class From>
CT_VECTOR_INLINE void reinterpret(const From &from, To &to) {
  static_assert(sizeof(To) == sizeof(From));
  std::memcpy(&to, &from, sizeof(To));
}

// Reads sixteen bfloat16.
CT_VECTOR_INLINE void load(const uint16_t *from, Floats &to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  Words bits = __builtin_convertvector(halves, Words) << 16;
  reinterpret(bits, to);
}

// Writes sixteen bfloat16, rounded to the nearest, ties to even.
CT_VECTOR_INLINE void store(const Floats &from, uint16_t *to) {
  Words bits;
  reinterpret(from, bits);
  Words rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  Words is_number = (Words)((bits & 0x7FFFFFFFu) <= 0x7F800000u);
  rounded = (rounded & is_number) | (0x7FC0u & ~is_number);
  Halves halves = __builtin_convertvector(rounded, Halves);
  std::memcpy(to, &halves, sizeof(halves));
}

CT_VECTOR_INLINE void load(const float *from, Floats &to) { std::memcpy(&to, from, sizeof(to)); }

CT_VECTOR_INLINE void load(const int8_t *from, Floats &to) {
  SignedBytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  to = __builtin_convertvector(bytes, Floats);
}

// Adds up the lanes, always in the same order.
CT_VECTOR_INLINE float sum(const Floats &x) {
  float parts[lanes];
  std::memcpy(parts, &x, sizeof(x));
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) parts[i] += parts[i + width];
  return parts[0];
}

// 2^x for x from -126 to 127: the fraction by a polynomial that is exact to the last bits, the whole
// part as an exponent. What is smaller or larger is taken to these limits.
CT_VECTOR_INLINE void exp2(const Floats &exponent, Floats &to) {
  Floats x = exponent;
  x = x < -126.0f ? (Floats{} - 126.0f) : x;
  x = x > 127.0f ? (Floats{} + 127.0f) : x;
  // Adding 1.5·2^23 leaves the nearest whole number in the low bits.
  Floats shifted = x + 0x1.8p23f;
  Integers whole;
  reinterpret(shifted, whole);
  Floats r = x - (shifted - 0x1.8p23f);
  Floats y = r * 1.5353362e-4f + 1.3398874e-3f;
  y = y * r + 9.6184369e-3f;
  y = y * r + 5.5503324e-2f;
  y = y * r + 2.4022648e-1f;
  y = y * r + 6.9314718e-1f;
  y = y * r + 1.0f;
  Integers bits;
  reinterpret(y, bits);
  bits += whole << 23;
  reinterpret(bits, to);
}

// x / (1 + e^-x).
CT_VECTOR_INLINE void silu(const Floats &x, Floats &to) {
  Floats power;
  exp2(x * -1.44269504f, power);
  to = x / (power + 1.0f);
}

}  // namespace ct

#endif
