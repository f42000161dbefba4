// What the updates of weights have in common: the piece by piece way through a weight, and how 32-bit
// results go back into bfloat16.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <functional>
#include <vector>

namespace ct {
/// A ct_update with its tensors.
struct Update {
  at::Tensor weight, gradient, companion;
  ct_update settings;

  explicit Update(const ct_update &update);
};

/// Changes a weight by its gradient, which may be narrower; `begin` counts the elements before.
using UpdateBody = std::function<void(
    const at::Tensor &weight, const at::Tensor &gradient, const std::vector<at::Tensor> &states,
    int64_t begin)>;

/// Calls the body for every piece, from several threads, or for all at once if `is_whole`; so what it
/// needs for a while is small. It sees 32-bit weights and states where the master weights ask for it.
void update(const Update &update, const std::vector<at::Tensor> &states, bool is_whole,
            const UpdateBody &body);

/// Numbers for each step, weight and part that have nothing to do with each other.
uint64_t mixed(uint64_t seed, uint64_t step, uint64_t part);

/// Rounds float32 to one of the two nearest bfloat16, to the nearer one more often, so that the mean
/// is exact. The choice depends on the key and an element's place, `begin` and its own, alone.
void round_stochastically(const at::Tensor &from, const at::Tensor &to, uint64_t key, int64_t begin,
                          bool by_operations);

/// One update of Adam with torch's operations in torch's order. Moments have the weight's
/// type.
void adam(const at::Tensor &weight, const at::Tensor &gradient, const at::Tensor &mean,
          const at::Tensor &square, const ct_update &u, const ct_adam_settings &s);

/// The factors of an update that depend on its number, as Python computes them.
struct AdamFactors {
  double decay, step_size, root_correction;
  AdamFactors(const ct_update &u, const ct_adam_settings &s);
};
}  // namespace ct
#endif
