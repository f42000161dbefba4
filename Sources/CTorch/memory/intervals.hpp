// A set of numbers as intervals that do not meet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>

namespace ct {

class Intervals {
 public:
  /// Adds [start, end); returns how many numbers are new.
  size_t insert(size_t start, size_t end) {
    size_t found = remove(start, end);
    size_t count = end - start;
    auto next = ends_.lower_bound(start);
    if (next != ends_.end() && next->first == end) {
      end = next->second;
      next = ends_.erase(next);
    }
    if (next != ends_.begin() && std::prev(next)->second == start)
      std::prev(next)->second = end;
    else
      ends_.emplace_hint(next, start, end);
    return count - found;
  }

  /// Takes [start, end) out; returns how many numbers were in.
  size_t remove(size_t start, size_t end) {
    size_t count = 0;
    auto at = ends_.upper_bound(start);
    if (at != ends_.begin()) --at;
    while (at != ends_.end() && at->first < end) {
      auto [first, last] = *at;
      if (last <= start) {
        ++at;
        continue;
      }
      count += std::min(last, end) - std::max(first, start);
      at = ends_.erase(at);
      if (first < start) ends_.emplace(first, start);
      if (last > end) ends_.emplace(end, last);
    }
    return count;
  }

 private:
  std::map<size_t, size_t> ends_;
};

}  // namespace ct
