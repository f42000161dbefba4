// Memory of tensors on the meta device, which have shapes and no values: counted instead of taken.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

/// Whether operations of this thread on meta tensors are counted as on the CPU, by its kernels.
bool counts_as_cpu();

/// Threads of one operation that is counted; each may have scratch of its own.
int counted_threads();

/// Whether kernels for the CPU take a tensor: it is there, or counted as if it were.
inline bool is_on_cpu(const at::Tensor &t) { return t.is_cpu() || (t.is_meta() && counts_as_cpu()); }

}  // namespace ct

#endif
