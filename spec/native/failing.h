/*
 * failing.h -- memory that runs out at the n-th allocation; with failing_calls.c,
 * system calls that fail, too.
 *
 * Linked with --wrap (spec/CMakeLists.txt), so that what the runtime allocates, by
 * itself and through the crypto, compression and JSON libraries, is asked for
 * here. The simulator and the
 * checks themselves always get what they ask for.
 */
#ifndef FAILING_H
#define FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* From now on count; the n-th allocation fails, once. 0: none does. */
void failing_start(unsigned long n);
/* No more failures; returns how many allocations were asked for. */
unsigned long failing_stop(void);
/* Calls of the system fail with this from now on; 0: with what suits each. */
void failing_error(int error);
/* Asked by a wrapped call: whether it is the one that fails, with `error`. */
bool failing_now(int error);
/* How open() was asked the last time. */
int failing_open_flags(void);
/* A pwrite() takes at most so many bytes from now on; SIZE_MAX: all. */
void failing_take(size_t most);
/* Blocks that were allocated here and not freed. */
size_t failing_live(void);

#endif
