// Products of 8-bit integers: six rows times a panel of 64 columns, four neighbors along the
// rows with one instruction. Sums are exact; how work is shared out does not change them.
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <algorithm>
#include <memory>
#include <utility>

#include "parallel.hpp"
#include "products.hpp"
#include "rotated.hpp"
#include "vectors.hpp"

using namespace ct;

#ifdef CT_HAS_PRODUCTS

namespace {

static_assert(RotatedRows::together == panel_rows);

constexpr int64_t row_line = RotatedRows::line, block_line = panel_rows * row_line;
constexpr int64_t words = row_line / 4;  // of four neighbors, in a line
// What a task computes at most: so many rows and panels, whose sums stay in a core's second cache ...
constexpr int64_t most_rows = 768, task_panels = 2, task_columns = task_panels * panel_columns;
// ... with so many lines of each at a time, which for six rows stay in its first.
constexpr int64_t most_lines = 16;
// So many tasks for each thread keep all of them busy to the end.
constexpr int64_t tasks_per_thread = 4;

struct Product {
  const RotatedRows &rows;
  const int8_t *weight;
  const float *scales;
  int64_t columns;
  void *out;
  bool writes_bfloat16;

  int64_t task_rows = most_rows;

  int64_t column_tasks() const { return (columns + task_columns - 1) / task_columns; }
  int64_t row_tasks() const { return (rows.count + task_rows - 1) / task_rows; }

  // Fewer rows for a task where there would not be tasks enough.
  void share_among(int64_t threads) {
    int64_t parts = (tasks_per_thread * threads + column_tasks() - 1) / column_tasks();
    int64_t blocks = (rows.blocks() + parts - 1) / parts;
    task_rows = std::min(most_rows, blocks * panel_rows);
  }

  // One task after the other meets the smaller side again, which may still be in a cache.
  std::pair<int64_t, int64_t> place(int64_t number) const {
    bool rows_first = rows.byte_count() < columns * rows.width;
    int64_t row = rows_first ? number % row_tasks() : number / column_tasks();
    int64_t column = rows_first ? number / row_tasks() : number % column_tasks();
    return {row * task_rows, column * task_columns};
  }
};

// Memory of one thread.
struct Space {
  alignas(64) uint32_t panels[task_panels][most_lines * words * panel_columns];
  alignas(64) int32_t starts[task_columns];
  alignas(64) int32_t sums[most_rows * task_columns];
};

Space &space() {
  static thread_local std::unique_ptr<Space> own(new Space);
  return *own;
}

CT_AVX512_INTEGERS_BEGIN

[[gnu::always_inline]] inline __mmask64 first_bytes(int64_t count) {
  return count >= 64 ? ~__mmask64{0} : count > 0 ? (__mmask64{1} << count) - 1 : 0;
}

// Lines of the weights of 64 outputs as a panel, with zeros for what is not there. `starts` becomes
// what the 128 that are added to each number of a row would add to sums, to be taken off.
void pack(const Product &p, int64_t column, int64_t first, int64_t lines, uint32_t *panel,
          int32_t *starts) {
  __m512i sums[4] = {};
  for (int64_t line = 0; line < lines; line++) {
    int64_t begin = (first + line) * row_line;
    __mmask64 mask = first_bytes(p.rows.width - begin);
    uint32_t *to = panel + line * words * panel_columns;
    for (int64_t group = 0; group < panel_columns; group += 16) {
      __m512i rows[16];
#pragma unroll
      for (int i = 0; i < 16; i++) {
        int64_t output = column + group + i;
        bool is_there = output < p.columns;
        const int8_t *from = is_there ? p.weight + output * p.rows.width + begin : p.weight;
        rows[i] = _mm512_maskz_loadu_epi8(is_there ? mask : 0, from);
      }
      transpose_words(rows, to + group, panel_columns, words);
    }
    for (int64_t word = 0; word < words; word++)
#pragma unroll
      for (int i = 0; i < 4; i++)
        sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_set1_epi8(static_cast<char>(128)),
                                      _mm512_load_si512(to + word * panel_columns + 16 * i));
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
    _mm512_store_si512(starts + 16 * i, _mm512_sub_epi32(_mm512_setzero_si512(), sums[i]));
}

// sums[6, 64] = starts + rows · panel, or that added to what was there.
[[gnu::always_inline]] inline void multiply(const uint8_t *rows, const uint32_t *panel, int64_t lines,
                                            const int32_t *starts, int32_t *sums, bool adds) {
  __m512i own[panel_rows][4];
#pragma unroll
  for (int row = 0; row < panel_rows; row++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      own[row][i] = _mm512_load_si512(starts + 16 * i);
      if (adds)
        own[row][i] = _mm512_add_epi32(
            own[row][i], _mm512_load_si512(sums + row * task_columns + 16 * i));
    }
  for (int64_t line = 0; line < lines; line++) {
#pragma clang loop unroll_count(4)
    for (int64_t word = 0; word < words; word++) {
      const uint32_t *place = panel + (line * words + word) * panel_columns;
      __m512i weights[4];
#pragma unroll
      for (int i = 0; i < 4; i++) weights[i] = _mm512_load_si512(place + 16 * i);
#pragma unroll
      for (int row = 0; row < panel_rows; row++) {
        int32_t four;
        std::memcpy(&four, rows + line * block_line + row * row_line + 4 * word, 4);
        __m512i factor = _mm512_set1_epi32(four);
#pragma unroll
        for (int i = 0; i < 4; i++)
          own[row][i] = _mm512_dpbusd_epi32(own[row][i], factor, weights[i]);
      }
    }
  }
#pragma unroll
  for (int row = 0; row < panel_rows; row++)
#pragma unroll
    for (int i = 0; i < 4; i++) _mm512_store_si512(sums + row * task_columns + 16 * i, own[row][i]);
}

// Sixteen sums or fewer of a row, with their scales, to where they belong.
[[gnu::always_inline]] inline void finish(const Product &p, const int32_t *sums, int64_t row,
                                          int64_t column) {
  int64_t count = std::min<int64_t>(16, p.columns - column);
  auto mask = static_cast<__mmask16>((1u << count) - 1);
  __m512 scales = _mm512_maskz_loadu_ps(mask, p.scales + column);
  __m512 result = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)),
                                _mm512_mul_ps(scales, _mm512_set1_ps(p.rows.scales[row])));
  int64_t place = row * p.columns + column;
  if (!p.writes_bfloat16) return _mm512_mask_storeu_ps(static_cast<float *>(p.out) + place, mask, result);
  Floats numbers;
  reinterpret(result, numbers);
  auto to = static_cast<uint16_t *>(p.out) + place;
  if (count == 16) return store(numbers, to);
  uint16_t some[16];
  store(numbers, some);
  std::memcpy(to, some, static_cast<size_t>(count) * sizeof(*to));
}

