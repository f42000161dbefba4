#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/normal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/random.h>
#include <ATen/ops/randperm.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/api/include/torch/version.h>

#include <dlfcn.h>

#include <atomic>
#include <string>
#include <string_view>

using namespace ct;

namespace {
c10::GeneratorImpl *impl_of(ct_generator g) { return reinterpret_cast<c10::GeneratorImpl *>(g); }

c10::DeviceIndex index_or_current(c10::Device d) {
  return d.has_index() ? d.index() : c10::impl::VirtualGuardImpl(d.type()).getDevice().index();
}

/// libtorch looks for CUDA once, at the first question about it, and keeps the answer: it must not be
/// asked before the library is there.
std::atomic<bool> cuda_is_loaded = false;
}  // namespace

extern "C" {

ct_status ct_generator_create(ct_device where, uint64_t seed, ct_generator *out) {
  return guarded([&] {
    c10::Device d = device(where);
    at::Generator g = d.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>()
                                 : at::globalContext().defaultGenerator(d).clone();
    g.set_current_seed(seed);
    *out = reinterpret_cast<ct_generator>(g.unsafeReleaseGeneratorImpl());
  });
}

void ct_generator_release(ct_generator g) {
  if (g) c10::intrusive_ptr<c10::GeneratorImpl>::reclaim(impl_of(g));
}

ct_status ct_generator_state(ct_generator g, ct_tensor *out) {
  return guarded([&] { *out = adopt(generator(g).get_state()); });
}

ct_status ct_generator_set_state(ct_generator g, ct_tensor state) {
  return guarded([&] { generator(g).set_state(borrow(state)); });
}

ct_status ct_randn(const int64_t *s, size_t rank, ct_generator g, ct_dtype d, ct_device where,
                   ct_tensor *out) {
  return guarded(
      [&] { *out = adopt(at::randn(sizes(s, rank), generator(g), options(d, where))); });
}

ct_status ct_rand(const int64_t *s, size_t rank, ct_generator g, ct_dtype d, ct_device where,
                  ct_tensor *out) {
  return guarded([&] { *out = adopt(at::rand(sizes(s, rank), generator(g), options(d, where))); });
}

ct_status ct_randint(int64_t low, int64_t high, const int64_t *s, size_t rank, ct_generator g,
                     ct_device where, ct_tensor *out) {
  return guarded([&] {
    *out = adopt(
        at::randint(low, high, sizes(s, rank), generator(g), options(CT_INT64, where)));
  });
}

ct_status ct_randn_like(ct_tensor t, ct_generator g, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::empty_like(borrow(t)).normal_(0, 1, generator(g))); });
}

ct_status ct_random_int64(ct_generator g, int64_t *out) {
  return guarded([&] {
    *out = at::empty({}, at::TensorOptions().dtype(at::kLong)).random_(generator(g)).item<int64_t>();
  });
}

ct_status ct_randperm(int64_t count, ct_generator g, ct_tensor *out) {
  return guarded([&] {
    *out = adopt(at::randperm(count, generator(g), at::TensorOptions().dtype(at::kLong)));
  });
}

ct_status ct_load_cuda(const char *library) {
  if (dlopen(library, RTLD_NOW | RTLD_GLOBAL)) {
    cuda_is_loaded = true;
    // The backward pass of cuDNN's attention gave NaN on an H100 (libtorch 2.11, bfloat16).
    at::globalContext().setSDPUseCuDNN(false);
    return CT_OK;
  }
  const char *why = dlerror();
  set_error(why ? why : "the dynamic loader gave no reason");
  return CT_ERROR;
}

bool ct_has_cuda(void) { return ct_cuda_device_count() > 0; }

int32_t ct_cuda_device_count(void) {
  int32_t count = 0;
  guarded([&] {
    if (cuda_is_loaded && at::globalContext().hasCUDA())
      count = c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount();
  });
  return count;
}

bool ct_has_mps(void) {
  bool result = false;
  guarded([&] { result = at::globalContext().hasMPS(); });
  return result;
}

ct_status ct_synchronize(ct_device where) {
  return guarded([&] {
    c10::Device d = device(where);
    if (!d.is_cpu()) c10::impl::VirtualGuardImpl(d.type()).synchronizeDevice(index_or_current(d));
  });
}

ct_status ct_empty_cache(ct_device where) {
  return guarded([&] {
    if (where.type != CT_CPU) at::getDeviceAllocator(device(where).type())->emptyCache();
  });
}

ct_status ct_device_memory(ct_device where, uint64_t *free_bytes, uint64_t *total_bytes) {
  return guarded([&] {
    c10::Device d = device(where);
    auto [free, total] = at::getDeviceAllocator(d.type())->getMemoryInfo(index_or_current(d));
    *free_bytes = free;
    *total_bytes = total;
  });
}

ct_status ct_device_peak_memory(ct_device where, uint64_t *allocated_bytes) {
  return guarded([&] {
    c10::Device d = device(where);
    auto stats = at::getDeviceAllocator(d.type())->getDeviceStats(index_or_current(d));
    *allocated_bytes = static_cast<uint64_t>(stats.allocated_bytes[0].peak);
  });
}

int32_t ct_threads(void) { return at::get_num_threads(); }
void ct_set_threads(int32_t count) { at::set_num_threads(count); }

const char *ct_cpu_capability(void) {
  static const std::string text = at::get_cpu_capability();
  return text.c_str();
}

const char *ct_torch_version(void) { return TORCH_VERSION; }

// libtorch may be told to use less than the processor has (ATEN_CPU_CAPABILITY), as tests of slower ones do.
bool ct_cpu_has_bfloat16(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") && std::string_view(ct_cpu_capability()) == "AVX512";
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

const char *ct_library_folder(void) {
  static const std::string folder = [] {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&at::get_num_threads), &info) || !info.dli_fname)
      return std::string();
    std::string file = info.dli_fname;
    size_t slash = file.rfind('/');
    return slash == std::string::npos ? std::string() : file.substr(0, slash);
  }();
  return folder.empty() ? nullptr : folder.c_str();
}

}  // extern "C"

#endif
