// What must be settled before the libraries of a process start: how its computing threads wait, and how
// many there are.
//
// libgomp, whose threads libtorch computes with, reads its settings when it is loaded, before `main`. By
// default its threads spin while they wait for each other. Beside other programs the one that is waited
// for may not even be running, and spinning keeps it from running: an image takes ten times as long.
// So the program starts itself once more, with `OMP_WAIT_POLICY=passive`, before any library has run. That
// takes some milliseconds. Whoever sets `OMP_WAIT_POLICY` or `GOMP_SPINCOUNT` keeps what they set.
//
// `OMP_NUM_THREADS` is set along with it where a control group grants less processor time than the
// processors that the process may run on.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Processors' worth of time that control groups grant this process, rounded up; 0 without a limit.
int cs_granted_processors(void);

/// The same, of control groups as they stand under these two paths: a list of the process's groups as in
/// `/proc/self/cgroup`, and the folder where groups are mounted.
int cs_granted_processors_of(const char *list, const char *root);

#ifdef __cplusplus
}
#endif
