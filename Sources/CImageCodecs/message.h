#ifndef CI_MESSAGE_H
#define CI_MESSAGE_H

#include "CImageCodecs.h"

#include <stdio.h>

/// Writes the reason of a failure and returns 0, the value of a failed call.
static inline int ci_fail(char *message, const char *reason) {
  snprintf(message, CI_MESSAGE_SIZE, "%s", reason);
  return 0;
}

#endif
