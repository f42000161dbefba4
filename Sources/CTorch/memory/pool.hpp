// Large blocks of memory from one reserved range of addresses, or the same bookkeeping without memory.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "CTorch.h"
#include "intervals.hpp"

namespace ct {

/// A piece comes from the smallest hole that is large enough, the first of those of one size, else
/// from the end; holes that meet become one, and one that meets the end becomes part of what is
/// beyond. Pieces are whole pages, so nothing small can settle between them.
class Pool {
 public:
  /// Freed pieces of `limit` bytes and more go back to the system.
  ///
  /// `maps` is false for a pool that only counts: its addresses must not be used.
  explicit Pool(size_t limit, bool maps = true);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  /// A piece of memory, or null where the system or the range has no more.
  void *take(size_t bytes);
  void give(void *piece);
  bool owns(const void *piece) const;

  /// Changes the limit and gives back all that is free.
  void set_limit(size_t limit);
  ct_pool_usage usage();
  /// Begins to look for the most anew.
  void reset_peaks();

 private:
  size_t place(size_t size);
  bool reach(size_t end);
  void add_hole(size_t start, size_t size);
  void drop_hole(std::map<size_t, size_t>::iterator hole);
  void give_back(size_t start, size_t size);

  std::mutex mutex_;
  size_t limit_;
  bool maps_;
  char *base_;
  /// Where pieces and holes end, and up to where the system lets us write.
  size_t end_ = 0, reached_ = 0;
  std::map<size_t, size_t> holes_;
  std::set<std::pair<size_t, size_t>> holes_by_size_;
  std::unordered_map<size_t, size_t> pieces_;
  /// What counts to the process.
  Intervals held_;
  ct_pool_usage usage_ = {};
};

}  // namespace ct
