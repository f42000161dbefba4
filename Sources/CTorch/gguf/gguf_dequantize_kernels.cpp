#include "gguf_blocks.hpp"

#ifdef CT_HAS_LIBTORCH

#include <bit>
#include <cstring>

#include "clones.hpp"
#include "parallel.hpp"

// A product is rounded before something is subtracted from it, as in the reference.
#if defined(__clang__)
#pragma clang fp contract(off)
#endif

#define CT_INLINE [[gnu::always_inline]] inline

namespace {

CT_INLINE uint16_t half_at(const uint8_t *bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, 2);
  return half;
}

// Exponent and fraction move to where a float has them; the multiplication mends the exponent's bias
// and numbers below the smallest normal one.
CT_INLINE float from_half(uint16_t half) {
  uint32_t magnitude = half & 0x7FFFu;
  uint32_t scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f);
  uint32_t special = 0x7F800000u | magnitude << 13;
  uint32_t bits = magnitude >= 0x7C00u ? special : scaled;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(half & 0x8000u) << 16);
}

// What a value is stored as; all round to the nearest, ties to even.
struct Float {
  using Type = float;
  CT_INLINE static float from(float value) { return value; }
};

struct BFloat16 {
  using Type = uint16_t;
  CT_INLINE static uint16_t from(float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    return static_cast<uint16_t>(value != value ? 0x7FC0u : rounded);
  }
};

struct Half {
  using Type = uint16_t;
  CT_INLINE static uint16_t from(float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7FFFFFFFu;
    // The sum with 1/2 has the precision of the smallest halves.
    uint32_t tiny = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
    uint32_t usual = (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
    uint32_t special = magnitude > 0x7F800000u ? 0x7E00u : 0x7C00u;
    uint32_t finite = magnitude < 0x38800000u ? tiny : usual;
    uint32_t half = magnitude >= 0x47800000u ? special : finite;
    return static_cast<uint16_t>(half | (bits >> 16 & 0x8000u));
  }
};

// --- Blocks of 32 values with one scale ----------------------------------------------------------

struct Q8_0 {
  static constexpr int values = 32, bytes = 34;

  template <class To>
  CT_INLINE static void unpack(const uint8_t *__restrict block, typename To::Type *__restrict out) {
    float scale = from_half(half_at(block));
    auto quants = reinterpret_cast<const int8_t *>(block + 2);
    for (int i = 0; i < 32; i++) out[i] = To::from(scale * static_cast<float>(quants[i]));
  }
};

struct Q4_0 {
  static constexpr int values = 32, bytes = 18;

  template <class To>
  CT_INLINE static void unpack(const uint8_t *__restrict block, typename To::Type *__restrict out) {
    float scale = from_half(half_at(block));
    const uint8_t *quants = block + 2;
    for (int i = 0; i < 16; i++) out[i] = To::from(scale * static_cast<float>((quants[i] & 15) - 8));
    for (int i = 0; i < 16; i++)
      out[16 + i] = To::from(scale * static_cast<float>((quants[i] >> 4) - 8));
  }
};

// --- Blocks of 256 values: a scale for all, and small ones for parts of it -----------------------

// Eight scales and eight minima of 6 bits in 12 bytes: the lower four of each are the low bits of
// bytes of their own; the upper four are nibbles of the last bytes with the others' high bits.
struct ScalesAndMinima {
  float scales[8], minima[8];
};

CT_INLINE ScalesAndMinima scales_and_minima(const uint8_t *block) {
  float scale = from_half(half_at(block)), minimum = from_half(half_at(block + 2));
  const uint8_t *low = block + 4, *middle = block + 8, *high = block + 12;
  ScalesAndMinima of;
  for (int i = 0; i < 4; i++) {
    of.scales[i] = scale * static_cast<float>(low[i] & 63);
    of.minima[i] = minimum * static_cast<float>(middle[i] & 63);
    of.scales[4 + i] = scale * static_cast<float>((high[i] & 15) | (low[i] >> 6) << 4);
    of.minima[4 + i] = minimum * static_cast<float>((high[i] >> 4) | (middle[i] >> 6) << 4);
  }
  return of;
}

struct Q4_K {
  static constexpr int values = 256, bytes = 144;

