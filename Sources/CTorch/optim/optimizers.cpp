#include "optimizers.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ScalarOps.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/addcdiv.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

using namespace ct;

namespace {
/// Elements that are updated at once. On the processor each worker takes pieces that stay in its cache
/// from one operation to the next; a GPU needs larger ones to be busy.
int64_t piece_size(bool is_cpu) { return is_cpu ? 1 << 15 : 1 << 24; }

int64_t piece_count(int64_t count, bool is_cpu) {
  return (count + piece_size(is_cpu) - 1) / piece_size(is_cpu);
}

/// Calls `body(index, begin, count)` for all pieces. Operations within a worker do not share out their
/// work again.
template <class F>
void for_pieces(int64_t count, bool is_cpu, F body) {
  int64_t size = piece_size(is_cpu), pieces = piece_count(count, is_cpu);
  auto run = [&](int64_t first, int64_t last) {
    at::NoGradGuard no_gradients;  // the mode is the thread's
    for (int64_t i = first; i < last; i++) body(i, i * size, std::min(size, count - i * size));
  };
  if (is_cpu) parallel_for(pieces, 1, run);
  else run(0, pieces);
}

/// As Python multiplies. The method for scalars would round the factor to a bfloat16 tensor's type.
const at::Tensor &scale(const at::Tensor &t, double factor) {
  return t.mul_(at::native::wrapped_scalar_tensor(factor));
}

/// Parts of a weight whose elements belong together.
struct Piece {
  at::Tensor weight, gradient, companion;
  std::vector<at::Tensor> states;
  int64_t begin = 0;
};

Piece piece_of(const Update &u, const std::vector<at::Tensor> &states, int64_t begin, int64_t count) {
  auto part = [&](const at::Tensor &t) {
    return t.defined() ? t.view({-1}).narrow(0, begin, count) : t;
  };
  Piece piece{part(u.weight), part(u.gradient), part(u.companion), {}, begin};
  for (const at::Tensor &state : states) piece.states.push_back(part(state));
  return piece;
}

/// The states go back after the weight, which is part 0.
void put_back(const std::vector<at::Tensor> &wide, const Piece &piece, const ct_update &settings) {
  for (size_t i = 0; i < wide.size(); i++) {
    if (piece.states[i].scalar_type() == at::kFloat) continue;
    uint64_t key = mixed(settings.seed, settings.step, i + 1);
    round_stochastically(wide[i], piece.states[i], key, piece.begin, false);
  }
}

/// In 32 bits; the second moment would stand still in bfloat16, which has no 1.001 times a value,
/// were it rounded to the nearest.
void update_wide(const Piece &piece, const ct_update &settings, const UpdateBody &body) {
  at::Tensor weight = piece.weight.to(at::kFloat);
  if (piece.companion.defined()) weight.add_(piece.companion);
  std::vector<at::Tensor> wide;
  for (const at::Tensor &state : piece.states) wide.push_back(state.to(at::kFloat));
  body(weight, piece.gradient, wide, piece.begin);
  if (settings.master == CT_MASTER_STOCHASTIC) {
    uint64_t key = mixed(settings.seed, settings.step, 0);
    round_stochastically(weight, piece.weight, key, piece.begin, false);
  } else {
    piece.weight.copy_(weight);
  }
  if (piece.companion.defined()) piece.companion.copy_(weight.sub_(piece.weight));
  put_back(wide, piece, settings);
}

void update_piece(const Piece &piece, const ct_update &settings, const UpdateBody &body) {
  bool has_wide_states = !piece.states.empty() &&
                         piece.states[0].scalar_type() != piece.weight.scalar_type();
  if (settings.master == CT_MASTER_FLOAT32) {
    body(piece.companion, piece.gradient, piece.states, piece.begin);
    piece.weight.copy_(piece.companion);
  } else if (settings.master != CT_MASTER_NONE || has_wide_states) {
    update_wide(piece, settings, body);
  } else {
    body(piece.weight, piece.gradient, piece.states, piece.begin);
  }
}

/// The root of the mean of the squares.
at::Tensor root_mean_square(const at::Tensor &t) {
  return at::linalg_vector_norm(t).div_(std::sqrt(static_cast<double>(t.numel())));
}

/// One over the root of the second moments, from their means along rows and along columns.
at::Tensor factored_scale(const at::Tensor &rows, const at::Tensor &columns, at::Tensor out) {
  at::Tensor r = rows.div(rows.mean({-1}, true)).rsqrt_().unsqueeze(-1);
  return at::mul_out(out, r, columns.unsqueeze(-2).rsqrt());
}

/// Follows `Adafactor` of transformers with an outer rate; `states` are means along rows and columns,
/// or the one second moment of a vector.
void adafactor(const at::Tensor &weight, const at::Tensor &gradient,
               const std::vector<at::Tensor> &states, const ct_update &u,
               const ct_adafactor_settings &s) {
  double kept = 1.0 - std::pow(static_cast<double>(u.step), s.decay_power);
  at::Tensor g = gradient.to(at::kFloat);
  at::Tensor change = at::square(g).add_(s.epsilon);
  if (states.size() == 2) {
    states[0].mul_(kept).add_(change.mean({-1}), 1.0 - kept);
    states[1].mul_(kept).add_(change.mean({-2}), 1.0 - kept);
    change = factored_scale(states[0], states[1], change);
  } else {
    states[0].mul_(kept).add_(change, 1.0 - kept);
    change = at::rsqrt_out(change, states[0]);
  }
  change.mul_(g);
  g = at::Tensor();  // its memory is needed next
  change.div_(root_mean_square(change).div_(s.clip).clamp_min_(1.0)).mul_(u.rate);
  at::Tensor wide = weight.to(at::kFloat);
  if (u.weight_decay != 0) wide.add_(wide, -u.weight_decay * u.rate);
  wide.sub_(change);
  if (!wide.is_same(weight)) weight.copy_(wide);
}

void sgd(const at::Tensor &weight, at::Tensor gradient, const std::vector<at::Tensor> &states,
         const ct_update &u, const ct_sgd_settings &s) {
  gradient = gradient.to(weight.scalar_type());
  if (u.weight_decay != 0) gradient = gradient.add(weight, u.weight_decay);
  if (!states.empty()) {
    const at::Tensor &buffer = states[0];
    if (u.step == 1) buffer.copy_(gradient);
    else scale(buffer, s.momentum).add_(gradient, 1.0 - s.dampening);
    gradient = s.nesterov ? gradient.add(buffer, s.momentum) : buffer;
  }
  weight.add_(gradient, -u.rate);
}

/// In 32 bits; copies what is not, a piece at a time.
at::Tensor norm_of(const at::Tensor &gradient) {
  if (gradient.scalar_type() == at::kFloat) return at::linalg_vector_norm(gradient);
  at::Tensor flat = gradient.reshape({-1});
  at::Tensor norms = at::zeros({piece_count(flat.numel(), flat.is_cpu())}, flat.options().dtype(at::kFloat));
  for_pieces(flat.numel(), flat.is_cpu(), [&](int64_t index, int64_t begin, int64_t count) {
    at::Tensor wide = flat.narrow(0, begin, count).to(at::kFloat);
    norms.select(0, index).copy_(at::linalg_vector_norm(wide));
  });
  return at::linalg_vector_norm(norms);
}
}  // namespace

