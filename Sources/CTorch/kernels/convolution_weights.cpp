#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "convolution.hpp"

#ifdef CT_HAS_PRODUCTS

#include "parallel.hpp"

namespace ct::avx512 {

Recipe Recipe::plain(int places) {
  Recipe recipe{places, places, std::vector<float>(static_cast<size_t>(places * places))};
  for (int i = 0; i < places; ++i) recipe.factors[static_cast<size_t>(i * places + i)] = 1;
  return recipe;
}

// The recipe whose planes and places are products of those of rows and of columns.
static Recipe squared(const std::vector<std::vector<float>> &side) {
  int planes = static_cast<int>(side.size()), places = static_cast<int>(side[0].size());
  Recipe recipe{places * places, planes * planes, {}};
  for (auto &row : side)
    for (auto &column : side)
      for (float down : row)
        for (float across : column) recipe.factors.push_back(down * across);
  return recipe;
}

Recipe Recipe::upsampling() {
  // Of a row of three, the first phase sees the last two in one pixel, the second the first two.
  Recipe all = squared({{1, 0, 0}, {0, 1, 1}, {1, 1, 0}, {0, 0, 1}});
  Recipe ordered{all.places, all.planes, {}};
  for (int phase = 0; phase < 4; ++phase) {
    for (int pixel = 0; pixel < 4; ++pixel) {
      int row = phase / 2 * 2 + pixel / 2, column = phase % 2 * 2 + pixel % 2;
      auto from = all.factors.begin() + (row * 4 + column) * 9;
      ordered.factors.insert(ordered.factors.end(), from, from + 9);
    }
  }
  return ordered;
}

Recipe Recipe::differences() { return squared({{1, 1, 1}, {1, 0, 0}, {0, 0, 1}}); }

Recipe Recipe::winograd() {
  return squared({{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}});
}

}  // namespace ct::avx512

CT_AVX512_BEGIN

namespace ct::avx512 {
namespace {

// What a thread works with: the places of one output's kernel, and planes of 16 outputs.
struct Room {
  int64_t width;  // inputs, to whole vectors of 32
  std::vector<float> places;
  std::vector<uint16_t> planes;

  Room(int64_t inputs, const Recipe &recipe)
      : width((inputs + 31) / 32 * 32),
        places(static_cast<size_t>(recipe.places * width)),
        planes(static_cast<size_t>(recipe.planes * 16 * width)) {}
  float *place(int i) { return places.data() + i * width; }
  uint16_t *plane(int i, int64_t output) { return planes.data() + (i * 16 + output) * width; }
};

// Brings the inputs of each place side by side.
void gather(const uint16_t *weight, int64_t inputs, int count, Room &room) {
  for (int place = 0; place < count; ++place) {
    float *to = room.place(place);
    for (int64_t i = 0; i < inputs; ++i) {
      uint32_t bits = static_cast<uint32_t>(weight[i * count + place]) << 16;
      std::memcpy(to + i, &bits, 4);
    }
  }
}

void mix(const Recipe &recipe, int64_t output, Room &room) {
  for (int plane = 0; plane < recipe.planes; ++plane) {
    const float *factors = recipe.factors.data() + plane * recipe.places;
    uint16_t *to = room.plane(plane, output);
    for (int64_t i = 0; i < room.width; i += 16) {
      __m512 sum = _mm512_setzero_ps();
      for (int place = 0; place < recipe.places; ++place) {
        if (factors[place] == 0) continue;
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(room.place(place) + i),
                              _mm512_set1_ps(factors[place]), sum);
      }
      store(to + i, sum, 0xFFFF);
    }
  }
}

// Puts pairs of 16 outputs of one plane where `multiply` looks for them.
void place(const uint16_t *plane, int64_t width, int64_t pairs, int64_t step, uint16_t *to) {
  for (int64_t pair = 0; pair < pairs; pair += 16) {
    __m512i words[16];
#pragma unroll
    for (int output = 0; output < 16; ++output)
      words[output] = _mm512_loadu_si512(plane + output * width + 2 * pair);
    transpose_words(words, reinterpret_cast<uint32_t *>(to + pair * step), step / 2,
                    static_cast<int>(std::min<int64_t>(16, pairs - pair)));
  }
}

void prepare_column(const uint16_t *weight, int64_t inputs, const Recipe &recipe,
                    const Kernels &kernels, int64_t column, Room &room) {
  for (int64_t i = 0; i < 16; ++i) {
    int64_t output = 16 * column + i;
    if (output < kernels.outputs)
      gather(weight + output * inputs * recipe.places, inputs, recipe.places, room);
    else
      std::fill(room.places.begin(), room.places.end(), 0.0f);
    mix(recipe, i, room);
  }
  int64_t block = 16 * column / panel, within = 16 * column % panel;
  for (int plane = 0; plane < recipe.planes; ++plane) {
    place(room.plane(plane, 0), room.width, kernels.pairs, 32 * kernels.columns(block),
          kernels.plane(block, plane) + 2 * within);
  }
}

}  // namespace

void prepare(const uint16_t *weight, int64_t inputs, const Recipe &recipe, const Kernels &kernels) {
  parallel_for((kernels.outputs + 15) / 16, 1, [&](int64_t begin, int64_t end) {
    Room room(inputs, recipe);
    for (int64_t column = begin; column < end; ++column)
      prepare_column(weight, inputs, recipe, kernels, column, room);
  });
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
#endif
