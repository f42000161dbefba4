// Weights stored as blocks of few-bit integers with scales, as GGUF files have them.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <cstdint>

namespace ct {

struct BlockSize {
  int64_t values, bytes;
};

BlockSize block_size(ct_gguf_block_type format);

// Both write the values of whole blocks to a tensor of the same number of rows. The first is for the
// processor; the second is written with tensor operations and runs wherever those do.
void dequantize_on_cpu(const at::Tensor &packed, ct_gguf_block_type format, at::Tensor &out);
void dequantize_by_operations(const at::Tensor &packed, ct_gguf_block_type format, at::Tensor &out);

}  // namespace ct

#endif