ct::Update::Update(const ct_update &update)
    : weight(*borrow(update.weight)),
      gradient(borrow(update.gradient)->contiguous()),
      companion(update.companion ? *borrow(update.companion) : at::Tensor()),
      settings(update) {
  TORCH_CHECK(weight.is_contiguous(), "a weight to update has to lie in row-major order");
  TORCH_CHECK(weight.sizes() == gradient.sizes(), "a gradient of shape ", gradient.sizes(),
              " for a weight of shape ", weight.sizes());
}

void ct::update(const Update &u, const std::vector<at::Tensor> &states, bool is_whole,
                const UpdateBody &body) {
  if (is_whole) return update_piece({u.weight, u.gradient, u.companion, states}, u.settings, body);
  for_pieces(u.weight.numel(), u.weight.is_cpu(), [&](int64_t, int64_t begin, int64_t count) {
    update_piece(piece_of(u, states, begin, count), u.settings, body);
  });
}

ct::AdamFactors::AdamFactors(const ct_update &u, const ct_adam_settings &s) {
  auto step = static_cast<double>(u.step);
  decay = 1.0 - u.rate * u.weight_decay;
  step_size = u.rate / (1.0 - std::pow(s.beta1, step));
  root_correction = std::pow(1.0 - std::pow(s.beta2, step), 0.5);
}

