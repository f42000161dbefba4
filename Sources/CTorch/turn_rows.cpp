// Rows that are turned, and those that become integers for a product.
#include "clones.hpp"
#include "hadamard.hpp"
#include "parallel.hpp"
#include "turned.hpp"

#ifdef CT_HAS_LIBTORCH

#include <vector>

#if defined(__clang__)
#pragma clang fp contract(off)
#endif

using namespace ct;

namespace {

CT_CLONES float turn_float32(const void *from, float *to, int64_t count) {
  return turn_row(static_cast<const float *>(from), to, count);
}
CT_CLONES float turn_bfloat16(const void *from, float *to, int64_t count) {
  return turn_row(static_cast<const uint16_t *>(from), to, count);
}
CT_CLONES float turn_int8(const void *from, float *to, int64_t count) {
  return turn_row(static_cast<const int8_t *>(from), to, count);
}

// Writes x / scale + 128, the nearest; a row's lines are so far apart as others come in between.
CT_CLONES void quantize(const float *from, uint8_t *to, int64_t lines, float inverse) {
  constexpr int64_t apart = TurnedRows::together * TurnedRows::line;
  for (int64_t line = 0; line < lines; line++) {
    for (int64_t i = 0; i < TurnedRows::line; i += lanes) {
      Floats x;
      load(from + line * TurnedRows::line + i, x);
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

ct::Turn ct::turn_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return turn_float32;
    case at::kBFloat16: return turn_bfloat16;
    case at::kChar: return turn_int8;
    default: break;
  }
  TORCH_CHECK(false, "rows of ", type, " are not turned");
  return nullptr;
}

void ct::turn_rows(const at::Tensor &rows, const TurnedRows &to) {
  Turn turn = turn_of(rows.scalar_type());
  auto from = static_cast<const char *>(rows.const_data_ptr());
  int64_t stride = rows.stride(0) * rows.element_size();
  float factor = hadamard_factor(to.width);
  int64_t padded = to.lines() * TurnedRows::line;
  parallel_for(to.count, (1 << 15) / padded + 1, [&](int64_t begin, int64_t end) {
    std::vector<float> space(static_cast<size_t>(padded));
    for (int64_t row = begin; row < end; row++) {
      float largest = turn(from + row * stride, space.data(), to.width);
      // What is no number, or infinite, has to stay in sight: the scale says it.
      to.scales[row] = largest / 127 * factor;
      uint8_t *first = to.bytes + row / TurnedRows::together * to.lines() * TurnedRows::together *
                                      TurnedRows::line +
                       row % TurnedRows::together * TurnedRows::line;
      quantize(space.data(), first, to.lines(), largest > 0 ? 127 / largest : 0);
    }
  });
}

#endif
