// Layers of the autoencoder by kernels of our own: maps of bfloat16 with channels innermost.
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <tuple>

#include "convolution.hpp"
#include "counter.hpp"
#include "group_norm.hpp"
#include "operation_counts.hpp"

using namespace ct;

#ifdef CT_HAS_PRODUCTS

using namespace ct::avx512;

namespace {

const uint16_t *read(const at::Tensor &t) {
  return static_cast<const uint16_t *>(t.const_data_ptr());
}
uint16_t *written(const at::Tensor &t) { return static_cast<uint16_t *>(t.mutable_data_ptr()); }

void require(bool holds, const char *what) { TORCH_CHECK(holds, "kernels for images: ", what); }

at::Tensor channels_last(const at::Tensor &x) {
  require(x.dim() == 4 && is_on_cpu(x) && x.scalar_type() == at::kBFloat16,
          "a map is [B, C, h, w] of bfloat16 on the CPU");
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor empty_map(const at::Tensor &like, int64_t channels, int64_t rows, int64_t columns) {
  return at::empty({like.size(0), channels, rows, columns}, like.options(),
                   at::MemoryFormat::ChannelsLast);
}

Map map_of(const at::Tensor &x) { return {x.size(0), x.size(2), x.size(3), x.size(1)}; }

Steps steps_of(const at::Tensor &x) {
  return {x.size(1) * x.size(2) * x.size(3), x.size(1) * x.size(3), x.size(1)};
}

Border border_of(const int64_t *sides) {
  require(std::all_of(sides, sides + 4, [](int64_t side) { return side >= 0; }),
          "a border is not negative");
  return {sides[0], sides[1], sides[2], sides[3]};
}

at::Tensor bordered(const at::Tensor &x, const Border &border, const Affine *affine = nullptr) {
  at::Tensor out = empty_map(x, (x.size(1) + 1) / 2 * 2, x.size(2) + border.top + border.bottom,
                             x.size(3) + border.left + border.right);
  write_bordered(read(x), map_of(x), border, affine, written(out));
  return out;
}

// A vector of bfloat16 as floats, with zeros up to whole vectors of 16.
std::vector<float> floats(const at::Tensor &t, int64_t count) {
  require(is_on_cpu(t) && t.scalar_type() == at::kBFloat16 && t.numel() == count,
          "a value of bfloat16 for each channel");
  at::Tensor values = t.contiguous();
  std::vector<float> result(static_cast<size_t>((count + 15) / 16 * 16));
  if (t.is_meta()) return result;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits = static_cast<uint32_t>(read(values)[i]) << 16;
    std::memcpy(&result[static_cast<size_t>(i)], &bits, 4);
  }
  return result;
}

// Mean and 1 / √(variance + epsilon) of a group, of the sums of its rows.
std::pair<double, double> moments(const double *sums, int64_t rows, int64_t step, double count,
                                  double epsilon) {
  double sum = 0, squares = 0;
  for (int64_t row = 0; row < rows; ++row) {
    sum += sums[row * step];
    squares += sums[row * step + 1];
  }
  double mean = sum / count;
  return {mean, 1 / std::sqrt(std::max(0.0, squares / count - mean * mean) + epsilon)};
}

// Scales and shifts of all channels.
struct Factors {
  std::vector<float> scale, shift;

  Factors(const at::Tensor &sums, int64_t columns, const std::vector<float> &weight,
          const std::vector<float> &bias, int64_t channels, double epsilon) {
    int64_t images = sums.size(0), rows = sums.size(1), groups = sums.size(2);
    int64_t each = channels / groups, padding = static_cast<int64_t>(weight.size()) - channels;
    if (sums.is_meta()) return;
    auto all = static_cast<const double *>(sums.const_data_ptr());
    for (int64_t image = 0; image < images; ++image) {
      for (int64_t group = 0; group < groups; ++group) {
        auto [mean, inverse] = moments(all + (image * rows * groups + group) * 2, rows, 2 * groups,
                                       static_cast<double>(rows * columns * each), epsilon);
        for (int64_t c = group * each; c < (group + 1) * each; ++c)
          add(mean, inverse, weight[static_cast<size_t>(c)], bias[static_cast<size_t>(c)]);
      }
      for (int64_t i = 0; i < padding; ++i) add(0, 0, 0, 0);
    }
  }

 private:
  void add(double mean, double inverse, float weight, float bias) {
    double factor = static_cast<double>(weight) * inverse;
    scale.push_back(static_cast<float>(factor));
    shift.push_back(static_cast<float>(static_cast<double>(bias) - mean * factor));
  }
};

// A weight and what is made of it for kernels.
struct Prepared {
  at::Tensor weight, memory;
  std::vector<float> bias;
  Kernels kernels;

  Prepared(const at::Tensor &original, const at::Tensor &offsets, const at::Tensor &x,
           const Recipe &recipe)
      : weight(original.contiguous()), bias(floats(offsets, weight.size(0))) {
    int64_t outputs = weight.size(0), inputs = weight.size(1);
    require(is_on_cpu(weight) && weight.scalar_type() == at::kBFloat16 && weight.dim() == 4 &&
                weight.size(2) * weight.size(3) == recipe.places,
            "a weight is [out, in, side, side] of bfloat16");
    require(x.size(1) == (inputs + 1) / 2 * 2, "a map has the channels of the weight, evened");
    memory = at::empty({Kernels::count(outputs, inputs, recipe.planes)}, weight.options());
    kernels = {written(memory), outputs, (inputs + 1) / 2, recipe.planes};
    prepare(read(weight), inputs, recipe, kernels);
  }
};

// Places of a kernel in a map.
std::vector<int64_t> shifts(const Steps &steps, int64_t side) {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j) result.push_back(i * steps.row + j * steps.pixel);
  return result;
}

