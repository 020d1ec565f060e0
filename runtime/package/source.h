/*
 * source.h -- where the bytes of a package come from: a file or HTTP.
 *
 * The caller pulls, and nothing waits: read() returns UP_AGAIN if nothing has
 * arrived yet, and the caller polls the loop. Bytes are read at ascending
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
     * UP_AGAIN; or an error (UP_NETWORK, UP_MISSING, UP_EXPIRED, UP_CORRUPT if
     * the object changed meanwhile, UP_REFUSED if the server sent something
     * other than the object: see up_source_http). */
    long (*read)(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err);
    /* The caller will read [offset, offset + len) next, so an HTTP source can
     * request exactly that (it limits a request to 4 MiB). Optional. */
    void (*want)(struct up_source *s, uint64_t offset, uint64_t len);
    void (*close)(struct up_source *s);
};

struct up_source {
    const struct up_source_ops *ops;
    uint64_t size;     /* of the whole object in bytes; UINT64_MAX while unknown */
    uint64_t received; /* bytes received over the network, or read from the file */
    bool remote;       /* over a network, where another server may respond in place of the sender's */
};

/* A file. Errors: UP_MISSING, UP_WRITE. */
UP_MUST_CHECK int up_source_file(struct up_source **out, struct up_storage *storage, const char *path,
                                 struct up_error *err);

#endif
