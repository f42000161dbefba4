#include "CStart.h"

#ifdef __linux__

#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

// What stands behind `name=`, or NULL for another variable.
static const char *value(const char *variable, const char *name) {
  size_t length = strlen(name);
  int is_name = strncmp(variable, name, length) == 0 && variable[length] == '=';
  return is_name ? variable + length + 1 : NULL;
}

// Whether a variable says something; an empty one does not.
static int says(char **variables, const char *name) {
  for (; *variables; variables++) {
    const char *text = value(*variables, name);
    if (text && *text) return 1;
  }
  return 0;
}

static int processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : INT_MAX;
}

// Runs before the constructors of all libraries, so nothing here may need one to have run.
static void start(int argc, char **argv, char **envp) {
  (void)argc;
  if (says(envp, "OMP_WAIT_POLICY") || says(envp, "GOMP_SPINCOUNT")) return;
  // Called by way of the loader, the program's file is not this process's.
  if (getauxval(AT_BASE) == 0) return;
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;

  int has_threads = says(envp, "OMP_NUM_THREADS");
  int granted = has_threads ? 0 : cs_granted_processors();
  size_t count = 0;
  while (envp[count]) count++;
  char threads[32], *settled[count + 3], **next = settled;
  for (; *envp; envp++)
    if (!value(*envp, "OMP_WAIT_POLICY") && (has_threads || !value(*envp, "OMP_NUM_THREADS")))
      *next++ = *envp;
  *next++ = "OMP_WAIT_POLICY=passive";
  if (granted > 0 && granted < processors()) {
    snprintf(threads, sizeof threads, "OMP_NUM_THREADS=%d", granted);
    *next++ = threads;
  }
  *next = NULL;
  execve(path, argv, settled);
  // Not started anew, it runs as it is.
}

__attribute__((section(".preinit_array"), used)) static void (*const at_start)(int, char **,
                                                                               char **) = start;

#endif
