// Transfers over HTTP by libcurl, and sums by libcrypto, a call at a time.
//
// Every function returns 1 on success and 0 on failure; on failure `message` holds one line. No
// redirect is followed: who may see a token is decided above. Sessions belong to one thread at a
// time.
#ifndef CHUB_H
#define CHUB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Room for the reason of a failure, its terminating zero included.
#define CH_MESSAGE_SIZE 320

/// A connection that is kept for the next request.
typedef struct ch_session ch_session;

/// Takes one line of the response's head, without its end.
typedef void (*ch_line)(void *context, const char *line, size_t size);
/// Takes a piece of the response's body; 0 ends the transfer.
typedef int (*ch_body)(void *context, const uint8_t *bytes, size_t size);
/// Asked several times a second; 0 ends the transfer.
typedef int (*ch_goes_on)(void *context);

/// What to ask for, and how patiently.
typedef struct ch_request {
  const char *url;
  const char *const *headers; // "Name: value" each
  size_t header_count;
  const char *ca_file;        // authorities to trust; NULL takes the system's
  const char *user_agent;
  int allows_plain_http;
  long connect_seconds;
  long stall_seconds;         // without a byte before it counts as dropped
  ch_line on_line;
  ch_body on_body;
  ch_goes_on goes_on;
  void *context;
} ch_request;

/// Why a transfer failed, as far as it matters what to do next.
typedef enum ch_failure {
  CH_NONE = 0,
  CH_STOPPED,   // by one of the callbacks
  CH_DROPPED,   // worth another try
  CH_REFUSED,   // trying again leads nowhere: certificates, malformed addresses
} ch_failure;

ch_session *ch_open(void);
void ch_close(ch_session *session);

/// Fetches one address; `status` is that of the response, 0 where none came.
int ch_fetch(
    ch_session *session, const ch_request *request, long *status, ch_failure *failure,
    char *message);

/// Resolves an address that may be relative; the text is freed by `ch_free`.
int ch_resolve(const char *base, const char *address, char **resolved);
/// The scheme, host and port of an address, as in `https://host:443`; freed by `ch_free`.
int ch_origin(const char *address, char **origin);
void ch_free(char *text);

/// A sum over bytes that come in pieces.
typedef struct ch_digest ch_digest;

/// Room for the longest sum.
#define CH_DIGEST_SIZE 32

/// Begins a sum of the kind "sha256", "sha1" or "md5"; NULL where there is none of this name.
ch_digest *ch_digest_begin(const char *kind);
int ch_digest_add(ch_digest *digest, const void *bytes, size_t size);
/// Ends the sum, frees it, and gives its length in bytes; 0 on failure.
size_t ch_digest_end(ch_digest *digest, uint8_t sum[CH_DIGEST_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
