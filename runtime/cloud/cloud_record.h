/*
 * cloud_record.h -- remember a cloud's offer across a restart.
 *
 * The file <state>/cloud/NAME, replaced as a whole. It decides nothing about
 * the device: a lost record costs a report, or an offer is asked for again.
 */
#ifndef UP_CLOUD_RECORD_H
#define UP_CLOUD_RECORD_H

#include <stddef.h>

#include "error.h"

#define UP_CLOUD_RECORD_MAX 4096 /* bytes of text */
#define UP_CLOUD_NAME_MAX 32

struct up_storage;

/* Names consist of letters, digits, '-', '_' and '.', and do not begin with a
 * '.'. Errors: UP_USAGE invalid name, or too much text; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_cloud_record_keep(struct up_storage *storage, const char *state, const char *name,
                                       const char *text, size_t len, struct up_error *err);

/* Reads into a fresh NUL-terminated buffer that the caller frees. Errors:
 * UP_MISSING there is none; UP_USAGE, UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_cloud_record_read(struct up_storage *storage, const char *state, const char *name,
                                       char **out, size_t *len, struct up_error *err);

/* Does nothing if there is none. Errors: UP_USAGE, UP_WRITE. */
UP_MUST_CHECK int up_cloud_record_forget(struct up_storage *storage, const char *state, const char *name,
                                         struct up_error *err);

#endif
