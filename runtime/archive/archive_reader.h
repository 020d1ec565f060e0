/*
 * archive_reader.h -- read untrusted tar, tar.gz and zip archives entry by
 * entry.
 *
 * libarchive does the reading, through the caller's storage; it never writes.
 * Only regular files and directories are accepted. If an archive holds anything
 * else (links, devices, sparse or encrypted files, setuid programs), a name
 * that leads out of the directory or occurs twice, or more than the limits
 * allow, reading ends with an error that names the entry.
 *
 *     open -> (next -> read*)* -> close
 *     open -> extract -> close
 *
 * `err` may not be NULL in any of these calls.
 *
 * A plain tar has no checksum of its content, and one that is cut off between
 * two entries reads as a shorter archive. If that matters, use tar.gz, zip or a
 * digest.
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
    unsigned depth;   /* components in a name */
    unsigned ratio;   /* output bytes for each byte of the archive, once 1 MiB came out */
    bool any_charset; /* bytes above 0x7f need not be UTF-8 */
};

/* Defaults: 256 MiB, 10,000 entries, 32 deep, ratio 200, UTF-8. */
void up_archive_reader_limits(struct up_archive_limits *out);

enum up_archive_kind { UP_ARCHIVE_FILE, UP_ARCHIVE_DIR };

struct up_archive_entry {
    enum up_archive_kind kind;
    const char *name; /* relative, without "./" and a slash at the end; valid until the next call */
    uint64_t size;    /* bytes; 0 for a directory, and for a file whose size is known only at its end */
    unsigned mode;    /* 0755 or 0644 */
};

/*
 * Open the archive at `path`. The format is recognised by content, not by name.
 * *limits is copied; NULL: the defaults.
 *
 * Errors: UP_MISSING no such file; UP_CORRUPT not a known format; UP_WRITE
 * cannot be read; UP_INTERNAL out of memory.
 */
UP_MUST_CHECK int up_archive_reader_open(struct up_archive_reader **out, struct up_storage *storage,
                                         const char *path, const struct up_archive_limits *limits,
                                         struct up_error *err);

/* The same for `len` bytes in memory, which must stay valid until up_archive_reader_close(). */
UP_MUST_CHECK int up_archive_reader_open_memory(struct up_archive_reader **out, const void *data, size_t len,
                                                const struct up_archive_limits *limits, struct up_error *err);

/*
 * The next entry: 1, or 0 after the last. Content of the previous entry that
 * was not read is skipped.
 *
 * Errors: UP_UNTRUSTED an entry that is not allowed; UP_NOSPACE a limit is
 * exceeded; UP_CORRUPT the archive is damaged; UP_WRITE, UP_INTERNAL. After an
 * error every call returns it again.
 */
UP_MUST_CHECK int up_archive_reader_next(struct up_archive_reader *a, struct up_archive_entry *entry,
                                         struct up_error *err);

/* The next bytes of the entry: their number, 0 at its end. Errors as above. */
UP_MUST_CHECK long up_archive_reader_read(struct up_archive_reader *a, void *buf, size_t len,
                                          struct up_error *err);

/*
 * Extract all entries (archive_extract.c) as the new directory `dir`: complete
 * and durable, or not at all. They are written to `dir`.part, which is removed
 * first if it exists, and renamed at the end. *files, which may be NULL, counts
 * the files.
 *
 * Errors: as above; UP_WRITE also when `dir` exists; UP_NOSPACE the file system
 * is full; UP_USAGE entries were read before.
 */
UP_MUST_CHECK int up_archive_reader_extract(struct up_archive_reader *a, struct up_storage *storage,
                                            const char *dir, uint64_t *files, struct up_error *err);

/* The number of entries returned by up_archive_reader_next() so far. */
uint64_t up_archive_reader_entries(const struct up_archive_reader *a);

void up_archive_reader_close(struct up_archive_reader *a); /* NULL is allowed */

#endif
