/*
 * partial.h -- a file that comes from a server a part at a time, over restarts
 * and power cuts.
 *
 * Beside the file, PATH.from says for what it is (a key of the caller's) and what
 * the first response said of the object (up_source_http_identity()). A part goes
 * on only with that: another key, another object, or a server that says nothing
 * by which the object is known again, and it starts over. What a power cut leaves
 * at its end is not looked at: whoever opens the file finds out.
 *
 *     open -> step until 0 -> close
 */
#ifndef UP_PARTIAL_H
#define UP_PARTIAL_H

#include <stdint.h>

#include "error.h"

struct up_partial;
struct up_source;
struct up_storage;

#define UP_PARTIAL_KEY_MAX 128             /* bytes of a key, without control characters */
#define UP_PARTIAL_MAX ((uint64_t)1 << 30) /* bytes of such a file */

/* `source` is that of up_source_http(), not read yet; it outlives this. Errors:
 * UP_USAGE path or key; UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_partial_open(struct up_partial **out, struct up_storage *storage, const char *path,
                                  const char *key, struct up_source *source, struct up_error *err);

/* 1: some more came; 0: it is complete and durable; UP_AGAIN: wait for the source.
 * Errors: those of the source, and after UP_CORRUPT nothing is kept; UP_UNTRUSTED
 * it is too large; UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_partial_step(struct up_partial *p, struct up_error *err);

uint64_t up_partial_have(const struct up_partial *p);  /* bytes in place */
uint64_t up_partial_total(const struct up_partial *p); /* of the object; UINT64_MAX unknown */
void up_partial_close(struct up_partial *p);           /* NULL is allowed; the source stays open */

/* Bytes of the file that are there; 0 when there is none. */
uint64_t up_partial_size(struct up_storage *storage, const char *path);
/* Remove both files. Errors: UP_WRITE. */
UP_MUST_CHECK int up_partial_forget(struct up_storage *storage, const char *path, struct up_error *err);

#endif
