#include "counter.hpp"

#ifdef CT_HAS_LIBTORCH

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "pool.hpp"

using namespace ct;

namespace {

// What a pool would hold, and the blocks that are too small for it: the C library keeps what they ever took.
class Counter {
 public:
  Counter(size_t limit, ct_device_type stands_for, int threads)
      : stands_for(stands_for), threads(threads), pool_(limit, /*maps=*/false) {}

  const ct_device_type stands_for;
  const int threads;

  void *take(size_t bytes) {
    void *block = nullptr;
    if (bytes >= CT_POOL_SMALLEST) {
      block = pool_.take(bytes);
    } else {
      small_ += bytes;
      most_small_ = std::max(most_small_, small_);
    }
    note();
    return block;
  }

  void give(void *block, size_t bytes) {
    if (block)
      pool_.give(block);
    else
      small_ -= bytes;
  }

  void set_limit(size_t limit) { pool_.set_limit(limit); }

  ct_pool_usage usage() {
    ct_pool_usage use = now();
    return {use.live, use.held, peak_live_, peak_held_};
  }

  void reset_peaks() {
    ct_pool_usage use = now();
    peak_live_ = use.live;
    peak_held_ = use.held;
  }

 private:
  ct_pool_usage now() {
    ct_pool_usage use = pool_.usage();
    use.live += small_;
    use.held += most_small_;
    return use;
  }

  void note() {
    ct_pool_usage use = now();
    peak_live_ = std::max(peak_live_, use.live);
    peak_held_ = std::max(peak_held_, use.held);
  }

  Pool pool_;
  size_t small_ = 0, most_small_ = 0, peak_live_ = 0, peak_held_ = 0;
};

// Blocks may outlive the handle of their counter.
using Shared = std::shared_ptr<Counter>;
Shared *shared(ct_counter c) { return reinterpret_cast<Shared *>(c); }

thread_local ct_counter current = nullptr;

struct Block {
  Shared counter;
  void *place;
  size_t bytes;
};

// Gives out nothing, and tells the thread's counter.
class MetaAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    c10::Device meta(c10::DeviceType::Meta);
    if (!current || bytes == 0) return {nullptr, nullptr, &nothing, meta};
    Shared counter = *shared(current);
    auto block = new Block{counter, counter->take(bytes), bytes};
    return {nullptr, block, &give, meta};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &nothing; }
  void copy_data(void *, const void *, size_t) const override {}

 private:
  static void nothing(void *) {}
  static void give(void *context) {
    std::unique_ptr<Block> block(static_cast<Block *>(context));
    block->counter->give(block->place, block->bytes);
  }
};

// Listens to what tensors on the CPU are given, as a memory profiler does.
struct Listener final : c10::MemoryReportingInfoBase {
  int64_t live = 0, peak = 0;
  void reportMemoryUsage(void *, int64_t bytes, size_t, size_t, c10::Device device) override {
    if (!device.is_cpu()) return;
    live += bytes;
    peak = std::max(peak, live);
  }
  bool memoryProfilingEnabled() const override { return true; }
};

}  // namespace

bool ct::counts_as_cpu() { return current && (*shared(current))->stands_for == CT_CPU; }

int ct::counted_threads() { return current ? (*shared(current))->threads : 1; }

extern "C" {

ct_counter ct_counter_create(size_t limit, ct_device_type stands_for, int32_t threads) {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetAllocator(c10::DeviceType::Meta, new MetaAllocator, 1); });
  return reinterpret_cast<ct_counter>(new Shared(new Counter(limit, stands_for, threads)));
}

void ct_counter_release(ct_counter c) { delete shared(c); }
ct_counter ct_counter_begin(ct_counter c) { return std::exchange(current, c); }
void ct_counter_end(ct_counter former) { current = former; }
ct_counter ct_counter_current(void) { return current; }
ct_device_type ct_counter_stands_for(void) {
  return current ? (*shared(current))->stands_for : CT_META;
}
void ct_counter_set_limit(ct_counter c, size_t limit) { (*shared(c))->set_limit(limit); }
ct_pool_usage ct_counter_use(ct_counter c) { return (*shared(c))->usage(); }
void ct_counter_reset_peaks(ct_counter c) { (*shared(c))->reset_peaks(); }

ct_status ct_measure_allocations(void (*body)(void *), void *context, int64_t *peak) {
  return guarded([&] {
    auto listener = std::make_shared<Listener>();
    c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, listener);
    body(context);
    *peak = listener->peak;
  });
}

}  // extern "C"

#endif
