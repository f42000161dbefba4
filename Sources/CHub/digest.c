#include "CHub.h"

#if !__has_include(<openssl/evp.h>)
#error "libcrypto not found: run 'make setup' or install libssl-dev"
#else
#include <openssl/evp.h>

ch_digest *ch_digest_begin(const char *kind) {
  const EVP_MD *method = EVP_get_digestbyname(kind);
  EVP_MD_CTX *context = method == NULL ? NULL : EVP_MD_CTX_new();
  if (context == NULL) return NULL;
  if (EVP_DigestInit_ex(context, method, NULL) == 1) return (ch_digest *)context;
  EVP_MD_CTX_free(context);
  return NULL;
}

int ch_digest_add(ch_digest *digest, const void *bytes, size_t size) {
  return EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, size) == 1;
}

size_t ch_digest_end(ch_digest *digest, uint8_t sum[CH_DIGEST_SIZE]) {
  unsigned int size = 0;
  EVP_MD_CTX *context = (EVP_MD_CTX *)digest;
  int fine = EVP_MD_get_size(EVP_MD_CTX_get0_md(context)) <= CH_DIGEST_SIZE
      && EVP_DigestFinal_ex(context, sum, &size) == 1;
  EVP_MD_CTX_free(context);
  return fine ? size : 0;
}
#endif
