// Which of the package's own kernels compute what.
//
// Kernels compute bfloat16 on the processor, and products with int8 weights in float32 too, where no
// gradients are recorded; everything else is libtorch's. `has_kernel` decides it; layers may have
// reasons of their own to say no besides. To add a kernel: a name in `ct_kernel` and in Swift's
// `Kernel`, a line in each of the switches of kernels.cpp.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

// Whether `kernel` computes on these operands with the instructions allowed now; undefined ones are
// those that are absent. Otherwise libtorch does.
bool has_kernel(ct_kernel kernel, at::TensorList operands);

// Marks what a thread computes during its lifetime as going to be recomputed for gradients.
class RecomputationScope {
 public:
  RecomputationScope();
  ~RecomputationScope();
  RecomputationScope(const RecomputationScope &) = delete;
  RecomputationScope &operator=(const RecomputationScope &) = delete;

 private:
  bool before_;
};

}  // namespace ct

#endif
