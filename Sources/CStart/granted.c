#include "CStart.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The beginning of a file as a string; whether there is one.
static int text_of(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, size - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  return 1;
}

static int rounded_up(long long quota, long long period) {
  return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

// Version 2 keeps `max 100000` or `150000 100000` in one file.
static int granted_by_both(const char *folder) {
  char path[PATH_MAX], text[64];
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  char *rest;
  if (!text_of(path, text, sizeof text)) return 0;
  long long quota = strtoll(text, &rest, 10);
  return rest == text ? 0 : rounded_up(quota, strtoll(rest, NULL, 10));
}

// Version 1 keeps a file for each number; a quota of -1 is none.
static int granted_by_each(const char *folder) {
  char path[PATH_MAX], quota[32], period[32];
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!text_of(path, quota, sizeof quota)) return 0;
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (!text_of(path, period, sizeof period)) return 0;
  return rounded_up(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

// The smallest grant of a group and of those that it lies in.
static int least(const char *root, const char *mount, const char *group,
                 int (*granted)(const char *)) {
  char folder[PATH_MAX];
  int length = snprintf(folder, sizeof folder, "%s%s%s", root, mount, group);
  if (length < 0 || (size_t)length >= sizeof folder) return 0;
  size_t top = strlen(root) + strlen(mount);
  int smallest = 0;
  for (;;) {
    int here = granted(folder);
    if (here > 0 && (smallest == 0 || here < smallest)) smallest = here;
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash - folder) < top) return smallest;
    *slash = 0;
  }
}

// Whether a list as `cpu,cpuacct` has the word `cpu`.
static int names_cpu(const char *controllers) {
  for (const char *word = controllers; word; word = strchr(word, ',')) {
    if (*word == ',') word++;
    if (strncmp(word, "cpu", 3) == 0 && (word[3] == ',' || word[3] == 0)) return 1;
  }
  return 0;
}

int cs_granted_processors_of(const char *list, const char *root) {
  char text[4096], *line, *lines = text;
  if (!text_of(list, text, sizeof text)) return 0;
  int smallest = 0;
  while ((line = strsep(&lines, "\n"))) {
    // `0::/group` or `4:cpu,cpuacct:/group`
    strsep(&line, ":");
    char *controllers = line ? strsep(&line, ":") : NULL;
    if (!controllers || !line) continue;
    int granted = *controllers == 0        ? least(root, "", line, granted_by_both)
                  : names_cpu(controllers) ? least(root, "/cpu", line, granted_by_each)
                                           : 0;
    if (granted > 0 && (smallest == 0 || granted < smallest)) smallest = granted;
  }
  return smallest;
}

int cs_granted_processors(void) {
  return cs_granted_processors_of("/proc/self/cgroup", "/sys/fs/cgroup");
}
