// Numbers of 8 bits to floats and back, written so that a loop around them becomes vector code.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <c10/util/Half.h>

#include <bit>
#include <cstdint>

namespace ct {
// Exponent and mantissa are moved to where a float has them and the exponent's bias is mended. Below
// the smallest normal number the leading 1 that a float implies is taken off again: adding it first
// keeps clear of numbers that are subnormal as floats, which some processors take long for.

/// Sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinities, one NaN. Exact.
[[gnu::always_inline]] inline float from_e4m3fn(uint8_t byte) {
  uint32_t magnitude = byte & 0x7Fu;
  bool is_small = magnitude < 8;
  uint32_t bits = (magnitude << 20) + (is_small ? 121u << 23 : 120u << 23);
  float value = std::bit_cast<float>(bits) - (is_small ? 0x1p-6f : 0.0f);
  bits = magnitude == 0x7Fu ? 0x7FF00000u : std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>(bits | static_cast<uint32_t>(byte & 0x80u) << 24);
}

/// Sign, 5 bits of exponent (bias 15), 2 of mantissa; as the upper half of a half. Exact.
[[gnu::always_inline]] inline float from_e5m2(uint8_t byte) {
  uint32_t magnitude = byte & 0x7Fu;
  bool is_small = magnitude < 4;
  uint32_t bits = (magnitude << 21) + (is_small ? 113u << 23 : 112u << 23);
  float value = std::bit_cast<float>(bits) - (is_small ? 0x1p-14f : 0.0f);
  uint32_t special = 0x7F800000u | (magnitude & 3u) << 21;
  bits = magnitude >= 0x7Cu ? special : std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>(bits | static_cast<uint32_t>(byte & 0x80u) << 24);
}

[[gnu::always_inline]] inline float from_int8(uint8_t byte) {
  return static_cast<float>(static_cast<int8_t>(byte));
}

/// The nearest, of two the even one, and 448 for all that is larger; as libtorch since 2.13.
[[gnu::always_inline]] inline uint8_t to_e4m3fn(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  // Added to a number whose last place is worth 2^-9, a small one is rounded there by the processor.
  float lifted = std::bit_cast<float>(magnitude) + 0x1p14f;
  uint32_t small = std::bit_cast<uint32_t>(lifted) - std::bit_cast<uint32_t>(0x1p14f);
  uint32_t normal = (magnitude - (120u << 23) + 0x7FFFFu + (magnitude >> 20 & 1u)) >> 20;
  uint32_t rounded = magnitude < 121u << 23 ? small : normal;
  rounded = rounded > 0x7Eu ? 0x7Eu : rounded;
  rounded = magnitude > 0x7F800000u ? 0x7Fu : rounded;
  return static_cast<uint8_t>(rounded | bits >> 24 & 0x80u);
}

/// The nearest, of two the even one; for values between -128 and 127.
[[gnu::always_inline]] inline uint8_t to_int8(float value) {
  // The last place of this sum is worth 1.
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(value + 0x1.8p23f));
}

// Wider numbers by their bits.
[[gnu::always_inline]] inline float from_float32(uint32_t bits) { return std::bit_cast<float>(bits); }
[[gnu::always_inline]] inline float from_bfloat16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
[[gnu::always_inline]] inline float from_float16(uint16_t bits) {
  return c10::detail::fp16_ieee_to_fp32_value(bits);
}

// Floats as the bits of wider numbers.
[[gnu::always_inline]] inline uint32_t float32_bits(float x) { return std::bit_cast<uint32_t>(x); }

/// The nearest, of two the even one.
[[gnu::always_inline]] inline uint16_t bfloat16_bits(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  return static_cast<uint16_t>(x != x ? 0x7FC0u : rounded);
}

[[gnu::always_inline]] inline uint16_t float16_bits(float x) {
  return c10::detail::fp16_ieee_from_fp32_value(x);
}
}  // namespace ct

#endif
