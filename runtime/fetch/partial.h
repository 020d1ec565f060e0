/*
 * partial.h -- download a file from a server, continuing after restarts and power
 * cuts.
 *
 * Beside the file, PATH.from holds the caller's key for the download and the
 * identity of the object (up_source_http_identity()). The download continues only
 * with the same key and the same object. Otherwise, or if the server gives nothing
 * to identify the object by, it starts over. The bytes that a power cut leaves at
 * the end are not checked here: the code that opens the file has to verify it.
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

/* `source` is not read yet, and must outlive this; only one of up_source_http() continues. `most`: bytes,
 * UP_PARTIAL_MAX at most. Errors: UP_USAGE invalid path or key; UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_partial_open(struct up_partial **out, struct up_storage *storage, const char *path,
                                  const char *key, struct up_source *source, uint64_t most,
                                  struct up_error *err);

/* 1: more bytes arrived; 0: the file is complete and durable; UP_AGAIN: wait for the source.
 * Errors: those of the source, and after UP_CORRUPT nothing is kept; UP_UNTRUSTED
 * it is too large; UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_partial_step(struct up_partial *p, struct up_error *err);

uint64_t up_partial_have(const struct up_partial *p);  /* bytes in place */
uint64_t up_partial_total(const struct up_partial *p); /* of the object; UINT64_MAX unknown */
void up_partial_close(struct up_partial *p);           /* NULL is allowed; the source stays open, an
                                                        * empty file goes */

/* Bytes of the file that are in place; 0 if there is none. */
uint64_t up_partial_size(struct up_storage *storage, const char *path);
/* Remove both files. Errors: UP_WRITE. */
UP_MUST_CHECK int up_partial_forget(struct up_storage *storage, const char *path, struct up_error *err);

#endif
