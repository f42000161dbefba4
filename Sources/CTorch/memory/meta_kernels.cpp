// Kernels of libtorch's operations for tensors without values, where libtorch leaves those to Python. They
// allocate what the real ones do, results and scratch.
#include "counter.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ExpandUtils.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <tuple>

using namespace ct;

namespace {

using MaybeTensor = std::optional<at::Tensor>;

at::Tensor empty(const at::Tensor &like, at::IntArrayRef sizes) {
  return at::empty(sizes, like.options());
}

at::Tensor floats(const at::Tensor &like, at::IntArrayRef sizes) {
  return at::empty(sizes, like.options().dtype(at::kFloat));
}

bool is_small(const at::Tensor &x) { return x.element_size() < 4; }

at::Tensor linear(const at::Tensor &x, const at::Tensor &weight, const MaybeTensor &bias) {
  auto shape = x.sizes().vec();
  shape.back() = weight.size(0);
  at::Tensor rows, spread;
  // Without a bias, libtorch brings rows together; with one, oneDNN copies them and the weight.
  bool copies = counts_as_cpu() && bias && is_small(x);
  if (!copies && !bias && !x.is_contiguous()) rows = x.contiguous();
  at::Tensor out = empty(x, shape);
  if (copies) {
    spread = at::empty_like(weight);
    if (!x.is_contiguous()) rows = x.contiguous();
  }
  return out;
}

at::Tensor embedding(const at::Tensor &weight, const at::Tensor &ids, int64_t, bool, bool) {
  auto shape = ids.sizes().vec();
  shape.push_back(weight.size(1));
  return empty(weight, shape);
}

using Normed = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Normed normed(const at::Tensor &x, int64_t moments, bool rounds) {
  at::Tensor in = x.is_contiguous() ? x : x.contiguous();
  at::Tensor out = at::empty_like(in);
  auto moment = [&] { return rounds ? empty(x, {moments}) : floats(x, {moments}); };
  return {out, moment(), moment()};
}

Normed layer_norm(const at::Tensor &x, at::IntArrayRef shape, const MaybeTensor &,
                  const MaybeTensor &, double) {
  return normed(x, x.numel() / c10::multiply_integers(shape), true);
}

Normed group_norm(const at::Tensor &x, const MaybeTensor &weight, const MaybeTensor &, int64_t batch,
                  int64_t, int64_t, int64_t groups, double) {
  return normed(x, batch * groups, !weight || weight->scalar_type() == x.scalar_type());
}

std::tuple<at::Tensor, at::Tensor> var_mean(const at::Tensor &x, at::OptionalIntArrayRef axes,
                                            const std::optional<at::Scalar> &, bool keeps) {
  auto shape = x.sizes().vec();
  for (int64_t axis : axes ? axes->vec() : std::vector<int64_t>{}) shape[static_cast<size_t>(axis)] = 1;
  if (!keeps) std::erase(shape, 1);
  return {empty(x, shape), empty(x, shape)};
}

// oneDNN works in an order of its own: it copies what goes in, the weight and what comes out, which then has
// whole groups of 16 channels. Single pixels take room for sums in float32 besides.
at::Tensor convolution(const at::Tensor &x, const at::Tensor &weight, const MaybeTensor &,
                       at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef, bool,
                       at::IntArrayRef, int64_t) {
  auto side = [&](int64_t axis) {
    auto at = static_cast<size_t>(axis - 2);
    return (x.size(axis) + 2 * padding[at] - weight.size(axis)) / stride[at] + 1;
  };
  int64_t outputs = weight.size(0), rows = side(2), columns = side(3);
  if (counts_as_cpu()) {
    at::Tensor sums;
    int64_t count = x.size(0) * outputs * rows * columns;
    if (weight.size(2) == 1 && is_small(x)) sums = floats(x, {counted_threads() * (count + 512)});
    at::Tensor in = at::empty_like(x), kernels = at::empty_like(weight);
    at::Tensor ordered = empty(x, {x.size(0), (outputs + 15) / 16 * 16, rows, columns});
    kernels.reset();
    in.reset();
    sums.reset();
    return empty(x, {x.size(0), outputs, rows, columns});
  }
  return empty(x, {x.size(0), outputs, rows, columns});
}

at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const MaybeTensor &,
                     double, bool, std::optional<double>, bool) {
  int64_t queries = q.size(2), keys = k.size(2), size = v.size(3);
  at::Tensor out = empty(q, {q.size(0), queries, q.size(1), size}).transpose(1, 2);
  at::Tensor sums = floats(q, {q.size(0), queries, q.size(1)});
  if (!counts_as_cpu()) return out;
  // A block of queries times keys on each thread in float32, and once more in the type itself.
  int64_t rows = queries >= 768 ? 256 : queries >= 192 ? 64 : 32;
  int64_t columns = std::min<int64_t>(512, keys), threads = counted_threads();
  at::Tensor block = floats(q, {threads * (rows * columns + 2 * rows + rows * size)});
  at::Tensor rounded = is_small(q) ? empty(q, {threads * rows * columns}) : at::Tensor();
  return out;
}

at::Tensor absolute(const at::Tensor &x) { return at::empty_like(x); }

at::Tensor where(const at::Tensor &condition, const at::Tensor &x, const at::Tensor &y) {
  return empty(x, at::infer_size(condition.sizes(), at::infer_size(x.sizes(), y.sizes())));
}

// A value that is not there.
at::Scalar item(const at::Tensor &) { return std::numeric_limits<double>::quiet_NaN(); }

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("linear", linear);
  library.impl("embedding", embedding);
  library.impl("native_layer_norm", layer_norm);
  library.impl("native_group_norm", group_norm);
  library.impl("var_mean.correction", var_mean);
  library.impl("convolution", convolution);
  library.impl("scaled_dot_product_attention", attention);
  library.impl("abs", absolute);
  library.impl("where.self", where);
  library.impl("_local_scalar_dense", item);
}

#endif
