#include "CYAML.h"

#include <stdlib.h>

#if !__has_include(<yaml.h>)
#error "libyaml not found: run 'make setup' or install libyaml-dev"
#else
#include <yaml.h>

struct cy_reader {
  yaml_parser_t parser;
  yaml_event_t event;
  int holds_event;
};

cy_reader *cy_open(const uint8_t *bytes, size_t size) {
  cy_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL || !yaml_parser_initialize(&reader->parser)) {
    free(reader);
    return NULL;
  }
  yaml_parser_set_input_string(&reader->parser, bytes, size);
  return reader;
}

static void forget(cy_reader *reader) {
  if (reader->holds_event)
    yaml_event_delete(&reader->event);
  reader->holds_event = 0;
}

static int scalar(const yaml_event_t *found, cy_event *event) {
  event->kind = CY_SCALAR;
  event->text = found->data.scalar.value;
  event->size = found->data.scalar.length;
  event->plain = found->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  event->marked = found->data.scalar.tag != NULL || found->data.scalar.anchor != NULL;
  return 1;
}

/// Whether the event is one that readers are told about.
static int translate(const yaml_event_t *found, cy_event *event) {
  *event = (cy_event){.line = found->start_mark.line + 1};
  switch (found->type) {
  case YAML_STREAM_END_EVENT:
    event->kind = CY_END;
    return 1;
  case YAML_DOCUMENT_START_EVENT:
    event->kind = CY_DOCUMENT;
    return 1;
  case YAML_SCALAR_EVENT:
    return scalar(found, event);
  case YAML_SEQUENCE_START_EVENT:
    event->kind = CY_LIST;
    event->marked = found->data.sequence_start.tag || found->data.sequence_start.anchor;
    return 1;
  case YAML_SEQUENCE_END_EVENT:
    event->kind = CY_LIST_END;
    return 1;
  case YAML_MAPPING_START_EVENT:
    event->kind = CY_MAPPING;
    event->marked = found->data.mapping_start.tag || found->data.mapping_start.anchor;
    return 1;
  case YAML_MAPPING_END_EVENT:
    event->kind = CY_MAPPING_END;
    return 1;
  case YAML_ALIAS_EVENT:
    event->kind = CY_ALIAS;
    return 1;
  default:
    return 0;
  }
}

int cy_next(cy_reader *reader, cy_event *event) {
  do {
    forget(reader);
    if (!yaml_parser_parse(&reader->parser, &reader->event))
      return 0;
    reader->holds_event = 1;
  } while (!translate(&reader->event, event));
  return 1;
}

const char *cy_problem(const cy_reader *reader, size_t *line) {
  *line = reader->parser.problem_mark.line + 1;
  return reader->parser.problem ? reader->parser.problem : "is no YAML";
}

void cy_close(cy_reader *reader) {
  forget(reader);
  yaml_parser_delete(&reader->parser);
  free(reader);
}
#endif