void ct::adam(const at::Tensor &weight, const at::Tensor &gradient, const at::Tensor &mean,
              const at::Tensor &square, const ct_update &u, const ct_adam_settings &s) {
  AdamFactors factors(u, s);
  at::Tensor g = gradient.to(weight.scalar_type());
  if (u.weight_decay != 0 && s.is_decoupled) scale(weight, factors.decay);
  else if (u.weight_decay != 0) g = g.add(weight, u.weight_decay);
  mean.lerp_(g, 1.0 - s.beta1);
  scale(square, s.beta2).addcmul_(g, g, 1.0 - s.beta2);
  at::Tensor divisor = at::sqrt(square).div_(factors.root_correction).add_(s.epsilon);
  weight.addcdiv_(mean, divisor, -factors.step_size);
}

extern "C" {

ct_status ct_adam(const ct_update *u, const ct_adam_settings *s, ct_tensor mean, ct_tensor square) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    update(Update(*u), {*borrow(mean), *borrow(square)}, false,
           [&](auto &weight, auto &gradient, auto &states, int64_t) {
             adam(weight, gradient, states[0], states[1], *u, *s);
           });
  });
}

ct_status ct_sgd(const ct_update *u, const ct_sgd_settings *s, ct_tensor buffer) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    std::vector<at::Tensor> states;
    if (buffer) states.push_back(*borrow(buffer));
    update(Update(*u), states, false, [&](auto &weight, auto &gradient, auto &states, int64_t) {
      sgd(weight, gradient, states, *u, *s);
    });
  });
}

ct_status ct_adafactor(const ct_update *u, const ct_adafactor_settings *s, const ct_tensor *states,
                       size_t count) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    std::vector<at::Tensor> moments = list(states, count);
    // Its states are 32-bit anyway, so they are no matter of the master weights.
    update(Update(*u), {}, true, [&](auto &weight, auto &gradient, auto &, int64_t) {
      adafactor(weight, gradient, moments, *u, *s);
    });
  });
}

ct_status ct_norm(const ct_tensor *ts, size_t count, double *out) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    std::vector<at::Tensor> norms;
    for (size_t i = 0; i < count; i++) norms.push_back(norm_of(*borrow(ts[i])));
    for (at::Tensor &norm : norms) norm = norm.to(norms[0].device());
    *out = norms.empty() ? 0 : at::linalg_vector_norm(at::stack(norms)).item<double>();
  });
}

ct_status ct_scale_(ct_tensor t, double factor) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    scale(borrow(t), factor);
  });
}

ct_status ct_average_(ct_tensor average, ct_tensor value, double share) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    at::Tensor target = borrow(average)->view({-1}), source = borrow(value)->reshape({-1});
    for_pieces(source.numel(), target.is_cpu(), [&](int64_t, int64_t begin, int64_t count) {
      at::Tensor wide = source.narrow(0, begin, count).to(target.device(), target.scalar_type());
      target.narrow(0, begin, count).lerp_(wide, share);
    });
  });
}

}  // extern "C"

#endif
