// Events of a YAML document, read by libyaml.
#ifndef CYAML_H
#define CYAML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cy_kind {
  CY_END = 0,
  CY_DOCUMENT,
  CY_SCALAR,
  CY_LIST,
  CY_LIST_END,
  CY_MAPPING,
  CY_MAPPING_END,
  /// What stands for something said elsewhere.
  CY_ALIAS,
} cy_kind;

/// One event; its text lives until the next call.
typedef struct cy_event {
  cy_kind kind;
  const uint8_t *text;
  size_t size;
  /// Whether a scalar stands without quotes, so that it may be a number or null.
  int plain;
  /// Whether it has a tag or is an anchor.
  int marked;
  /// From 1.
  size_t line;
} cy_event;

typedef struct cy_reader cy_reader;

/// Reads bytes, which have to stay until the reader is closed; NULL without memory.
cy_reader *cy_open(const uint8_t *bytes, size_t size);

/// Reads the next event; 0 where the text is no YAML, see `cy_problem`.
int cy_next(cy_reader *reader, cy_event *event);

/// What is wrong, and in which line from 1.
const char *cy_problem(const cy_reader *reader, size_t *line);

void cy_close(cy_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
