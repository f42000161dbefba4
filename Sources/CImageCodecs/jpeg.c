#include "message.h"

#if !__has_include(<turbojpeg.h>)
#error "libjpeg-turbo not found: run 'make setup' or install libturbojpeg0-dev"
#else
#include <string.h>
#include <turbojpeg.h>

#ifndef TJFLAG_LIMITSCANS
#define TJFLAG_LIMITSCANS 0
#endif

/// Whether a warning leaves all pixels intact; cameras write such files.
static int is_harmless(const char *warning) {
  return strstr(warning, "extraneous bytes") || strstr(warning, "Adobe color transform") ||
         strstr(warning, "JFIF revision") || strstr(warning, "Inconsistent progression");
}

int ci_jpeg_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, uint32_t width, uint32_t height,
    int cmyk, char *message) {
  tjhandle decoder = tjInitDecompress();
  if (!decoder)
    return ci_fail(message, "out of memory");
  // The accurate transform gives the pixels of Pillow; many scans make a small file slow.
  int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
  int status = tjDecompress2(
      decoder, bytes, size, pixels, (int)width, 0, (int)height, cmyk ? TJPF_CMYK : TJPF_RGB,
      flags);
  int done = status == 0;
  if (!done && tjGetErrorCode(decoder) == TJERR_WARNING)
    done = is_harmless(tjGetErrorStr2(decoder));
  if (!done)
    ci_fail(message, tjGetErrorStr2(decoder));
  tjDestroy(decoder);
  return done;
}

int ci_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, int full_chroma,
    ci_sink sink, void *context, char *message) {
  tjhandle encoder = tjInitCompress();
  if (!encoder)
    return ci_fail(message, "out of memory");
  unsigned char *bytes = NULL;
  unsigned long size = 0;
  int status = tjCompress2(
      encoder, rgb, (int)width, 0, (int)height, TJPF_RGB, &bytes, &size,
      full_chroma ? TJSAMP_444 : TJSAMP_420, quality, TJFLAG_ACCURATEDCT);
  if (status == 0)
    sink(context, bytes, size);
  else
    ci_fail(message, tjGetErrorStr2(encoder));
  tjFree(bytes);
  tjDestroy(encoder);
  return status == 0;
}
#endif
