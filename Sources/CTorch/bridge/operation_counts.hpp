// What products have to be computed and what they touch, counted where they are done.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

namespace ct {

// Adds a product of `weight`'s type to what is counted: operations, twice the multiplications, and
// bytes of operands and result.
void count_product(const at::Tensor &weight, int64_t multiplications,
                   std::initializer_list<at::Tensor> touched);

// The same of a product over the last axes of `x` and of `weight`, whose result is `out`.
void count_linear(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &out);

// Scores and sums of attention [B, heads, tokens, size]; causally, half of them.
void count_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal);

}  // namespace ct

#endif
