#include "nccl.hpp"

#ifdef CT_HAS_LIBTORCH

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <dlfcn.h>

#include <mutex>
#include <string>
#include <thread>

using namespace ct;

namespace {

// The library takes its identifier by value, as a struct of this size.
struct UniqueID {
  char bytes[128];
};
constexpr int kSuccess = 0;
constexpr int kInProgress = 7;
constexpr int kSum = 0;

using Reduce = int(const void *, void *, size_t, int type, int operation, void *, void *);

struct Library {
  const char *(*ncclGetErrorString)(int);
  int (*ncclGetUniqueId)(UniqueID *);
  int (*ncclCommInitRank)(void **, int size, UniqueID, int rank);
  int (*ncclCommDestroy)(void *);
  int (*ncclCommAbort)(void *);
  int (*ncclCommGetAsyncError)(void *, int *);
  Reduce *ncclAllReduce;
  Reduce *ncclReduceScatter;
  int (*ncclReduce)(const void *, void *, size_t, int type, int operation, int root, void *, void *);
  int (*ncclBroadcast)(const void *, void *, size_t, int type, int root, void *, void *);
  int (*ncclAllGather)(const void *, void *, size_t, int type, void *, void *);
};

const Library *library = nullptr;

template <class F>
void find(void *handle, const char *name, F &function) {
  function = reinterpret_cast<F>(dlsym(handle, name));
  TORCH_CHECK(function, "this NCCL has no ", name);
}

Library open(const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  TORCH_CHECK(handle, "NCCL cannot be loaded: ", dlerror());
  Library found;
#define CT_FIND(name) find(handle, #name, found.name)
  CT_FIND(ncclGetErrorString);
  CT_FIND(ncclGetUniqueId);
  CT_FIND(ncclCommInitRank);
  CT_FIND(ncclCommDestroy);
  CT_FIND(ncclCommAbort);
  CT_FIND(ncclCommGetAsyncError);
  CT_FIND(ncclAllReduce);
  CT_FIND(ncclReduceScatter);
  CT_FIND(ncclReduce);
  CT_FIND(ncclBroadcast);
  CT_FIND(ncclAllGather);
#undef CT_FIND
  return found;
}

void expect(int status) {
  TORCH_CHECK(status == kSuccess || status == kInProgress, "NCCL: ",
              library->ncclGetErrorString(status));
}

int type(const at::Tensor &t) {
  switch (t.scalar_type()) {
    case at::kChar: return 0;
    case at::kByte: return 1;
    case at::kInt: return 2;
    case at::kLong: return 4;
    case at::kHalf: return 6;
    case at::kFloat: return 7;
    case at::kDouble: return 8;
    case at::kBFloat16: return 9;
    default: TORCH_CHECK(false, "NCCL has no type for ", t.scalar_type());
  }
}

size_t count(const at::Tensor &t) { return static_cast<size_t>(t.numel()); }

// libtorch numbers CUDA's default stream 0, which is NULL there.
void *native(const c10::Stream &stream) {
  return stream.id() == 0 ? nullptr : stream.native_handle();
}

}  // namespace

void Nccl::load(const char *path) {
  static std::mutex once;
  std::lock_guard<std::mutex> lock(once);
  if (!library) library = new Library(open(path));
}

Nccl::ID Nccl::make_id() {
  UniqueID made;
  expect(library->ncclGetUniqueId(&made));
  ID id;
  std::copy(std::begin(made.bytes), std::end(made.bytes), id.begin());
  return id;
}

Nccl::Nccl(const ID &id, int rank, int size, c10::Device device, std::chrono::milliseconds timeout)
    : device_(device), timeout_(timeout) {
  c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
  UniqueID given;
  std::copy(id.begin(), id.end(), given.bytes);
  expect(library->ncclCommInitRank(&comm_, size, given, rank));
}

Nccl::~Nccl() {
  if (comm_) library->ncclCommDestroy(comm_);
}

void Nccl::sum(const at::Tensor &t) {
  run([&](void *stream) {
    return library->ncclAllReduce(t.data_ptr(), t.data_ptr(), count(t), type(t), kSum, comm_, stream);
  });
}

void Nccl::sum_to(const at::Tensor &t, int root) {
  run([&](void *stream) {
    return library->ncclReduce(t.data_ptr(), t.data_ptr(), count(t), type(t), kSum, root, comm_,
                               stream);
  });
}

void Nccl::broadcast(const at::Tensor &t, int root) {
  run([&](void *stream) {
    return library->ncclBroadcast(t.data_ptr(), t.data_ptr(), count(t), type(t), root, comm_, stream);
  });
}

void Nccl::gather(const at::Tensor &t, const at::Tensor &out) {
  run([&](void *stream) {
    return library->ncclAllGather(t.data_ptr(), out.data_ptr(), count(t), type(t), comm_, stream);
  });
}

void Nccl::scatter_sum(const at::Tensor &t, const at::Tensor &out) {
  run([&](void *stream) {
    return library->ncclReduceScatter(t.data_ptr(), out.data_ptr(), count(out), type(t), kSum, comm_,
                                      stream);
  });
}

void Nccl::run(const std::function<int(void *)> &queue) {
  TORCH_CHECK(comm_, "NCCL's communicator was given up after an earlier error");
  expect(queue(native(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_))));
  wait();
}

void Nccl::wait() {
  c10::Event done(device_.type(), c10::EventFlag::PYTORCH_DEFAULT);
  done.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  auto deadline = std::chrono::steady_clock::now() + timeout_;
  while (!done.query()) {
    int status = kSuccess;
    expect(library->ncclCommGetAsyncError(comm_, &status));
    if (status != kSuccess && status != kInProgress) fail(library->ncclGetErrorString(status));
    if (std::chrono::steady_clock::now() > deadline) fail("timed out");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

// Only giving up the communicator ends what it has queued on the device.
void Nccl::fail(const char *why) {
  library->ncclCommAbort(comm_);
  comm_ = nullptr;
  TORCH_CHECK(false, "NCCL: ", why);
}

#endif