struct Task {
  const Product &p;
  int64_t row, rows, column, panels;
  Space &s;

  // A part of the sums: `lines` lines of rows and weights, from one on.
  void add(int64_t first, int64_t lines) const {
    for (int64_t i = 0; i < panels; i++)
      pack(p, column + i * panel_columns, first, lines, s.panels[i], s.starts + i * panel_columns);
    for (int64_t r = 0; r < rows; r += panel_rows) {
      const uint8_t *block =
          p.rows.bytes + ((row + r) / panel_rows * p.rows.lines() + first) * block_line;
      for (int64_t i = 0; i < panels; i++)
        multiply(block, s.panels[i], lines, s.starts + i * panel_columns,
                 s.sums + r * task_columns + i * panel_columns, first > 0);
    }
  }

  void write() const {
    int64_t end = std::min(p.columns, column + panels * panel_columns);
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = column; c < end; c += 16)
        finish(p, s.sums + r * task_columns + (c - column), row + r, c);
  }
};

CT_AVX512_END

void compute(const Product &p, int64_t number) {
  auto [row, column] = p.place(number);
  Task task{p, row, std::min(p.task_rows, p.rows.count - row), column,
            std::min(task_panels, (p.columns - column + panel_columns - 1) / panel_columns), space()};
  // In parts of about one length.
  int64_t lines = p.rows.lines(), parts = (lines + most_lines - 1) / most_lines;
  for (int64_t part = 0; part < parts; part++) {
    int64_t first = part * lines / parts;
    task.add(first, (part + 1) * lines / parts - first);
  }
  task.write();
}

}  // namespace

#endif

void ct::multiply_rotated(const RotatedRows &rows, const Quantized &weight, at::Tensor &out) {
#ifdef CT_HAS_PRODUCTS
  Product product{rows,
                  static_cast<const int8_t *>(weight.values.const_data_ptr()),
                  static_cast<const float *>(weight.scale.const_data_ptr()),
                  weight.values.size(0),
                  out.mutable_data_ptr(),
                  out.scalar_type() == at::kBFloat16};
  product.share_among(at::get_num_threads());
  parallel_tasks(product.column_tasks() * product.row_tasks(),
                 [&](int64_t number) { compute(product, number); });
#else
  TORCH_CHECK(false, "this processor has no kernel for integers of 8 bits");
#endif
}

#endif
