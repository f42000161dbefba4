#include "CHub.h"

#if !__has_include(<curl/curl.h>)
#error "libcurl not found: run 'make setup' or install libcurl4-openssl-dev"
#else
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ch_session {
  CURL *curl;
  char reason[CURL_ERROR_SIZE];
};

static pthread_once_t started = PTHREAD_ONCE_INIT;

static void start(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

ch_session *ch_open(void) {
  pthread_once(&started, start);
  ch_session *session = calloc(1, sizeof *session);
  if (session == NULL) return NULL;
  session->curl = curl_easy_init();
  if (session->curl != NULL) return session;
  free(session);
  return NULL;
}

void ch_close(ch_session *session) {
  if (session == NULL) return;
  curl_easy_cleanup(session->curl);
  free(session);
}

static size_t take_line(char *line, size_t one, size_t size, void *context) {
  const ch_request *request = context;
  size_t length = size * one;
  while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n')) length--;
  request->on_line(request->context, line, length);
  return size * one;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *context) {
  const ch_request *request = context;
  return request->on_body(request->context, (const uint8_t *)bytes, size * one) ? size * one : 0;
}

static int take_progress(
    void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
  (void)down_all, (void)down, (void)up_all, (void)up;
  const ch_request *request = context;
  return request->goes_on(request->context) ? 0 : 1;
}

static struct curl_slist *header_list(const ch_request *request) {
  struct curl_slist *list = NULL;
  for (size_t i = 0; i < request->header_count; i++) {
    struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
    if (longer == NULL) {
      curl_slist_free_all(list);
      return NULL;
    }
    list = longer;
  }
  return list;
}

static void configure(ch_session *session, const ch_request *request, struct curl_slist *headers) {
  CURL *curl = session->curl;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, session->reason);
  curl_easy_setopt(curl, CURLOPT_URL, request->url);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, request->user_agent);
  curl_easy_setopt(
      curl, CURLOPT_PROTOCOLS_STR, request->allows_plain_http ? "https,http" : "https");
  if (request->ca_file != NULL) curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, request->connect_seconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, request->stall_seconds);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, (void *)request);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, (void *)request);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, take_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)request);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

static ch_failure failure_of(CURLcode code) {
  switch (code) {
  case CURLE_OK: return CH_NONE;
  case CURLE_WRITE_ERROR:
  case CURLE_ABORTED_BY_CALLBACK: return CH_STOPPED;
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_OUT_OF_MEMORY: return CH_REFUSED;
  default: return CH_DROPPED;
  }
}

int ch_fetch(
    ch_session *session, const ch_request *request, long *status, ch_failure *failure,
    char *message) {
  struct curl_slist *headers = header_list(request);
  if (headers == NULL && request->header_count > 0) {
    *failure = CH_REFUSED;
    snprintf(message, CH_MESSAGE_SIZE, "out of memory");
    return 0;
  }
  configure(session, request, headers);
  session->reason[0] = 0;
  CURLcode code = curl_easy_perform(session->curl);
  curl_slist_free_all(headers);
  curl_easy_getinfo(session->curl, CURLINFO_RESPONSE_CODE, status);
  *failure = failure_of(code);
  if (code == CURLE_OK) return 1;
  const char *reason = session->reason[0] ? session->reason : curl_easy_strerror(code);
  snprintf(message, CH_MESSAGE_SIZE, "%s", reason);
  return 0;
}

static char *copied(char *part) {
  char *copy = part == NULL ? NULL : strdup(part);
  curl_free(part);
  return copy;
}

int ch_resolve(const char *base, const char *address, char **resolved) {
  CURLU *url = curl_url();
  char *text = NULL;
  int fine = url != NULL && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK
      && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK
      && curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
  curl_url_cleanup(url);
  *resolved = copied(text);
  return fine && *resolved != NULL;
}

int ch_origin(const char *address, char **origin) {
  CURLU *url = curl_url();
  char *scheme = NULL, *host = NULL, *port = NULL;
  int fine = url != NULL && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK
      && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
      && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK
      && curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
  *origin = NULL;
  if (fine) {
    size_t size = strlen(scheme) + strlen(host) + strlen(port) + 5;
    *origin = malloc(size);
    if (*origin != NULL) snprintf(*origin, size, "%s://%s:%s", scheme, host, port);
  }
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(url);
  return *origin != NULL;
}

void ch_free(char *text) { free(text); }
#endif
