// What files need of the system that Swift does not bring in, or that a signal handler may do.
#ifndef CFILES_H
#define CFILES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Ends the process with a line that names the file when a mapped file has become shorter, instead of by
/// SIGBUS. Faults of other memory stay what they were.
void cf_explain_faults(void);

/// Notes memory that a file is mapped to. Returns a number for cf_forget, or -1 where there is no room.
int cf_note_map(const void *start, size_t size, const char *path);

/// Notes a half-written file, which is removed should the process end by such a fault.
int cf_note_draft(const char *path);

/// Takes back a note; -1 is none.
void cf_forget(int note);

/// Gives a file another name that nobody has, with or without hard links. 0, or -1 with errno.
int cf_rename_new(const char *from, const char *to);

/// Exchanges two names at once. 0, or -1 with errno where the system cannot.
int cf_exchange(const char *a, const char *b);

/// Locks an open file or folder for this process; waits for it, or returns 0 where another has it.
int cf_lock(int descriptor, int waits);

/// A sum of 64 bits that any damage changes, at the speed of memory; no protection against intent.
uint64_t cf_digest(const void *bytes, size_t size);

/// Whether an element has all bits of a mask, as values that are not finite have those of their
/// exponent. Elements have 1, 2, 4 or 8 bytes.
int cf_has_mask(const void *bytes, size_t count, int width, uint64_t mask);

/// Hands what was printed to the system. 0, or the error number.
int cf_end_output(void);

/// Opens what of the three standard streams is closed, so that no file takes its number.
void cf_open_streams(void);

#ifdef __cplusplus
}
#endif
#endif
