// Images in memory, decoded and encoded by libpng, libjpeg-turbo and libwebp.
//
// Every function returns 1 on success and 0 on failure; on failure `message` holds one line.
// No function keeps a pointer after it returns, and no jump leaves this target.
#ifndef CIMAGECODECS_H
#define CIMAGECODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Room for the reason of a failure, its terminating zero included.
#define CI_MESSAGE_SIZE 200

/// What the header of an image announces.
typedef struct ci_header {
  uint32_t width;
  uint32_t height;
  uint32_t channels; // of the decoded pixels: 3 is RGB, 4 RGBA
  int animated;
} ci_header;

/// Takes a piece of an encoded image.
typedef void (*ci_sink)(void *context, const uint8_t *bytes, size_t size);

/// One text entry; `utf8` tells UTF-8 from Latin-1 values. Keys are Latin-1.
typedef struct ci_text {
  const char *key;
  const char *value;
  int utf8;
} ci_text;

/// Takes one text entry of `size` bytes.
typedef void (*ci_text_sink)(
    void *context, const char *key, const char *value, size_t size, int utf8);

int ci_png_header(const uint8_t *bytes, size_t size, ci_header *header, char *message);
int ci_png_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, size_t capacity, char *message);
int ci_png_texts(
    const uint8_t *bytes, size_t size, ci_text_sink sink, void *context, char *message);
int ci_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, const ci_text *texts, size_t count,
    ci_sink sink, void *context, char *message);

/// Decodes to RGB, or to CMYK as stored (4 channels) for files of four components.
int ci_jpeg_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, uint32_t width, uint32_t height,
    int cmyk, char *message);
int ci_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, int full_chroma,
    ci_sink sink, void *context, char *message);

int ci_webp_header(const uint8_t *bytes, size_t size, ci_header *header, char *message);
int ci_webp_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, size_t capacity, char *message);
/// Encodes without loss where `quality` is 0, else lossy at 1 to 100.
int ci_webp_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, ci_sink sink,
    void *context, char *message);

#ifdef __cplusplus
}
#endif

#endif