  template <class To>
  CT_INLINE static void unpack(const uint8_t *__restrict block, typename To::Type *__restrict out) {
    ScalesAndMinima of = scales_and_minima(block);
    const uint8_t *quants = block + 16;
    for (int part = 0; part < 8; part++, out += 32) {
      float scale = of.scales[part], minimum = of.minima[part];
      int shift = part % 2 * 4;
      for (int i = 0; i < 32; i++) {
        int quant = quants[i] >> shift & 15;
        out[i] = To::from(scale * static_cast<float>(quant) - minimum);
      }
      quants += part % 2 * 32;
    }
  }
};

struct Q5_K {
  static constexpr int values = 256, bytes = 176;

  template <class To>
  CT_INLINE static void unpack(const uint8_t *__restrict block, typename To::Type *__restrict out) {
    ScalesAndMinima of = scales_and_minima(block);
    const uint8_t *fifths = block + 16, *quants = block + 48;
    for (int part = 0; part < 8; part++, out += 32) {
      float scale = of.scales[part], minimum = of.minima[part];
      int shift = part % 2 * 4;
      for (int i = 0; i < 32; i++) {
        int quant = (quants[i] >> shift & 15) | (fifths[i] >> part & 1) << 4;
        out[i] = To::from(scale * static_cast<float>(quant) - minimum);
      }
      quants += part % 2 * 32;
    }
  }
};

struct Q6_K {
  static constexpr int values = 256, bytes = 210;

  template <class To>
  CT_INLINE static void unpack(const uint8_t *__restrict block, typename To::Type *__restrict out) {
    auto scales = reinterpret_cast<const int8_t *>(block + 192);
    float scale = from_half(half_at(block + 208));
    for (int part = 0; part < 8; part++, out += 32) {
      const uint8_t *low = block + part / 4 * 64 + part % 2 * 32;
      const uint8_t *high = block + 128 + part / 4 * 32;
      int low_shift = part / 2 % 2 * 4, high_shift = part % 4 * 2;
      for (int half = 0; half < 2; half++) {
        float own = scale * static_cast<float>(scales[part * 2 + half]);
        for (int i = half * 16; i < half * 16 + 16; i++) {
          int quant = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
          out[i] = To::from(own * static_cast<float>(quant - 32));
        }
      }
    }
  }
};

// -------------------------------------------------------------------------------------------------

template <class Format, class To>
CT_INLINE void dequantize_all(const uint8_t *blocks, typename To::Type *out, int64_t count) {
  // Vectors are filled from one block; from several, their values would be scattered.
#if defined(__clang__)
#pragma clang loop vectorize(disable)
#endif
  for (; count > 0; count--, blocks += Format::bytes, out += Format::values) {
    Format::template unpack<To>(blocks, out);
  }
}

#define CT_DEQUANTIZE(format, To)                                                          \
  CT_CLONES void format##_to_##To(const uint8_t *blocks, To::Type *out, int64_t count) { \
    dequantize_all<format, To>(blocks, out, count);                                        \
  }
#define CT_UNPACK_TO_ALL(format) \
  CT_DEQUANTIZE(format, Float) CT_DEQUANTIZE(format, BFloat16) CT_DEQUANTIZE(format, Half)

CT_UNPACK_TO_ALL(Q4_0)
CT_UNPACK_TO_ALL(Q8_0)
CT_UNPACK_TO_ALL(Q4_K)
CT_UNPACK_TO_ALL(Q5_K)
CT_UNPACK_TO_ALL(Q6_K)

template <class To>
void in_parallel(const at::Tensor &packed, at::Tensor &out, ct::BlockSize size,
                 void (*unpack)(const uint8_t *, To *, int64_t)) {
  auto from = static_cast<const uint8_t *>(packed.const_data_ptr());
  auto to = static_cast<To *>(out.mutable_data_ptr());
  ct::parallel_for(packed.numel() / size.bytes, (1 << 16) / size.values,
                   [&](int64_t begin, int64_t end) {
                     unpack(from + begin * size.bytes, to + begin * size.values, end - begin);
                   });
}

#define CT_DISPATCH(format)                                                                 \
  case CT_##format:                                                                         \
    if (out.scalar_type() == at::kFloat) return in_parallel(packed, out, size, format##_to_Float); \
    if (out.scalar_type() == at::kHalf) return in_parallel(packed, out, size, format##_to_Half);   \
    return in_parallel(packed, out, size, format##_to_BFloat16);

}  // namespace

void ct::dequantize_on_cpu(const at::Tensor &packed, ct_gguf_block_type format, at::Tensor &out) {
  BlockSize size = block_size(format);
  switch (format) {
    CT_DISPATCH(Q4_0)
    CT_DISPATCH(Q8_0)
    CT_DISPATCH(Q4_K)
    CT_DISPATCH(Q5_K)
    CT_DISPATCH(Q6_K)
  }
}

#endif
