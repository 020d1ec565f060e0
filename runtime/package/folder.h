/*
 * folder.h -- list a folder, for programs that serve or compare packages.
 *
 * Only reads, and directly from the system: not for the device's own state,
 * which is behind storage.h.
 */
#ifndef UP_FOLDER_H
#define UP_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct up_folder;

struct up_folder_entry {
    const char *name; /* valid until the next call */
    bool regular;     /* a file; links are followed, and one that leads nowhere is none */
    uint64_t size;    /* bytes */
    int64_t changed;  /* of the content: nanoseconds since 1970 */
};

/* When an entry was last added or removed, ns since 1970; a file that grows in
 * place does not count. Errors as of up_folder_open(). */
UP_MUST_CHECK int up_folder_changed(const char *path, int64_t *out, struct up_error *err);

/* Errors: UP_MISSING no such folder; UP_WRITE it cannot be read. */
UP_MUST_CHECK int up_folder_open(struct up_folder **out, const char *path, struct up_error *err);
/* 1 and the next entry, in no particular order, without names that begin with '.'; 0 at the end. */
int up_folder_next(struct up_folder *f, struct up_folder_entry *out);
void up_folder_close(struct up_folder *f); /* NULL is allowed */

struct up_folder_identity {
    uint64_t inode;
    int64_t made; /* ns since 1970, which a copy cannot set; 0: the file system does not tell */
};

/* What distinguishes a folder from a copy of it, also on another disk; it
 * survives a rename and a change of content. Errors as of up_folder_open(). */
UP_MUST_CHECK int up_folder_identity(const char *path, struct up_folder_identity *out, struct up_error *err);

struct up_folder_space {
    uint64_t total; /* bytes of its file system */
    uint64_t free;  /* of these, for an unprivileged writer */
};

/* Errors as of up_folder_open(). */
UP_MUST_CHECK int up_folder_space(const char *path, struct up_folder_space *out, struct up_error *err);

#endif
