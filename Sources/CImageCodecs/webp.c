#include "message.h"

#if !__has_include(<webp/decode.h>)
#error "libwebp not found: run 'make setup' or install libwebp-dev"
#else
#include <webp/decode.h>
#include <webp/encode.h>

static const char *decoding_reason(VP8StatusCode status) {
  switch (status) {
  case VP8_STATUS_OUT_OF_MEMORY:
    return "out of memory";
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    return "the file uses a feature that libwebp does not read";
  case VP8_STATUS_NOT_ENOUGH_DATA:
  case VP8_STATUS_SUSPENDED:
    return "the file ends early";
  default:
    return "the data is damaged";
  }
}

int ci_webp_header(const uint8_t *bytes, size_t size, ci_header *header, char *message) {
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(bytes, size, &features);
  if (status != VP8_STATUS_OK)
    return ci_fail(message, decoding_reason(status));
  header->width = (uint32_t)features.width;
  header->height = (uint32_t)features.height;
  header->channels = features.has_alpha ? 4 : 3;
  header->animated = features.has_animation;
  return 1;
}

int ci_webp_decode(
    const uint8_t *bytes, size_t size, uint8_t *pixels, size_t capacity, char *message) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return ci_fail(message, "libwebp and its headers differ in version");
  VP8StatusCode status = WebPGetFeatures(bytes, size, &config.input);
  if (status != VP8_STATUS_OK)
    return ci_fail(message, decoding_reason(status));
  int alpha = config.input.has_alpha;
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.size = capacity;
  config.output.u.RGBA.stride = config.input.width * (alpha ? 4 : 3);
  status = WebPDecode(bytes, size, &config);
  WebPFreeDecBuffer(&config.output);
  return status == VP8_STATUS_OK ? 1 : ci_fail(message, decoding_reason(status));
}

static const char *encoding_reason(WebPEncodingError code) {
  switch (code) {
  case VP8_ENC_ERROR_OUT_OF_MEMORY:
  case VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY:
    return "out of memory";
  case VP8_ENC_ERROR_BAD_DIMENSION:
    return "a side is longer than 16383 pixels";
  case VP8_ENC_ERROR_PARTITION0_OVERFLOW:
  case VP8_ENC_ERROR_PARTITION_OVERFLOW:
  case VP8_ENC_ERROR_FILE_TOO_BIG:
    return "the image is too large for the format";
  default:
    return "libwebp refused the image";
  }
}

/// Encodes to memory. The caller frees `image` and `writer`.
static int encode_image(
    WebPPicture *image, WebPMemoryWriter *writer, const WebPConfig *config,
    const uint8_t *rgb, uint32_t width, uint32_t height) {
  image->use_argb = config->lossless;
  image->width = (int)width;
  image->height = (int)height;
  image->writer = WebPMemoryWrite;
  image->custom_ptr = writer;
  if (width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION) {
    image->error_code = VP8_ENC_ERROR_BAD_DIMENSION;
    return 0;
  }
  return WebPPictureImportRGB(image, rgb, (int)width * 3) && WebPEncode(config, image);
}

int ci_webp_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, ci_sink sink,
    void *context, char *message) {
  WebPConfig config;
  WebPPicture image;
  if (!WebPConfigInit(&config) || !WebPPictureInit(&image))
    return ci_fail(message, "libwebp and its headers differ in version");
  if (quality == 0)
    WebPConfigLosslessPreset(&config, 6);
  else
    config.quality = (float)quality;
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  int done = encode_image(&image, &writer, &config, rgb, width, height);
  if (done)
    sink(context, writer.mem, writer.size);
  else
    ci_fail(message, encoding_reason(image.error_code));
  WebPMemoryWriterClear(&writer);
  WebPPictureFree(&image);
  return done;
}
#endif
