#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "callback.hpp"
#include "kernels.hpp"

using namespace ct;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The caller's closure; given back when nothing can call it any more.
struct Closure : torch::CustomClassHolder {
  void *context;
  void (*release)(void *);
  Closure(void *context, void (*release)(void *)) : context(context), release(release) {}
  ~Closure() override { release(context); }
};

struct Recomputation final : Closure {
  ct_checkpoint_body body;
  Recomputation(ct_checkpoint_body body, void *context, void (*release)(void *))
      : Closure(context, release), body(body) {}

  variable_list operator()(const variable_list &inputs, size_t count) const {
    std::vector<ct_tensor> handles;
    for (const at::Tensor &t : inputs) handles.push_back(adopt(t));
    std::vector<ct_tensor> results(count, nullptr);
    ct_status status = body(context, handles.data(), handles.size(), results.data(), count);
    variable_list outputs;
    for (ct_tensor h : results)
      outputs.push_back(h ? at::Tensor(Impl::reclaim(impl(h))) : at::Tensor());
    require(status);
    return outputs;
  }
};

at::Tensor on_host(const at::Tensor &t) {
  if (t.is_cpu()) return t;
  at::Tensor copy = at::empty(t.sizes(), t.options().device(at::kCPU).pinned_memory(t.is_cuda()));
  return copy.copy_(t, /*non_blocking=*/true);
}

// Keeps inputs only; what lies between them and the outputs is recomputed by gradient checkpointing.
struct Checkpoint : torch::autograd::Function<Checkpoint> {
  // The first argument asks for gradients so that the node exists even where no input does: what is
  // trained may be inside.
  static variable_list forward(
      AutogradContext *ctx, at::Tensor /*anchor*/, at::TensorList inputs, int64_t count, bool to_host,
      c10::intrusive_ptr<Recomputation> body) {
    variable_list given(inputs.begin(), inputs.end());
    variable_list kept;
    c10::List<bool> wanted;
    for (const at::Tensor &t : given) {
      kept.push_back(to_host ? on_host(t) : t);
      wanted.push_back(t.requires_grad());
    }
    ctx->save_for_backward(kept);
    ctx->saved_data["wanted"] = wanted;
    ctx->saved_data["count"] = count;
    ctx->saved_data["body"] = c10::IValue::make_capsule(body);
    ctx->saved_data["device"] = given.empty() ? c10::Device(at::kCPU) : given[0].device();
    ctx->set_materialize_grads(false);
    RecomputationScope so;
    return (*body)(given, static_cast<size_t>(count));
  }

  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    auto body = c10::static_intrusive_pointer_cast<Recomputation>(ctx->saved_data["body"].toCapsule());
    auto wanted = ctx->saved_data["wanted"].toBoolList();
    c10::Device place = ctx->saved_data["device"].toDevice();
    variable_list inputs;
    size_t number = 0;
    for (const at::Tensor &t : ctx->get_saved_variables())
      inputs.push_back(t.detach().to(place, /*non_blocking=*/true).requires_grad_(wanted[number++]));
    {
      at::AutoGradMode recording(true);
      variable_list outputs = (*body)(inputs, static_cast<size_t>(ctx->saved_data["count"].toInt()));
      variable_list roots, seeds;
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
        roots.push_back(outputs[i]);
        seeds.push_back(gradients[i]);
      }
      if (!roots.empty()) torch::autograd::backward(roots, seeds);
    }
    variable_list result{at::Tensor()};
    for (const at::Tensor &t : inputs) result.push_back(t.grad());
    result.insert(result.end(), {at::Tensor(), at::Tensor(), at::Tensor()});
    return result;
  }
};

struct WeightRequest final : Closure {
  ct_weight_request body;
  WeightRequest(ct_weight_request body, void *context, void (*release)(void *))
      : Closure(context, release), body(body) {}

  at::Tensor operator()() const {
    ct_tensor handle = nullptr;
    require(body(context, &handle));
    return at::Tensor(Impl::reclaim(impl(handle)));
  }
};

// A product with a weight that is asked for again when gradients need it, instead of being kept.
struct FrozenLinear : torch::autograd::Function<FrozenLinear> {
  static at::Tensor forward(AutogradContext *ctx, at::Tensor x, c10::intrusive_ptr<WeightRequest> weight) {
    ctx->saved_data["weight"] = c10::IValue::make_capsule(weight);
    return at::linear(x, (*weight)());
  }

  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor()};
    auto request = c10::static_intrusive_pointer_cast<WeightRequest>(ctx->saved_data["weight"].toCapsule());
    at::Tensor weight = (*request)();
    const at::Tensor &g = gradients[0];
    std::vector<int64_t> shape(g.sizes().begin(), g.sizes().end());
    at::Tensor dx = at::mm(g.reshape({-1, shape.back()}), weight);
    shape.back() = weight.size(1);
    return {dx.view(shape), at::Tensor()};
  }
};

}  // namespace

extern "C" {

ct_status ct_checkpoint(const ct_tensor *inputs, size_t input_count, size_t output_count, bool to_host,
                        ct_checkpoint_body body, void *context, void (*release)(void *), ct_tensor *outputs) {
  auto closure = c10::make_intrusive<Recomputation>(body, context, release);
  return guarded([&] {
    variable_list given = list(inputs, input_count);
    at::Tensor anchor = at::empty({0}).requires_grad_();
    variable_list results = Checkpoint::apply(
        anchor, at::TensorList(given), static_cast<int64_t>(output_count), to_host, closure);
    for (size_t i = 0; i < output_count; ++i) outputs[i] = adopt(results[i]);
  });
}

ct_status ct_frozen_linear(ct_tensor x, ct_weight_request body, void *context, void (*release)(void *),
                           ct_tensor *out) {
  auto closure = c10::make_intrusive<WeightRequest>(body, context, release);
  return guarded([&] { *out = adopt(FrozenLinear::apply(at::Tensor(borrow(x)), closure)); });
}

}  // extern "C"

#endif
