#include "CFiles.h"

#include <string.h>

enum { CF_LANES = 8 };

static const uint64_t factor = 0x9E3779B97F4A7C15u;

// One to one for each word, so that a single word that differs always changes the lane.
static uint64_t mixed(uint64_t lane, uint64_t word) {
  lane = (lane ^ word) * factor;
  return lane << 29 | lane >> 35;
}

static void add_block(uint64_t lanes[CF_LANES], const unsigned char *bytes) {
  for (int i = 0; i < CF_LANES; i++) {
    uint64_t word;
    memcpy(&word, bytes + 8 * i, 8);
    lanes[i] = mixed(lanes[i], word);
  }
}

uint64_t cf_digest(const void *bytes, size_t size) {
  const unsigned char *next = bytes;
  uint64_t lanes[CF_LANES];
  for (int i = 0; i < CF_LANES; i++) lanes[i] = factor * (uint64_t)(i + 1);
  size_t rest = size;
  for (; rest >= 64; rest -= 64, next += 64) add_block(lanes, next);
  unsigned char last[64] = {0};
  if (rest > 0) memcpy(last, next, rest);
  add_block(lanes, last);
  uint64_t sum = size;
  for (int i = 0; i < CF_LANES; i++) sum = mixed(sum, lanes[i]);
  return sum ^ sum >> 32;
}

#define CF_SCAN(type)                                                     \
  static int scan_##type(const unsigned char *bytes, size_t count, type mask) { \
    int found = 0;                                                        \
    for (size_t i = 0; i < count; i++) {                                  \
      type value;                                                         \
      memcpy(&value, bytes + i * sizeof value, sizeof value);             \
      found |= (value & mask) == mask;                                    \
    }                                                                     \
    return found;                                                         \
  }

CF_SCAN(uint8_t)
CF_SCAN(uint16_t)
CF_SCAN(uint32_t)
CF_SCAN(uint64_t)

int cf_has_mask(const void *bytes, size_t count, int width, uint64_t mask) {
  switch (width) {
  case 1: return scan_uint8_t(bytes, count, (uint8_t)mask);
  case 2: return scan_uint16_t(bytes, count, (uint16_t)mask);
  case 4: return scan_uint32_t(bytes, count, (uint32_t)mask);
  default: return scan_uint64_t(bytes, count, mask);
  }
}
