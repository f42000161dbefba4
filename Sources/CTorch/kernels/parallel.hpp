// Loops over the workers that ATen computes with.
//
// at::parallel_for is a template and becomes what the including file is compiled to: without
// -fopenmp, a plain loop. This one asks the OpenMP library that libtorch brought for its workers, by
// the entry that GCC's and LLVM's have in common.
#pragma once

#include "counter.hpp"
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace ct {

using parallel_region = void (*)(void (*)(void *), void *, unsigned, unsigned);

// Runs a function once on each of so many workers; NULL where there is no OpenMP.
inline parallel_region workers() {
  static const auto found = reinterpret_cast<parallel_region>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  return found;
}

// Calls `body(begin, end)` for ranges of `piece`, but for the last, that together are 0..<count, on as
// many threads as ATen uses. The ranges are handed out as threads become free: a core that others
// use does not hold up the rest. What `body` throws reaches the caller, the first of several.
//
// Where a thread counts memory instead of computing, nothing is called: its tensors have no values.
template <class F>
void parallel_pieces(int64_t count, int64_t piece, F body) {
  if (count <= 0 || ct_counter_current()) return;
  int64_t useful = std::min<int64_t>(at::get_num_threads(), (count + piece - 1) / piece);
  if (useful < 2 || !workers()) return body(int64_t{0}, count);

  struct Work {
    F &body;
    int64_t count, piece;
    std::atomic<int64_t> next{0};
    std::atomic_flag failed = ATOMIC_FLAG_INIT;
    std::exception_ptr failure = nullptr;

    void run() noexcept {
      try {
        for (int64_t begin; (begin = next.fetch_add(piece)) < count;) {
          body(begin, std::min(begin + piece, count));
        }
      } catch (...) {
        if (!failed.test_and_set()) failure = std::current_exception();
        next = count;
      }
    }
  } work{body, count, piece};
  workers()([](void *work) { static_cast<Work *>(work)->run(); }, &work,
            static_cast<unsigned>(useful), 0);
  if (work.failure) std::rethrow_exception(work.failure);
}

// The same in a few ranges for each thread, each of at least `grain` but for the last.
template <class F>
void parallel_for(int64_t count, int64_t grain, F body) {
  int64_t threads = at::get_num_threads();
  parallel_pieces(count, std::max({grain, (count + 4 * threads - 1) / (4 * threads), int64_t{1}}),
                  body);
}

// Calls `body(task)` for tasks that are worth being handed out one by one.
template <class F>
void parallel_tasks(int64_t count, F body) {
  parallel_pieces(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) body(task);
  });
}

// The same with what `make_room()` gave the thread: `body(task, room)`.
template <class Make, class F>
void parallel_tasks(int64_t count, Make make_room, F body) {
  std::atomic<int64_t> next{0};
  parallel_pieces(std::min<int64_t>(at::get_num_threads(), count), 1, [&](int64_t, int64_t) {
    auto room = make_room();
    for (int64_t task; (task = next.fetch_add(1)) < count;) body(task, room);
  });
}

}  // namespace ct

#endif
