#include "CFiles.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// More files than a process maps at a time; what finds no room goes unexplained.
enum { CF_NOTES = 4096 };

struct note {
  _Atomic(uintptr_t) start; // 0 for a draft
  size_t size;
  _Atomic(char *) path; // NULL for a free place
};

static struct note notes[CF_NOTES];
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

static int take(const void *start, size_t size, const char *path) {
  char *copy = strdup(path);
  if (copy == NULL) return -1;
  pthread_mutex_lock(&writing);
  int place = 0;
  while (place < CF_NOTES && atomic_load(&notes[place].path) != NULL) place++;
  if (place < CF_NOTES) {
    notes[place].size = size;
    atomic_store(&notes[place].start, (uintptr_t)start);
    atomic_store(&notes[place].path, copy);
  }
  pthread_mutex_unlock(&writing);
  if (place < CF_NOTES) return place;
  free(copy);
  return -1;
}

int cf_note_map(const void *start, size_t size, const char *path) { return take(start, size, path); }

int cf_note_draft(const char *path) { return take(NULL, 0, path); }

void cf_forget(int note) {
  if (note < 0) return;
  pthread_mutex_lock(&writing);
  char *path = atomic_exchange(&notes[note].path, NULL);
  pthread_mutex_unlock(&writing);
  free(path);
}

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

// A name may hold what controls a terminal.
static void say_name(const char *name) {
  for (const unsigned char *byte = (const unsigned char *)name; *byte; byte++) {
    unsigned char shown = *byte < 0x20 || *byte == 0x7F ? '?' : *byte;
    if (write(STDERR_FILENO, &shown, 1) < 0) return;
  }
}

static void leave(const char *path) {
  if (isatty(STDERR_FILENO)) say("\r\x1B[K");
  say("Error: ");
  say_name(path);
  say(": became shorter while it was read; nothing was written\n");
  for (int place = 0; place < CF_NOTES; place++) {
    char *draft = atomic_load(&notes[place].path);
    if (draft != NULL && atomic_load(&notes[place].start) == 0) unlink(draft);
  }
  _exit(1);
}

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)context;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int place = 0; place < CF_NOTES; place++) {
    char *path = atomic_load(&notes[place].path);
    uintptr_t start = atomic_load(&notes[place].start);
    if (path != NULL && start != 0 && address - start < notes[place].size) leave(path);
  }
  // The instruction is tried again and meets who was there before.
  sigaction(number, &before, NULL);
}

void cf_explain_faults(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}
