#include "operation_counts.hpp"

#ifdef CT_HAS_LIBTORCH

#include <atomic>

using namespace ct;

namespace {

struct Counters {
  std::atomic<int64_t> integers{0}, halves{0}, others{0}, bytes{0};
};
Counters counters;

std::atomic<int64_t> &operations_of(at::ScalarType type) {
  switch (type) {
    case at::kChar:
      return counters.integers;
    case at::kBFloat16:
    case at::kHalf:
      return counters.halves;
    default:
      return counters.others;
  }
}

}  // namespace

void ct::count_product(const at::Tensor &weight, int64_t multiplications,
                       std::initializer_list<at::Tensor> touched) {
  if (weight.is_meta()) return;
  operations_of(weight.scalar_type()).fetch_add(2 * multiplications, std::memory_order_relaxed);
  int64_t bytes = 0;
  for (const at::Tensor &t : touched) bytes += static_cast<int64_t>(t.nbytes());
  counters.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

void ct::count_linear(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &out) {
  count_product(weight, out.numel() * (x.dim() > 0 ? x.size(-1) : 1), {x, weight, out});
}

void ct::count_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, bool causal) {
  count_product(k, q.numel() * k.size(-2) * 2 / (causal ? 2 : 1), {q, k, v, q});
}

extern "C" {

ct_operation_counts ct_counted_operations(void) {
  return {counters.integers.load(), counters.halves.load(), counters.others.load(),
          counters.bytes.load()};
}

}  // extern "C"

#endif
