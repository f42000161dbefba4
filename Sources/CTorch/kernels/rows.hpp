// Tensors as rows of their last axis, which lies in one piece; the other axes may lie anyhow.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <array>

namespace ct {

// The rows of a bfloat16 tensor, in order. Axes of length 1 are repeated to the sizes of another.
class Rows {
 public:
  Rows(const at::Tensor &t, at::IntArrayRef sizes)
      : Rows(t, sizes, static_cast<uint16_t *>(const_cast<void *>(t.const_data_ptr()))) {}

  int64_t count = 1, width;

  uint16_t *operator[](int64_t row) const {
    int64_t offset = 0;
    for (int axis = rank_ - 1; axis > 0; axis--) {
      offset += row % sizes_[axis] * strides_[axis];
      row /= sizes_[axis];
    }
    return data_ + offset + (rank_ > 0 ? row * strides_[0] : 0);
  }

  // The most axes besides the last.
  static constexpr int most_axes = 4;

 private:
  Rows(const at::Tensor &t, at::IntArrayRef sizes, uint16_t *data)
      : width(sizes.back()), data_(data) {
    TORCH_CHECK(sizes.size() <= most_axes + 1, "rows of a tensor of rank ", sizes.size());
    auto missing = static_cast<int64_t>(sizes.size()) - t.dim();
    for (int64_t axis = 0; axis + 1 < static_cast<int64_t>(sizes.size()); axis++) {
      bool repeats = axis < missing || t.size(axis - missing) == 1;
      add(sizes[axis], repeats ? 0 : t.stride(axis - missing));
    }
  }

  // Axes that follow each other in memory become one, so that most tensors have one.
  void add(int64_t size, int64_t stride) {
    count *= size;
    if (rank_ > 0 && strides_[rank_ - 1] == size * stride) {
      sizes_[rank_ - 1] *= size;
      strides_[rank_ - 1] = stride;
    } else {
      sizes_[rank_] = size;
      strides_[rank_++] = stride;
    }
  }

  uint16_t *data_;
  int rank_ = 0;
  std::array<int64_t, most_axes> sizes_{}, strides_{};
};

}  // namespace ct

#endif