at::Tensor convolved(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                     const at::Tensor &added, int64_t stride, bool by_winograd) {
  int64_t side = weight.size(2);
  require(side == weight.size(3) && x.size(2) >= side && x.size(3) >= side,
          "a map is not smaller than kernels, which are squares");
  require(!by_winograd || (side == 3 && stride == 1), "Winograd's products are for 3x3");
  Prepared prepared(weight, bias, x, by_winograd ? Recipe::winograd()
                                                 : Recipe::plain(static_cast<int>(side * side)));
  at::Tensor out = empty_map(x, weight.size(0), (x.size(2) - side) / stride + 1,
                             (x.size(3) - side) / stride + 1);
  require(!added.defined() || added.sizes() == out.sizes(), "what is added has another shape");
  Steps from = steps_of(x), in = {from.image, from.row * stride, from.pixel * stride};
  Convolution what{x.size(0),        out.size(2), out.size(3), read(x), in,
                   prepared.kernels, prepared.bias.data(),
                   added.defined() ? read(added) : nullptr, written(out), steps_of(out)};
  if (by_winograd)
    convolve_by_winograd(what, x.size(2), x.size(3));
  else
    convolve(what, shifts(from, side));
  count_product(weight, out.numel() * weight.size(1) * (by_winograd ? 4 : side * side), {x, weight, out});
  return out;
}

// The four phases of what is enlarged, each a convolution of 2x2.
void upsample_by_phases(const Convolution &whole, int64_t rows, int64_t columns) {
  for (int64_t phase = 0; phase < 4; ++phase) {
    int64_t down = phase / 2, across = phase % 2;
    Convolution what = whole;
    what.rows = rows, what.columns = columns;
    what.input += down * what.in.row + across * what.in.pixel;
    what.output += down * what.out.row + across * what.out.pixel;
    what.out.row *= 2, what.out.pixel *= 2;
    convolve(what, shifts(what.in, 2), 4 * phase);
  }
}

at::Tensor upsampled(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                    bool by_differences) {
  require(x.size(2) > 2 && x.size(3) > 2, "a map has a border");
  Prepared prepared(weight, bias, x, by_differences ? Recipe::differences() : Recipe::upsampling());
  int64_t rows = x.size(2) - 2, columns = x.size(3) - 2;
  at::Tensor out = empty_map(x, weight.size(0), 2 * rows, 2 * columns);
  Convolution what{x.size(0), 2 * rows, 2 * columns, read(x), steps_of(x), prepared.kernels,
                   prepared.bias.data(), nullptr, written(out), steps_of(out)};
  if (by_differences)
    convolve_by_differences(what, x.size(2), x.size(3));
  else
    upsample_by_phases(what, rows, columns);
  count_product(weight, out.numel() * weight.size(1) * (by_differences ? 9 : 16) / 4, {x, weight, out});
  return out;
}

}  // namespace

#define CT_WITH_AVX512(...) return guarded([&] { __VA_ARGS__ })
#else
#define CT_WITH_AVX512(...) \
  return guarded([&] { TORCH_CHECK(false, "this program has no kernels for images"); })
#endif

extern "C" {

ct_status ct_group_sums(ct_tensor t, int64_t groups, ct_tensor *out) {
  CT_WITH_AVX512({
    at::Tensor x = channels_last(borrow(t));
    require(groups > 0 && x.size(1) % groups == 0, "groups divide the channels");
    at::Tensor sums = at::empty({x.size(0), x.size(2), groups, 2}, x.options().dtype(at::kDouble));
    group_sums(read(x), map_of(x), groups, static_cast<double *>(sums.mutable_data_ptr()));
    *out = adopt(sums);
  });
}

ct_status ct_normed_bordered(ct_tensor t, ct_tensor all_sums, ct_tensor weight, ct_tensor bias,
                             double epsilon, bool activates, const int64_t *border,
                             ct_tensor *out) {
  CT_WITH_AVX512({
    at::Tensor x = channels_last(borrow(t));
    at::Tensor sums = borrow(all_sums)->contiguous();
    require(sums.dim() == 4 && sums.scalar_type() == at::kDouble && sums.size(0) == x.size(0) &&
                sums.size(2) > 0 && x.size(1) % sums.size(2) == 0,
            "sums are [B, h, groups, 2]");
    Factors factors(sums, x.size(3), floats(borrow(weight), x.size(1)),
                    floats(borrow(bias), x.size(1)), x.size(1), epsilon);
    Affine affine{factors.scale.data(), factors.shift.data(), activates};
    *out = adopt(bordered(x, border_of(border), &affine));
  });
}

ct_status ct_bordered(ct_tensor t, const int64_t *border, ct_tensor *out) {
  CT_WITH_AVX512({ *out = adopt(bordered(channels_last(borrow(t)), border_of(border))); });
}

ct_status ct_conv2d_bordered(ct_tensor t, ct_tensor weight, ct_tensor bias, ct_tensor added,
                             int64_t stride, bool by_winograd, ct_tensor *out) {
  CT_WITH_AVX512({
    at::Tensor x = channels_last(borrow(t));
    at::Tensor sum = added ? channels_last(borrow(added)) : at::Tensor();
    *out = adopt(convolved(x, borrow(weight), borrow(bias), sum, stride, by_winograd));
  });
}

ct_status ct_conv2d_upsampling(ct_tensor t, ct_tensor weight, ct_tensor bias, bool by_differences,
                              ct_tensor *out) {
  CT_WITH_AVX512({
    at::Tensor x = channels_last(borrow(t));
    *out = adopt(upsampled(x, borrow(weight), borrow(bias), by_differences));
  });
}

}  // extern "C"

#endif
