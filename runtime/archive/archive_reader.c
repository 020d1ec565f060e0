#include "archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "archive_names.h"
#include "archive_zip.h"
#include "error.h"
#include "storage.h"

#define CHUNK 65536
#define RATIO_FROM (1024 * 1024) /* bytes of output; a small file of zeros is not a bomb */

struct up_archive_reader {
    struct archive *lib;
    locale_t locale; /* makes libarchive take names as UTF-8 without converting them */
    struct up_storage *storage;
    int file;            /* -1: in memory */
    const uint8_t *data; /* when it is */
    uint64_t size, at;
    int error; /* errno of a read that failed */
    struct up_archive_limits limits;
    struct up_archive_names *names;
    bool begun, ended;
    uint64_t entries, bytes;
    char name[UP_ARCHIVE_NAME_MAX + 1];
    struct up_error failed; /* .code < 0: every further call fails with it */
    uint8_t chunk[CHUNK];
};

void up_archive_reader_limits(struct up_archive_limits *out)
{
    *out = (struct up_archive_limits){.bytes = 256 << 20, .entries = 10000, .depth = 32, .ratio = 200};
}

uint64_t up_archive_reader_entries(const struct up_archive_reader *a)
{
    return a->entries;
}

/* The callbacks of libarchive. */

static la_ssize_t give(struct archive *lib, void *user, const void **out)
{
    struct up_archive_reader *a = user;
    uint64_t left = a->size - a->at;
    long long n = left < CHUNK ? (long long)left : CHUNK;

    if (a->file < 0) {
        *out = a->data + a->at;
    } else {
        n = a->storage->ops->pread(a->storage, a->file, a->chunk, (size_t)n, a->at);
        *out = a->chunk;
    }
    if (n < 0) {
        a->error = errno;
        archive_set_error(lib, errno, "%s", strerror(errno));
        return ARCHIVE_FATAL;
    }
    a->at += (uint64_t)n;
    return (la_ssize_t)n;
}

static la_int64_t seek(struct archive *lib, void *user, la_int64_t offset, int whence)
{
    struct up_archive_reader *a = user;
    int64_t from = whence == SEEK_SET ? 0 : (int64_t)a->size;

    if (whence == SEEK_CUR)
        from = (int64_t)a->at;
    if (offset < -from || offset > (int64_t)a->size - from) {
        archive_set_error(lib, EINVAL, "an offset points outside the archive");
        return ARCHIVE_FATAL;
    }
    a->at = (uint64_t)(from + offset);
    return (la_int64_t)a->at;
}

/* Record the error and return it. `which` is the entry, "" before the first. */
static int fail(struct up_archive_reader *a, const char *which, struct up_error *err)
{
    if (which[0] != '\0')
        up_fail(&a->failed, err->code, "archive: %s: %s", which, err->message);
    else
        up_fail(&a->failed, err->code, "archive: %s", err->message);
    *err = a->failed;
    return err->code;
}

/* Turn libarchive's error into ours. */
static int damaged(struct up_archive_reader *a, const char *which, struct up_error *err)
{
    const char *why = archive_error_string(a->lib);

    if (a->error != 0)
        up_fail(err, UP_WRITE, "read: %s", strerror(a->error));
    else
        up_fail(err, archive_errno(a->lib) == ENOMEM ? UP_INTERNAL : UP_CORRUPT, "%s", why ? why : "damaged");
    return fail(a, which, err);
}

static int begin(struct up_archive_reader *a, struct up_error *err)
{
    struct archive *lib = a->lib = archive_read_new();
    locale_t before;
    int rc;

    a->names = up_archive_names_new();
    a->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!lib || !a->names)
        return up_fail(err, UP_INTERNAL, "archive: out of memory");
    archive_read_support_filter_gzip(lib);
    archive_read_support_format_tar(lib);
    archive_read_support_format_zip_seekable(lib);
    archive_read_set_read_callback(lib, give);
    archive_read_set_seek_callback(lib, seek);
    archive_read_set_callback_data(lib, a);
    before = a->locale ? uselocale(a->locale) : (locale_t)0;
    rc = archive_read_open1(lib);
    if (before)
        uselocale(before);
    return rc == ARCHIVE_OK ? 0 : damaged(a, "", err);
}

