#include "message.h"

#if !__has_include(<png.h>)
#error "libpng not found: run 'make setup' or install libpng-dev"
#else
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/// The bytes left to read, where encoded bytes go, and where errors are told.
typedef struct {
  const uint8_t *next;
  size_t left;
  ci_sink sink;
  void *context;
  char *message;
} png_client;

/// A reader or writer together with what must be freed.
typedef struct {
  png_structp png;
  png_infop info;
  int writing;
} png_session;

static void fail_png(png_structp png, png_const_charp reason) {
  png_client *client = png_get_error_ptr(png);
  ci_fail(client->message, reason);
  png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp reason) {
  (void)png;
  (void)reason;
}

static void take_bytes(png_structp png, png_bytep out, size_t count) {
  png_client *client = png_get_io_ptr(png);
  if (count > client->left)
    png_error(png, "the file ends early");
  memcpy(out, client->next, count);
  client->next += count;
  client->left -= count;
}

static void give_bytes(png_structp png, png_bytep bytes, size_t count) {
  png_client *client = png_get_io_ptr(png);
  client->sink(client->context, bytes, count);
}

static void flush_nothing(png_structp png) { (void)png; }

static void close_session(png_session *session) {
  if (session->writing)
    png_destroy_write_struct(&session->png, &session->info);
  else
    png_destroy_read_struct(&session->png, &session->info, NULL);
}

static int open_session(png_session *session, png_client *client, int writing) {
  session->writing = writing;
  session->info = NULL;
  session->png =
      writing ? png_create_write_struct(PNG_LIBPNG_VER_STRING, client, fail_png, ignore_warning)
              : png_create_read_struct(PNG_LIBPNG_VER_STRING, client, fail_png, ignore_warning);
  if (session->png)
    session->info = png_create_info_struct(session->png);
  if (session->info)
    return 1;
  close_session(session);
  return ci_fail(client->message, "out of memory");
}

/// Refuses a chunk besides pixels that is said to be longer than what is left of the file: libpng makes room
/// for all of it before it reads. Call it under setjmp.
static void check_lengths(png_structp png, const png_client *client) {
  size_t place = 8;
  while (place + 8 <= client->left) {
    const uint8_t *chunk = client->next + place;
    size_t length = png_get_uint_32(chunk), left = client->left - place - 8;
    if (memcmp(chunk + 4, "IEND", 4) == 0)
      return;
    if (length > left && memcmp(chunk + 4, "IDAT", 4) != 0)
      png_error(png, "the file ends early");
    if (length + 4 > left)
      return;
    place += 12 + length;
  }
}

/// Reads up to the pixels. Call it under setjmp.
static void start_reading(png_session *session, png_client *client) {
  check_lengths(session->png, client);
  png_set_read_fn(session->png, client, take_bytes);
  png_set_benign_errors(session->png, 1);
  png_read_info(session->png, session->info);
}

/// 4 for an image with an alpha channel or a transparent color, else 3.
static uint32_t channels_of(const png_session *session) {
  int type = png_get_color_type(session->png, session->info);
  int transparent = png_get_valid(session->png, session->info, PNG_INFO_tRNS) != 0;
  return (type & PNG_COLOR_MASK_ALPHA) || transparent ? 4 : 3;
}

/// Asks for 8-bit RGB or RGBA whatever the file holds; 16-bit values keep their high byte.
static void ask_for_rgb(const png_session *session) {
  png_set_expand(session->png);
  png_set_strip_16(session->png);
  png_set_gray_to_rgb(session->png);
}

int ci_png_header(const uint8_t *bytes, size_t size, ci_header *header, char *message) {
  png_client client = {bytes, size, NULL, NULL, message};
  png_session session;
  if (!open_session(&session, &client, 0))
    return 0;
  if (setjmp(png_jmpbuf(session.png))) {
    close_session(&session);
    return 0;
  }
  start_reading(&session, &client);
  header->width = png_get_image_width(session.png, session.info);
  header->height = png_get_image_height(session.png, session.info);
  header->channels = channels_of(&session);
  header->animated = 0;
  close_session(&session);
  return 1;
}

/// Reads all rows, interlaced or not, into `pixels`. Call it under setjmp.
static void read_rows(const png_session *session, uint8_t *pixels, size_t capacity) {
  int passes = png_set_interlace_handling(session->png);
  png_read_update_info(session->png, session->info);
  size_t height = png_get_image_height(session->png, session->info);
  size_t row = png_get_rowbytes(session->png, session->info);
  if (row * height != capacity)
    png_error(session->png, "the rows do not have the announced size");
  for (int pass = 0; pass < passes; pass++)
    for (size_t y = 0; y < height; y++)
      png_read_row(session->png, pixels + y * row, NULL);
}

int ci_png_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, size_t capacity, char *message) {
  png_client client = {bytes, size, NULL, NULL, message};
  png_session session;
  if (!open_session(&session, &client, 0))
    return 0;
  if (setjmp(png_jmpbuf(session.png))) {
    close_session(&session);
    return 0;
  }
  start_reading(&session, &client);
  ask_for_rgb(&session);
  read_rows(&session, pixels, capacity);
  png_read_end(session.png, NULL); // finds truncation behind the last row
  close_session(&session);
  return 1;
}

/// Steps over all rows. Call it under setjmp.
static void skip_rows(const png_session *session) {
  int passes = png_set_interlace_handling(session->png);
  png_start_read_image(session->png);
  size_t height = png_get_image_height(session->png, session->info);
  for (int pass = 0; pass < passes; pass++)
    for (size_t y = 0; y < height; y++)
      png_read_row(session->png, NULL, NULL);
}

int ci_png_texts(
    const uint8_t *bytes, size_t size, ci_text_sink sink, void *context, char *message) {
  png_client client = {bytes, size, NULL, NULL, message};
  png_session session;
  if (!open_session(&session, &client, 0))
    return 0;
  if (setjmp(png_jmpbuf(session.png))) {
    close_session(&session);
    return 0;
  }
  start_reading(&session, &client);
  skip_rows(&session); // texts may also lie behind the pixels
  png_read_end(session.png, session.info);
  png_textp texts = NULL;
  int count = png_get_text(session.png, session.info, &texts, NULL);
  for (int i = 0; i < count; i++) {
    int utf8 = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    size_t length = utf8 ? texts[i].itxt_length : texts[i].text_length;
    sink(context, texts[i].key, texts[i].text, length, utf8);
  }
  close_session(&session);
  return 1;
}

/// Hands the text entries to libpng, one at a time since it copies them.
static void set_texts(const png_session *session, const ci_text *texts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    png_text text = {0};
    text.compression = texts[i].utf8 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE;
    text.key = (png_charp)texts[i].key;
    text.text = (png_charp)texts[i].value;
    png_set_text(session->png, session->info, &text, 1);
  }
}

int ci_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, const ci_text *texts, size_t count,
    ci_sink sink, void *context, char *message) {
  png_client client = {NULL, 0, sink, context, message};
  png_session session;
  if (!open_session(&session, &client, 1))
    return 0;
  if (setjmp(png_jmpbuf(session.png))) {
    close_session(&session);
    return 0;
  }
  png_set_write_fn(session.png, &client, give_bytes, flush_nothing);
  png_set_IHDR(
      session.png, session.info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
      PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  set_texts(&session, texts, count);
  png_write_info(session.png, session.info);
  for (size_t y = 0; y < height; y++)
    png_write_row(session.png, rgb + y * 3 * (size_t)width);
  png_write_end(session.png, NULL);
  close_session(&session);
  return 1;
}
#endif
