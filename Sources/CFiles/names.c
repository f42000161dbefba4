#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

// The values of Linux's RENAME_NOREPLACE and RENAME_EXCHANGE, which older headers lack.
enum { CF_NO_REPLACE = 1, CF_EXCHANGE = 2 };

static int rename_with(const char *from, const char *to, unsigned flags) {
#if defined(__linux__) && defined(SYS_renameat2)
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
#elif defined(__APPLE__)
  return renamex_np(from, to, flags == CF_EXCHANGE ? RENAME_SWAP : RENAME_EXCL);
#else
  errno = ENOSYS;
  return -1;
#endif
}

// A placeholder holds the name until the file takes it.
static int rename_over_placeholder(const char *from, const char *to) {
  int descriptor = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return -1;
  close(descriptor);
  if (rename(from, to) == 0) return 0;
  int code = errno;
  unlink(to);
  errno = code;
  return -1;
}

int cf_rename_new(const char *from, const char *to) {
  if (rename_with(from, to, CF_NO_REPLACE) == 0) return 0;
  if (errno == EEXIST || errno == ENOENT || errno == ENOSPC) return -1;
  // Not every file system does the one, and not every one has hard links.
  if (link(from, to) == 0) {
    unlink(from);
    return 0;
  }
  if (errno == EEXIST || errno == ENOENT || errno == ENOSPC) return -1;
  return rename_over_placeholder(from, to);
}

int cf_exchange(const char *a, const char *b) { return rename_with(a, b, CF_EXCHANGE); }

int cf_lock(int descriptor, int waits) {
  int status;
  do {
    status = flock(descriptor, LOCK_EX | (waits ? 0 : LOCK_NB));
  } while (status != 0 && errno == EINTR);
  return status == 0;
}

int cf_end_output(void) {
  errno = 0;
  int failed = ferror(stdout);
  if (fflush(stdout) != 0) return errno ? errno : EIO;
  if (failed) return EIO;
  // Some file systems tell of a full disk only now.
  return close(STDOUT_FILENO) == 0 || errno == EBADF ? 0 : errno;
}

void cf_open_streams(void) {
  for (int stream = 0; stream < 3; stream++) {
    if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // Output that is closed shall fail, messages may get lost.
    if (open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}
