// Which of the package's own kernels compute what.
//
// Kernels compute bfloat16 on the processor, where no gradients are recorded; everything else is
// libtorch's. `has_kernel` decides it, and nothing else does. To add a kernel: a name in
// `ct_kernel`, a line in each of the switches of kernels.cpp.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

// Whether `kernel` computes on these operands with the instructions allowed now; undefined ones are
// those that are absent. Otherwise libtorch does.
bool has_kernel(ct_kernel kernel, at::TensorList operands);

// Says of what a thread computes as long as it lives that it will be computed again for gradients.
class ComputedAgain {
 public:
  ComputedAgain();
  ~ComputedAgain();
  ComputedAgain(const ComputedAgain &) = delete;
  ComputedAgain &operator=(const ComputedAgain &) = delete;

 private:
  bool before_;
};

}  // namespace ct

#endif
