#include "guard.hpp"
#include "pool.hpp"

#ifdef CT_HAS_LIBTORCH

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <mutex>
#include <new>

#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace ct;

#ifdef __linux__

namespace {
/// The pool of the process; it and its pieces live as long.
Pool *shared = nullptr;

/// Large pieces come from the pool, small ones from where libtorch has them from.
class PoolAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void *piece = bytes >= CT_POOL_SMALLEST ? shared->take(bytes) : nullptr;
    // Also where the pool has no more: libtorch's allocator then says so in its own words.
    if (!piece) piece = c10::alloc_cpu(bytes);
    return {piece, piece, &give, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &give; }

  void copy_data(void *to, const void *from, size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  static void give(void *piece) {
    if (shared->owns(piece))
      shared->give(piece);
    else
      c10::free_cpu(piece);
  }
};
}  // namespace

#endif

extern "C" {

void ct_pool_install(size_t limit) {
#ifdef __linux__
  static std::once_flag once;
  std::call_once(once, [limit] {
    shared = new Pool(limit);
    c10::SetCPUAllocator(new PoolAllocator);
#ifdef __GLIBC__
    // One arena, since only the first can grow without a limit. Setting a size fixes it: else it
    // grows with what is freed, and large pieces would stay.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, CT_POOL_SMALLEST);
    mallopt(M_TRIM_THRESHOLD, 2 * CT_POOL_SMALLEST);
#endif
  });
#endif
}

ct_pool ct_pool_shared(void) {
#ifdef __linux__
  return reinterpret_cast<ct_pool>(shared);
#else
  return nullptr;
#endif
}

static Pool *pool_of(ct_pool p) { return reinterpret_cast<Pool *>(p); }

ct_pool ct_pool_create(size_t limit) {
#ifdef __linux__
  return reinterpret_cast<ct_pool>(new Pool(limit));
#else
  return nullptr;
#endif
}
void ct_pool_release(ct_pool p) { delete pool_of(p); }
void *ct_pool_take(ct_pool p, size_t bytes) { return pool_of(p)->take(bytes); }
void ct_pool_give(ct_pool p, void *piece) { pool_of(p)->give(piece); }
void ct_pool_set_limit(ct_pool p, size_t limit) { pool_of(p)->set_limit(limit); }
ct_pool_usage ct_pool_use(ct_pool p) { return pool_of(p)->usage(); }
void ct_pool_reset_peaks(ct_pool p) { pool_of(p)->reset_peaks(); }

}  // extern "C"

#endif
