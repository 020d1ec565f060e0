/*
 * source.h -- where the bytes of a package come from: a file or HTTP.
 *
 * Pull, never push, and never waits: read() says UP_AGAIN when nothing is
 * there yet, and the caller polls the loop. Bytes are read at ascending
 * offsets; a jump is allowed and costs an HTTP source a new request.
 */
#ifndef UP_SOURCE_H
#define UP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_storage;
struct up_source;

struct up_source_ops {
    /* Up to len bytes at offset: a count > 0; 0 at the end of the object;
     * UP_AGAIN; or an error (UP_NETWORK, UP_MISSING, UP_EXPIRED, UP_CORRUPT
     * when the object changed under us, UP_REFUSED when the server answered
     * something else than an object: see up_source_http). */
    long (*read)(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err);
    /* The caller will want [offset, offset + len) next: lets an HTTP source
     * ask for exactly that (it caps a request at 4 MiB by itself). Optional. */
    void (*want)(struct up_source *s, uint64_t offset, uint64_t len);
    void (*close)(struct up_source *s);
};

struct up_source {
    const struct up_source_ops *ops;
    uint64_t size;     /* of the whole object in bytes; UINT64_MAX while unknown */
    uint64_t received; /* bytes that came over the wire (or from the file) */
    bool remote;       /* over a network, where somebody else may answer in the sender's place */
};

/* A file. Errors: UP_MISSING, UP_WRITE. */
UP_MUST_CHECK int up_source_file(struct up_source **out, struct up_storage *storage, const char *path,
                                 struct up_error *err);

#endif
