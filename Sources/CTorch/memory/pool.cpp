#include "pool.hpp"

#include <unistd.h>

#include <algorithm>

#ifdef __linux__
#include <sys/mman.h>
#endif

using namespace ct;

namespace {
const size_t page = std::max(4096L, sysconf(_SC_PAGESIZE));
/// Addresses cost nothing until they are written to.
constexpr size_t range = size_t(1) << 38;

/// The range of a pool that only counts; never read or written.
char *const nowhere = reinterpret_cast<char *>(page);

#ifdef __linux__
// Made writable block by block, so that the system can refuse what it will never have.
char *reserve() {
  void *base = mmap(nullptr, range, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return base == MAP_FAILED ? nullptr : static_cast<char *>(base);
}
void unreserve(char *base) { munmap(base, range); }
bool make_writable(char *from, size_t size) {
  return mprotect(from, size, PROT_READ | PROT_WRITE) == 0;
}
void release(char *from, size_t size) { madvise(from, size, MADV_DONTNEED); }
#else
char *reserve() { return nullptr; }
void unreserve(char *) {}
bool make_writable(char *, size_t) { return false; }
void release(char *, size_t) {}
#endif
}  // namespace

Pool::Pool(size_t limit, bool maps)
    : limit_(limit), maps_(maps), base_(maps ? reserve() : nowhere) {}

Pool::~Pool() {
  if (maps_ && base_) unreserve(base_);
}

bool Pool::owns(const void *piece) const {
  auto at = static_cast<const char *>(piece);
  return base_ && at >= base_ && at < base_ + range;
}

void *Pool::take(size_t bytes) {
  if (!base_ || bytes == 0 || bytes > range) return nullptr;
  size_t size = (bytes + page - 1) / page * page;
  std::lock_guard lock(mutex_);
  size_t start = place(size);
  if (start == range) return nullptr;
  pieces_.emplace(start, size);
  usage_.live += size;
  usage_.held += held_.insert(start, start + size);
  usage_.peak_live = std::max(usage_.peak_live, usage_.live);
  usage_.peak_held = std::max(usage_.peak_held, usage_.held);
  return base_ + start;
}

/// Where a piece goes; the range's size where it goes nowhere.
size_t Pool::place(size_t size) {
  auto found = holes_by_size_.lower_bound({size, 0});
  if (found == holes_by_size_.end()) {
    if (size > range - end_ || !reach(end_ + size)) return range;
    end_ += size;
    return end_ - size;
  }
  auto hole = holes_.find(found->second);
  auto [start, room] = *hole;
  drop_hole(hole);
  if (room > size) add_hole(start + size, room - size);
  return start;
}

bool Pool::reach(size_t end) {
  if (end <= reached_) return true;
  if (maps_ && !make_writable(base_ + reached_, end - reached_)) return false;
  reached_ = end;
  return true;
}

void Pool::add_hole(size_t start, size_t size) {
  holes_.emplace(start, size);
  holes_by_size_.emplace(size, start);
}

void Pool::drop_hole(std::map<size_t, size_t>::iterator hole) {
  holes_by_size_.erase({hole->second, hole->first});
  holes_.erase(hole);
}

void Pool::give(void *piece) {
  std::lock_guard lock(mutex_);
  size_t start = static_cast<char *>(piece) - base_;
  auto known = pieces_.find(start);
  size_t size = known->second;
  pieces_.erase(known);
  usage_.live -= size;
  if (size >= limit_) give_back(start, size);
  auto next = holes_.lower_bound(start);
  if (next != holes_.end() && next->first == start + size) {
    size += next->second;
    drop_hole(next++);
  }
  if (next != holes_.begin()) {
    auto former = std::prev(next);
    if (former->first + former->second == start) {
      start = former->first;
      size += former->second;
      drop_hole(former);
    }
  }
  if (start + size == end_)
    end_ = start;
  else
    add_hole(start, size);
}

void Pool::give_back(size_t start, size_t size) {
  size_t held = held_.remove(start, start + size);
  if (held == 0) return;
  if (maps_) release(base_ + start, size);
  usage_.held -= held;
}

void Pool::set_limit(size_t limit) {
  std::lock_guard lock(mutex_);
  limit_ = limit;
  for (auto [start, size] : holes_) give_back(start, size);
  give_back(end_, reached_ - end_);
}

ct_pool_usage Pool::usage() {
  std::lock_guard lock(mutex_);
  return usage_;
}

void Pool::reset_peaks() {
  std::lock_guard lock(mutex_);
  usage_.peak_live = usage_.live;
  usage_.peak_held = usage_.held;
}
