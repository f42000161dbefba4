import Foundation
import TestSupport

/// Ends a process before its n-th call that changes a folder; of a write, half is done before.
///
/// `CRASH_FOLDER` is the folder, `CRASH_AT` the number, and `CRASH_LOG` a file that the number of calls
/// so far is written to.
enum CrashShim {
    static func make(in folder: TemporaryFolder) throws -> Shim { try Shim(source, in: folder) }

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <signal.h>
        #include <stdarg.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <sys/types.h>
        #include <unistd.h>

        static int count;
        static ssize_t (*real_write)(int, const void *, size_t);
        #define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

        static int is_ours(const char *path) {
          const char *folder = getenv("CRASH_FOLDER");
          return folder && path && strncmp(path, folder, strlen(folder)) == 0;
        }
        static int strikes(const char *path) {
          if (!is_ours(path)) return 0;
          int number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
          const char *log = getenv("CRASH_LOG"), *at = getenv("CRASH_AT");
          if (log) {
            int file = REAL(open)(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            char text[16];
            if (!real_write) real_write = REAL(write);
            real_write(file, text, (size_t)snprintf(text, sizeof text, "%d", number));
            close(file);
          }
          return at && atoi(at) == number;
        }
        static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }
        static int strikes_at(int fd) {
          char link[64], path[4096];
          snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
          ssize_t size = readlink(link, path, sizeof path - 1);
          if (size < 0) return 0;
          path[size] = 0;
          return strikes(path);
        }
        ssize_t write(int fd, const void *bytes, size_t size) {
          if (!real_write) real_write = REAL(write);
          if (strikes_at(fd)) { real_write(fd, bytes, size / 2); die(); }
          return real_write(fd, bytes, size);
        }
        ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
          if (strikes_at(fd)) { REAL(pwrite)(fd, bytes, size / 2, at); die(); }
          return REAL(pwrite)(fd, bytes, size, at);
        }
        #define ONE(type, name, check, parameters, values) \\
          type name parameters { if (check) die(); return REAL(name) values; }
        ONE(int, fsync, strikes_at(fd), (int fd), (fd))
        ONE(int, ftruncate, strikes_at(fd), (int fd, off_t size), (fd, size))
        ONE(int, rename, strikes(b), (const char *a, const char *b), (a, b))
        ONE(int, link, strikes(b), (const char *a, const char *b), (a, b))
        ONE(int, symlink, strikes(b), (const char *a, const char *b), (a, b))
        ONE(int, unlink, strikes(a), (const char *a), (a))
        ONE(int, rmdir, strikes(a), (const char *a), (a))
        ONE(int, mkdir, strikes(a), (const char *a, mode_t mode), (a, mode))
        ONE(int, mkstemp, strikes(a), (char *a), (a))
        ONE(char *, mkdtemp, strikes(a), (char *a), (a))
        long syscall(long number, ...) {
          va_list list;
          va_start(list, number);
          long v[6];
          for (int i = 0; i < 6; i++) v[i] = va_arg(list, long);
          va_end(list);
          if (number == SYS_renameat2 && strikes((const char *)v[3])) die();
          return REAL(syscall)(number, v[0], v[1], v[2], v[3], v[4], v[5]);
        }
        """
}