static struct up_archive_reader *new_reader(const struct up_archive_limits *limits, struct up_error *err)
{
    struct up_archive_reader *a = calloc(1, sizeof *a);

    if (!a) {
        up_fail(err, UP_INTERNAL, "archive: out of memory");
        return NULL;
    }
    a->file = -1;
    up_archive_reader_limits(&a->limits);
    if (limits)
        a->limits = *limits;
    return a;
}

static int open_file(struct up_archive_reader *a, const char *path, struct up_error *err)
{
    struct up_stat st;

    a->file = a->storage->ops->open(a->storage, path, UP_READ, 0);
    if (a->file < 0 || a->storage->ops->stat_file(a->storage, a->file, &st) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: open: %s", path, strerror(errno));
    if (st.kind != UP_NODE_FILE)
        return up_fail(err, UP_WRITE, "%s: not a regular file", path);
    a->size = st.size;
    return 0;
}

int up_archive_reader_open(struct up_archive_reader **out, struct up_storage *storage, const char *path,
                           const struct up_archive_limits *limits, struct up_error *err)
{
    struct up_archive_reader *a = new_reader(limits, err);

    if (!a)
        return err->code;
    a->storage = storage;
    if (open_file(a, path, err) < 0 || begin(a, err) < 0) {
        up_archive_reader_close(a);
        return err->code;
    }
    *out = a;
    return 0;
}

int up_archive_reader_open_memory(struct up_archive_reader **out, const void *data, size_t len,
                                  const struct up_archive_limits *limits, struct up_error *err)
{
    struct up_archive_reader *a = new_reader(limits, err);

    if (!a)
        return err->code;
    a->data = data;
    a->size = len;
    if (begin(a, err) < 0) {
        up_archive_reader_close(a);
        return err->code;
    }
    *out = a;
    return 0;
}

void up_archive_reader_close(struct up_archive_reader *a)
{
    if (!a)
        return;
    archive_read_free(a->lib);
    up_archive_names_free(a->names);
    if (a->locale)
        freelocale(a->locale);
    if (a->file >= 0)
        a->storage->ops->close(a->storage, a->file);
    free(a);
}

static int read_at(void *user, uint64_t at, void *buf, size_t len, struct up_error *err)
{
    struct up_archive_reader *a = user;

    if (len > a->size || at > a->size - len)
        return up_fail(err, UP_CORRUPT, "zip: an offset points outside the archive");
    if (a->file < 0) {
        memcpy(buf, a->data + at, len);
        return 0;
    }
    if (a->storage->ops->pread(a->storage, a->file, buf, len, at) != (long long)len)
        return up_fail(err, UP_WRITE, "read: %s", strerror(errno));
    return 0;
}

/* Checks that libarchive does not make, before the first entry is returned. */
static int check_format(struct up_archive_reader *a, struct up_error *err)
{
    const struct up_archive_bytes bytes = {read_at, a, a->size};

    a->begun = true;
    if ((archive_format(a->lib) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_ZIP)
        return 0;
    return up_archive_zip_check(&bytes, err) < 0 ? fail(a, "", err) : 0;
}

/* Read one header; returns libarchive's code. A warning counts as damage:
 * libarchive has repaired something by guessing. */
static int read_header(struct up_archive_reader *a, struct archive_entry **entry)
{
    locale_t before = a->locale ? uselocale(a->locale) : (locale_t)0;
    int rc = archive_read_next_header(a->lib, entry);

    if (before)
        uselocale(before);
    return rc;
}

/* Refuse entries of kinds that are not allowed. */
static int check_kind(struct archive_entry *e, struct up_error *err)
{
    if (archive_entry_hardlink(e) || archive_entry_filetype(e) == AE_IFLNK || archive_entry_symlink(e))
        return up_fail(err, UP_UNTRUSTED, "a link");
    if (archive_entry_filetype(e) != AE_IFREG && archive_entry_filetype(e) != AE_IFDIR)
        return up_fail(err, UP_UNTRUSTED, "neither a file nor a directory");
    if (archive_entry_is_encrypted(e))
        return up_fail(err, UP_UNTRUSTED, "encrypted");
    if (archive_entry_sparse_count(e) > 0)
        return up_fail(err, UP_UNTRUSTED, "a sparse file");
    if (archive_entry_size_is_set(e) && archive_entry_size(e) < 0)
        return up_fail(err, UP_CORRUPT, "a negative size");
    if (archive_entry_filetype(e) == AE_IFREG && (archive_entry_perm(e) & 06000))
        return up_fail(err, UP_UNTRUSTED, "a setuid or setgid file");
    return 0;
}

static int check_size(const struct up_archive_reader *a, uint64_t more, struct up_error *err)
{
    uint64_t total = a->bytes + more, came = (uint64_t)archive_filter_bytes(a->lib, -1);

    if (more > a->limits.bytes || total > a->limits.bytes)
        return up_fail(err, UP_NOSPACE, "more than %llu bytes in the archive",
                       (unsigned long long)a->limits.bytes);
    if (a->bytes > RATIO_FROM && a->bytes / a->limits.ratio > came)
        return up_fail(err, UP_NOSPACE, "expands to more than %u times its size", a->limits.ratio);
    return 0;
}

static int take(struct up_archive_reader *a, struct archive_entry *e, struct up_archive_entry *out,
                struct up_error *err)
{
    const char *raw = archive_entry_pathname(e);
    int rc;

    if (!raw)
        return up_fail(err, UP_CORRUPT, "a name that cannot be read");
    rc = up_archive_name_clean(a->name, raw, &a->limits, err);
    if (rc < 0 || check_kind(e, err) < 0)
        return err->code;
    out->name = a->name;
    out->kind = archive_entry_filetype(e) == AE_IFDIR ? UP_ARCHIVE_DIR : UP_ARCHIVE_FILE;
    out->size = out->kind == UP_ARCHIVE_FILE && archive_entry_size_is_set(e) && archive_entry_size(e) > 0
                    ? (uint64_t)archive_entry_size(e)
                    : 0;
    out->mode = out->kind == UP_ARCHIVE_DIR || (archive_entry_perm(e) & 0100) ? 0755 : 0644;
    if (rc == 1)
        return out->kind == UP_ARCHIVE_DIR ? 1 : up_fail(err, UP_UNTRUSTED, "a file without a name");
    if (++a->entries > a->limits.entries)
        return up_fail(err, UP_NOSPACE, "more than %llu entries", (unsigned long long)a->limits.entries);
    if (check_size(a, out->size, err) < 0)
        return err->code;
    return up_archive_names_add(a->names, a->name, out->kind, err);
}

int up_archive_reader_next(struct up_archive_reader *a, struct up_archive_entry *entry, struct up_error *err)
{
    struct archive_entry *e;
    int rc;

    if (a->failed.code < 0) {
        *err = a->failed;
        return err->code;
    }
    if (a->ended)
        return 0;
    do {
        rc = read_header(a, &e);
        if (rc == ARCHIVE_EOF) {
            a->ended = true;
            return 0;
        }
        if (rc != ARCHIVE_OK)
            return damaged(a, "", err);
        if (!a->begun && check_format(a, err) < 0)
            return err->code;
        rc = take(a, e, entry, err);
        if (rc < 0) {
            const char *raw = archive_entry_pathname(e);

            return fail(a, raw ? raw : "", err);
        }
    } while (rc == 1); /* the top directory itself */
    return 1;
}

long up_archive_reader_read(struct up_archive_reader *a, void *buf, size_t len, struct up_error *err)
{
    la_ssize_t n;

    if (a->failed.code < 0) {
        *err = a->failed;
        return err->code;
    }
    n = archive_read_data(a->lib, buf, len);
    if (n < 0)
        return damaged(a, a->name, err);
    if (check_size(a, (uint64_t)n, err) < 0)
        return fail(a, a->name, err);
    a->bytes += (uint64_t)n;
    return n;
}
