// Rows that are rotated, and those that become integers for a product.
#include "clones.hpp"
#include "hadamard.hpp"
#include "parallel.hpp"
#include "rotated.hpp"

#ifdef CT_HAS_LIBTORCH

#include <vector>

#if defined(__clang__)
#pragma clang fp contract(off)
#endif

using namespace ct;

namespace {

CT_CLONES float rotate_float32(const void *from, float *to, int64_t count) {
  return rotate_row(static_cast<const float *>(from), to, count);
}
CT_CLONES float rotate_bfloat16(const void *from, float *to, int64_t count) {
  return rotate_row(static_cast<const uint16_t *>(from), to, count);
}
CT_CLONES float rotate_int8(const void *from, float *to, int64_t count) {
  return rotate_row(static_cast<const int8_t *>(from), to, count);
}

// Writes x / scale + 128, the nearest; a row's lines are so far apart as others come in between.
CT_CLONES void quantize(const float *from, uint8_t *to, int64_t lines, float inverse) {
  constexpr int64_t apart = RotatedRows::together * RotatedRows::line;
  for (int64_t line = 0; line < lines; line++) {
    for (int64_t i = 0; i < RotatedRows::line; i += lanes) {
      Floats x;
      load(from + line * RotatedRows::line + i, x);
      // The last place of this sum is worth 1, and its last byte is what is wanted.
      Floats shifted = x * inverse + (0x1.8p23f + 128.0f);
      Words bits;
      reinterpret(shifted, bits);
      Bytes bytes = __builtin_convertvector(bits, Bytes);
      std::memcpy(to + line * apart + i, &bytes, sizeof(bytes));
    }
  }
}

}  // namespace

ct::Rotation ct::rotation_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return rotate_float32;
    case at::kBFloat16: return rotate_bfloat16;
    case at::kChar: return rotate_int8;
    default: break;
  }
  TORCH_CHECK(false, "rows of ", type, " are not rotated");
  return nullptr;
}

void ct::rotate_rows(const at::Tensor &rows, const RotatedRows &to) {
  Rotation rotate = rotation_of(rows.scalar_type());
  auto from = static_cast<const char *>(rows.const_data_ptr());
  int64_t stride = rows.stride(0) * rows.element_size();
  float factor = hadamard_factor(to.width);
  int64_t padded = to.lines() * RotatedRows::line;
  parallel_for(to.count, (1 << 15) / padded + 1, [&](int64_t begin, int64_t end) {
    std::vector<float> space(static_cast<size_t>(padded));
    for (int64_t row = begin; row < end; row++) {
      float largest = rotate(from + row * stride, space.data(), to.width);
      // What is NaN, or infinite, has to stay in sight: the scale says it.
      to.scales[row] = largest / 127 * factor;
      uint8_t *first = to.bytes + row / RotatedRows::together * to.lines() * RotatedRows::together *
                                      RotatedRows::line +
                       row % RotatedRows::together * RotatedRows::line;
      quantize(space.data(), first, to.lines(), largest > 0 ? 127 / largest : 0);
    }
  });
}

#endif
