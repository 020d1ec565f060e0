/*
 * archive_reader.h -- tar, tar.gz and zip of strangers, read entry by entry.
 *
 * libarchive does the reading, behind the storage of the caller; it never
 * writes. Only regular files and directories pass. An archive that holds
 * anything else (links, devices, sparse or encrypted files, setuid programs),
 * a name that leads out of its folder or comes twice, or more than the limits
 * allow, ends with an error that names the entry, and nothing more is read.
 *
 *     open -> (next -> read*)* -> close
 *     open -> extract -> close
 *
 * `err` may not be NULL in any of these calls.
 *
 * A plain tar has no checksum of its content, and one that is cut between two
 * entries reads as a shorter one: who needs more takes tar.gz, zip or a digest.
 */
#ifndef UP_ARCHIVE_READER_H
#define UP_ARCHIVE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_storage;
struct up_archive_reader; /* opaque; released with up_archive_reader_close() */

#define UP_ARCHIVE_NAME_MAX 1024 /* bytes of a name, without the NUL */

struct up_archive_limits {
    uint64_t bytes;   /* of all files together, uncompressed */
    uint64_t entries; /* files and directories */
    unsigned depth;   /* components of a name */
    unsigned ratio;   /* bytes that come out for a byte of the archive, once 1 MiB came out */
    bool any_charset; /* bytes above 0x7f need not be UTF-8 */
};

/* 256 MiB, 10,000 entries, 32 deep, 200 times, UTF-8. */
void up_archive_limits_default(struct up_archive_limits *out);

enum up_archive_kind { UP_ARCHIVE_FILE, UP_ARCHIVE_DIR };

struct up_archive_entry {
    enum up_archive_kind kind;
    const char *name; /* relative, without "./" and a slash at the end; valid until the next call */
    uint64_t size;    /* bytes; 0 for a directory, and for a file whose size is known at its end only */
    unsigned mode;    /* 0755 or 0644 */
};

/*
 * Open the archive at `path`. What is inside is found out by its content, not
 * by its name. *limits is copied; NULL: the default.
 *
 * Errors: UP_MISSING no such file; UP_CORRUPT no archive of a known kind;
 * UP_WRITE it cannot be read; UP_INTERNAL no memory.
 */
UP_MUST_CHECK int up_archive_reader_open(struct up_archive_reader **out, struct up_storage *storage,
                                         const char *path, const struct up_archive_limits *limits,
                                         struct up_error *err);

/* The same of `len` bytes in memory, which must stay until up_archive_reader_close(). */
UP_MUST_CHECK int up_archive_reader_open_memory(struct up_archive_reader **out, const void *data, size_t len,
                                                const struct up_archive_limits *limits, struct up_error *err);

/*
 * The next entry: 1, or 0 after the last. What was not read of the one before
 * is skipped.
 *
 * Errors: UP_UNTRUSTED an entry that may not be; UP_NOSPACE a limit is
 * exceeded; UP_CORRUPT the archive is damaged; UP_WRITE, UP_INTERNAL. After
 * an error each call gives it again.
 */
UP_MUST_CHECK int up_archive_reader_next(struct up_archive_reader *a, struct up_archive_entry *entry,
                                         struct up_error *err);

/* Some more bytes of the entry: how many, 0 at its end. Errors as above. */
UP_MUST_CHECK long up_archive_reader_read(struct up_archive_reader *a, void *buf, size_t len,
                                          struct up_error *err);

/*
 * Extract (archive_extract.c) all entries as the new directory `dir`: whole and durable, or not at
 * all. They are written as `dir`.part, which is removed first when it is there,
 * and renamed at the end. *files, which may be NULL, counts the files.
 *
 * Errors: as above, and UP_WRITE, also when `dir` is there already; UP_NOSPACE
 * the file system is full; UP_USAGE entries were read before.
 */
UP_MUST_CHECK int up_archive_reader_extract(struct up_archive_reader *a, struct up_storage *storage,
                                            const char *dir, uint64_t *files, struct up_error *err);

/* Entries that up_archive_reader_next() came to so far. */
uint64_t up_archive_reader_entries(const struct up_archive_reader *a);

void up_archive_reader_close(struct up_archive_reader *a); /* NULL is allowed */

#endif
