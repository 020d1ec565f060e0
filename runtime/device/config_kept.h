/*
 * config_kept.h -- the configuration with which the device came up the last time.
 *
 * A copy of it lies beside the file, as PATH.good, so that paths in it lead to
 * the same places. `moult run` goes on with the copy when the file cannot be
 * read, or when nothing can start with it: a power cut while somebody edits, or
 * a misspelt word, must not keep the application down.
 */
#ifndef UP_CONFIG_KEPT_H
#define UP_CONFIG_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct up_storage;

/* A configuration as it was read before it was tried. */
struct up_config_text {
    char *bytes; /* NULL: it could not be read */
    size_t len;
};

/* What is in the file at `path`, before it is tried. */
void up_config_kept_read(struct up_config_text *t, struct up_storage *s, const char *path);
void up_config_kept_free(struct up_config_text *t);

/* The name of the copy. Errors: UP_USAGE path too long. */
UP_MUST_CHECK int up_config_kept_path(const char *path, char *out, size_t size, struct up_error *err);

/* Whether there is a copy, and it is not what `t` holds: with an equal one nothing would go better. */
bool up_config_kept_differs(struct up_storage *s, const char *path, const struct up_config_text *t);

/* The device came up with `t`: keep it, with the mode of the file. Writes nothing if that is what is kept.
 * Errors: UP_NOSPACE, UP_WRITE; in a directory that cannot be written no copy is kept. */
UP_MUST_CHECK int up_config_kept_write(struct up_storage *s, const char *path, const struct up_config_text *t,
                                       struct up_error *err);

#endif
