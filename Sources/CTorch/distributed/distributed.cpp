#include "guard.hpp"
#include "nccl.hpp"

// The wheel for macOS has Gloo over another transport, which has not been tried.
#if defined(CT_HAS_LIBTORCH) && defined(__linux__) && \
    __has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>)
#define CT_HAS_GLOO
#define USE_DISTRIBUTED
#define USE_C10D
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#endif

using namespace ct;

#ifdef CT_HAS_GLOO

// A process among others. Those with a GPU have Gloo, too: for what stays on the host.
struct ct_group_s {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  std::unique_ptr<Nccl> nccl;
  std::chrono::milliseconds timeout;
};

namespace {

using Gloo = c10d::ProcessGroupGloo;

c10::intrusive_ptr<c10d::Store> store(const ct_meeting &m, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(m.port);
  options.isServer = m.serves;
  // Who is late is noticed below. Here, the server would leave without telling who came.
  options.waitWorkers = false;
  options.timeout = timeout;
  auto plain = c10::make_intrusive<c10d::TCPStore>(m.host, options);
  return c10::make_intrusive<c10d::PrefixStore>(m.prefix, plain);
}

// The way to the others: the interface that the user names, as for PyTorch, or this machine alone.
std::shared_ptr<gloo::transport::Device> transport(const ct_meeting &m) {
  const char *interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface && *interface) return Gloo::createDeviceForInterface(interface, false);
  bool alone = !std::strcmp(m.host, "localhost") || !std::strncmp(m.host, "127.", 4);
  return alone ? Gloo::createDeviceForHostname("127.0.0.1", false)
               : Gloo::createDefaultDevice(false);
}

// What libtorch warns of on standard error comes as an error, too, unless the user asks for it.
void silence_warnings() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL")) return;
  auto level = static_cast<int *>(dlsym(RTLD_DEFAULT, "FLAGS_caffe2_log_level"));
  if (level) *level = 2;
}

void wait(const c10::intrusive_ptr<c10d::Work> &work) { work->wait(); }

std::vector<at::Tensor> one(ct_tensor t) { return {*Borrowed(t)}; }

template <class Options>
Options options(ct_group g) {
  Options options;
  options.timeout = g->timeout;
  return options;
}

// Rank 0 makes the identifier, the others read it.
void join_nccl(ct_group g, const ct_meeting &m, c10::Device where, const char *library) {
  Nccl::load(library);
  if (m.rank == 0) {
    Nccl::ID made = Nccl::make_id();
    g->store->set("nccl", std::vector<uint8_t>(made.begin(), made.end()));
  }
  std::vector<uint8_t> read = g->store->get("nccl");
  Nccl::ID id;
  TORCH_CHECK(read.size() == id.size(), "NCCL's identifier has ", read.size(), " bytes");
  std::copy(read.begin(), read.end(), id.begin());
  // NCCL waits for the others without end, so all have to be here.
  auto barrier = options<c10d::BarrierOptions>(g);
  wait(g->gloo->barrier(barrier));
  g->nccl = std::make_unique<Nccl>(id, m.rank, m.size, where, g->timeout);
}

// Whether a tensor goes through NCCL.
bool by_nccl(ct_group g, ct_tensor t) {
  if (impl(t)->device().is_cpu()) return false;
  TORCH_CHECK(g->nccl, "tensors on ", impl(t)->device(), " need a group for that device");
  return true;
}

}  // namespace

extern "C" {

bool ct_group_available(void) { return true; }

ct_status ct_group_create(const ct_meeting *m, ct_device where, const char *nccl, ct_group *out) {
  return guarded([&] {
    silence_warnings();
    auto made = std::make_unique<ct_group_s>();
    made->timeout = std::chrono::milliseconds(m->timeout);
    made->store = store(*m, made->timeout);
    auto settings = Gloo::Options::create(made->timeout);
    settings->devices = {transport(*m)};
    made->gloo = c10::make_intrusive<Gloo>(made->store, m->rank, m->size, settings);
    if (where.type != CT_CPU) join_nccl(made.get(), *m, device(where), nccl);
    *out = made.release();
  });
}

void ct_group_release(ct_group g) { delete g; }

ct_status ct_group_sum(ct_group g, ct_tensor t) {
  return guarded([&] {
    if (by_nccl(g, t)) return g->nccl->sum(borrow(t));
    auto tensors = one(t);
    wait(g->gloo->allreduce(tensors, options<c10d::AllreduceOptions>(g)));
  });
}

ct_status ct_group_sum_to(ct_group g, ct_tensor t, int32_t root) {
  return guarded([&] {
    if (by_nccl(g, t)) return g->nccl->sum_to(borrow(t), root);
    auto tensors = one(t);
    auto settings = options<c10d::ReduceOptions>(g);
    settings.rootRank = root;
    wait(g->gloo->reduce(tensors, settings));
  });
}

ct_status ct_group_broadcast(ct_group g, ct_tensor t, int32_t root) {
  return guarded([&] {
    if (by_nccl(g, t)) return g->nccl->broadcast(borrow(t), root);
    auto tensors = one(t);
    auto settings = options<c10d::BroadcastOptions>(g);
    settings.rootRank = root;
    wait(g->gloo->broadcast(tensors, settings));
  });
}

ct_status ct_group_gather(ct_group g, ct_tensor t, ct_tensor out) {
  return guarded([&] {
    if (by_nccl(g, t)) return g->nccl->gather(borrow(t), borrow(out));
    at::Tensor from = *borrow(t), to = *borrow(out);
    wait(g->gloo->_allgather_base(to, from, options<c10d::AllgatherOptions>(g)));
  });
}

ct_status ct_group_scatter_sum(ct_group g, ct_tensor t, ct_tensor out) {
  return guarded([&] {
    if (by_nccl(g, t)) return g->nccl->scatter_sum(borrow(t), borrow(out));
    at::Tensor from = *borrow(t), to = *borrow(out);
    wait(g->gloo->_reduce_scatter_base(to, from, options<c10d::ReduceScatterOptions>(g)));
  });
}

ct_status ct_group_send(ct_group g, ct_tensor t, int32_t to) {
  return guarded([&] {
    auto tensors = one(t);
    TORCH_CHECK(g->gloo->send(tensors, to, 0)->wait(g->timeout), "was aborted");
  });
}

ct_status ct_group_receive(ct_group g, ct_tensor t, int32_t from) {
  return guarded([&] {
    auto tensors = one(t);
    TORCH_CHECK(g->gloo->recv(tensors, from, 0)->wait(g->timeout), "was aborted");
  });
}

ct_status ct_group_barrier(ct_group g) {
  return guarded([&] { wait(g->gloo->barrier(options<c10d::BarrierOptions>(g))); });
}

}  // extern "C"

#elif defined(CT_HAS_LIBTORCH)

namespace {
ct_status absent() {
  set_error("this libtorch has no Gloo, so processes cannot work together here");
  return CT_NOT_IMPLEMENTED;
}
}  // namespace

extern "C" {

bool ct_group_available(void) { return false; }
ct_status ct_group_create(const ct_meeting *, ct_device, const char *, ct_group *) {
  return absent();
}
void ct_group_release(ct_group) {}
ct_status ct_group_sum(ct_group, ct_tensor) { return absent(); }
ct_status ct_group_sum_to(ct_group, ct_tensor, int32_t) { return absent(); }
ct_status ct_group_broadcast(ct_group, ct_tensor, int32_t) { return absent(); }
ct_status ct_group_gather(ct_group, ct_tensor, ct_tensor) { return absent(); }
ct_status ct_group_scatter_sum(ct_group, ct_tensor, ct_tensor) { return absent(); }
ct_status ct_group_send(ct_group, ct_tensor, int32_t) { return absent(); }
ct_status ct_group_receive(ct_group, ct_tensor, int32_t) { return absent(); }
ct_status ct_group_barrier(ct_group) { return absent(); }

}  // extern "C"

#endif
