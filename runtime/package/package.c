#include "package.h"

#include "bytes.h"
#include "digest.h"
#include "error.h"
#include "index_reader.h"
#include "minisign.h"
#include "storage.h"
#include "tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WANT 16384 /* bytes asked for before anything is known: most heads are smaller */
#define CHUNK 65536      /* bytes of an index read at a time */
#define BUFFER (CHUNK + 2 * UP_TAR_BLOCK)
#define SPOOL_MAX (UP_PATH_SIZE - 64) /* room for the names of what lies in it */

enum state { MANIFEST_HEADER, MANIFEST, SIGNATURE, PART, INDEX, PADDING, DONE };

struct up_package {
    struct up_source *source;
    struct up_storage *storage;
    const struct up_keyring *ring;
    char *spool; /* NULL: indexes are verified and forgotten */
    enum state state;
    struct up_manifest manifest;
    struct up_package_layout layout;
    bool has_manifest;
    uint64_t offset; /* of buffer[0] in the file */
    size_t have;     /* bytes in the buffer */
    uint8_t *buffer;
    char *text; /* the manifest as it came */
    size_t text_size;
    unsigned part; /* the one whose index is read */
    struct up_index_reader check;
    int file; /* its spool, -1 when there is none */
};

int up_package_open(struct up_package **out, struct up_source *source, struct up_storage *storage,
                    const struct up_keyring *ring, const char *spool, struct up_error *err)
{
    struct up_package *p;

    if (spool && strlen(spool) > SPOOL_MAX)
        return up_fail(err, UP_USAGE, "package: the path of the spool is too long");
    p = calloc(1, sizeof *p);
    if (p) {
        p->buffer = malloc(BUFFER);
        p->spool = spool ? strdup(spool) : NULL;
        p->file = -1;
    }
    if (!p || !p->buffer || (spool && !p->spool)) {
        up_package_free(p);
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    }
    p->source = source;
    p->storage = storage;
    p->ring = ring;
    if (source->ops->want)
        source->ops->want(source, 0, FIRST_WANT);
    *out = p;
    return 0;
}

static void close_index(struct up_package *p)
{
    up_index_reader_release(&p->check);
    if (p->file >= 0)
        p->storage->ops->close(p->storage, p->file);
    p->file = -1;
}

void up_package_free(struct up_package *p)
{
    if (!p)
        return;
    close_index(p);
    free(p->buffer);
    free(p->spool);
    free(p->text);
    free(p);
}

uint64_t up_package_offset(const struct up_package *p)
{
    return p->offset + p->have;
}

int up_package_has_manifest(const struct up_package *p)
{
    return p->has_manifest;
}

const struct up_manifest *up_package_manifest(const struct up_package *p)
{
    return &p->manifest;
}

const struct up_package_layout *up_package_layout(const struct up_package *p)
{
    return &p->layout;
}

/* Have `need` bytes in the buffer. */
static int pull(struct up_package *p, size_t need, struct up_error *err)
{
    while (p->have < need) {
        long n =
            p->source->ops->read(p->source, p->offset + p->have, p->buffer + p->have, need - p->have, err);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return up_fail(err, UP_CORRUPT, "package: ends at byte %llu, within its head",
                           (unsigned long long)(p->offset + p->have));
        p->have += (size_t)n;
    }
    return 0;
}

static void consume(struct up_package *p, size_t len)
{
    p->offset += len;
    p->have = 0;
}

/* The header of one of the first two members, whose sizes are all that is
 * taken from a package before its signature is verified. */
static int first_header(const uint8_t *in, const char *name, uint64_t limit, uint64_t *size,
                        struct up_error *err)
{
    struct up_tar_entry entry;

    if (up_tar_get(&entry, in, NULL) != 1 || entry.directory || strcmp(entry.name, name) != 0 ||
        entry.mode != 0644)
        return up_fail(err, UP_UNTRUSTED, "package: not a package of Moult: no %s where it belongs", name);
    if (entry.size == 0 || entry.size > limit)
        return up_fail(err, UP_UNTRUSTED, "package: %s has %llu bytes, not 1 to %llu", name,
                       (unsigned long long)entry.size, (unsigned long long)limit);
    *size = entry.size;
    return 0;
}

/* Something on the way may have answered for the server: that is no verdict on
 * the package, and the same question is right later. */
static int no_package(const struct up_package *p, struct up_error *err)
{
    size_t at = 0;

    while (at < p->have && at < UP_TAR_BLOCK && strchr(" \t\r\n\xEF\xBB\xBF", p->buffer[at]))
        at++;
    return up_fail(err, UP_NETWORK, "%s, not a package",
                   at < p->have && p->buffer[at] == '<' ? "a web page" : "the answer is something else");
}

static int step_manifest_header(struct up_package *p, struct up_error *err)
{
    static const char first[] = "manifest.json";
    int rc = pull(p, UP_TAR_BLOCK, err);

    if (p->source->remote && (rc == 0 || rc == UP_CORRUPT) &&
        (p->have < sizeof first || memcmp(p->buffer, first, sizeof first) != 0))
        return no_package(p, err);
    if (rc == 0)
        rc = first_header(p->buffer, first, UP_MANIFEST_MAX, &p->layout.manifest_size, err);
    if (rc < 0)
        return rc;
    consume(p, UP_TAR_BLOCK);
    p->state = MANIFEST;
    return 0;
}

/* The manifest, its padding, and the header of the signature. */
static int step_manifest(struct up_package *p, struct up_error *err)
{
    size_t size = (size_t)p->layout.manifest_size, padded = (size_t)up_tar_padded(size);
    int rc = pull(p, padded + UP_TAR_BLOCK, err);

    if (rc < 0)
        return rc;
    if (!up_all_zeros(p->buffer + size, padded - size))
        return up_fail(err, UP_UNTRUSTED, "package: unsigned bytes after manifest.json");
    rc = first_header(p->buffer + padded, "manifest.minisig", UP_MINISIG_MAX, &p->layout.signature_size, err);
    if (rc < 0)
        return rc;
    p->text = malloc(size);
    if (!p->text)
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    memcpy(p->text, p->buffer, size);
    p->text_size = size;
    consume(p, padded + UP_TAR_BLOCK);
    p->state = SIGNATURE;
    return 0;
}

/* Signature first, then the manifest, then that the trusted comment names it. */
static int verify_manifest(struct up_manifest *m, const struct up_keyring *ring, const char *text,
                           size_t size, const char *sig, size_t sig_size, struct up_error *err)
{
    static const char line[] = UP_UNTRUSTED_COMMENT;
    char comment[UP_TRUSTED_COMMENT_MAX], expected[64];
    int rc = up_keyring_verify(ring, text, size, sig, sig_size, comment, err);

    if (rc < 0)
        return rc;
    if (memcmp(sig, line, sizeof line - 1) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the untrusted comment must be minisign's default");
    if (up_manifest_parse(m, text, size, err) < 0)
        return err->code;
    snprintf(expected, sizeof expected, "moult manifest sequence %llu", (unsigned long long)m->sequence);
    if (strcmp(comment, expected) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the trusted comment must be \"%s\"", expected);
    return 0;
}

static const char *spool_path(const char *spool, const char *stem, const char *suffix,
                              char path[UP_PATH_SIZE])
{
    snprintf(path, UP_PATH_SIZE, "%s/%s%s", spool, stem, suffix);
    return path;
}

/* Keep a small file in the spool, unless it is there already. */
static int spool_file(struct up_package *p, const char *suffix, const void *data, size_t size,
                      struct up_error *err)
{
    char path[UP_PATH_SIZE], *old;
    size_t old_size;
    bool same;

    spool_path(p->spool, "manifest", suffix, path);
    if (up_storage_read_file(p->storage, path, UP_MANIFEST_MAX, &old, &old_size, NULL) == 0) {
        same = old_size == size && memcmp(old, data, size) == 0;
        free(old);
        if (same)
            return 0;
    }
    return up_storage_write_file(p->storage, path, data, size, 0644, err);
}

/* Make the spool one of this manifest. Indexes of another one are found out
 * by their digests; those of parts that this one lacks go. */
static int spool_manifest(struct up_package *p, struct up_error *err)
{
    int rc = spool_file(p, ".json", p->text, p->text_size, err);

    if (rc == 0)
        rc = spool_file(p, ".minisig", p->buffer, (size_t)p->layout.signature_size, err);
    for (int kind = 0; rc == 0 && kind < UP_PART_KINDS; kind++) {
        char path[UP_PATH_SIZE];

        spool_path(p->spool, up_part_name((enum up_part_kind)kind), ".idx", path);
        if (!up_manifest_part(&p->manifest, (enum up_part_kind)kind) &&
            p->storage->ops->unlink(p->storage, path) < 0 && errno != ENOENT)
            rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    }
    return rc;
}

static int step_signature(struct up_package *p, struct up_error *err)
{
    size_t size = (size_t)p->layout.signature_size, padded = (size_t)up_tar_padded(size);
    int rc = pull(p, padded, err);

    if (rc < 0)
        return rc;
    if (!up_all_zeros(p->buffer + size, padded - size))
        return up_fail(err, UP_UNTRUSTED, "package: unsigned bytes after manifest.minisig");
    rc = verify_manifest(&p->manifest, p->ring, p->text, p->text_size, (const char *)p->buffer, size, err);
    if (rc < 0)
        return rc;
    up_package_layout_of(&p->layout, &p->manifest, p->text_size, size);
    if (p->source->size != UINT64_MAX && p->source->size != p->layout.size)
        return up_fail(err, UP_CORRUPT, "package: has %llu bytes, its manifest says %llu",
                       (unsigned long long)p->source->size, (unsigned long long)p->layout.size);
    p->has_manifest = true;
    if (p->spool && spool_manifest(p, err) < 0)
        return err->code;
    consume(p, padded);
    if (p->source->ops->want && p->layout.head_size > FIRST_WANT)
        p->source->ops->want(p->source, p->offset, p->layout.head_size - p->offset);
    p->state = PART;
    return 0;
}

/* Verify the index at `path`. Errors: also UP_WRITE when it cannot be read. */
static int check_spooled(struct up_storage *storage, const char *path, const struct up_part *part,
                         struct up_error *err)
{
    struct up_index_reader check;
    uint8_t chunk[4096];
    long long n = 1;
    int file = storage->ops->open(storage, path, UP_READ, 0), rc;

    if (file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", path, strerror(errno));
    rc = up_index_reader_begin(&check, part, err);
    while (rc == 0 && n > 0 && check.fed <= part->index_size) {
        n = storage->ops->pread(storage, file, chunk, sizeof chunk, check.fed);
        if (n > 0)
            up_index_reader_feed(&check, chunk, (size_t)n);
    }
    if (rc == 0 && n < 0)
        rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (rc == 0)
        rc = up_index_reader_end(&check, err);
    up_index_reader_release(&check);
    storage->ops->close(storage, file);
    return rc;
}

/* A good index that another process left may still be in the cache only. */
static bool make_durable(struct up_storage *storage, const char *path)
{
    int file = storage->ops->open(storage, path, UP_UPDATE, 0);
    bool good = file >= 0 && storage->ops->sync(storage, file) == 0;

    if (file >= 0)
        storage->ops->close(storage, file);
    return good;
}

/* Open a fresh spool for the part's index; 1 when a good one is there already. */
static int open_spool(struct up_package *p, const struct up_part *part, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    spool_path(p->spool, up_part_name(part->kind), ".idx", path);
    if (check_spooled(p->storage, path, part, NULL) == 0 && make_durable(p->storage, path))
        return 1;
    /* Not written over: a file whose sync failed once stays unsure. */
    if (p->storage->ops->unlink(p->storage, path) < 0 && errno != ENOENT)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    p->file = p->storage->ops->open(p->storage, path, UP_WRITE_ONLY_NEW, 0644);
    if (p->file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    return 0;
}

/* The header before an index, or the end of the head. */
static int step_part(struct up_package *p, struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->part];
    uint8_t expected[UP_TAR_BLOCK];
    int rc;

    if (p->part == p->manifest.part_count) {
        if (p->spool && p->storage->ops->sync_dir(p->storage, p->spool) < 0)
            return up_fail(err, UP_WRITE, "%s: %s", p->spool, strerror(errno));
        p->state = DONE;
        return 0;
    }
    rc = pull(p, UP_TAR_BLOCK, err);
    if (rc < 0)
        return rc;
    up_package_layout_fill(&p->layout, &p->manifest, p->offset, expected, sizeof expected);
    if (memcmp(expected, p->buffer, sizeof expected) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the header of %s.idx differs from what was signed",
                       up_part_name(part->kind));
    rc = p->spool ? open_spool(p, part, err) : 0;
    if (rc < 0)
        return rc;
    consume(p, UP_TAR_BLOCK);
    if (rc == 1) {
        consume(p, (size_t)part->index_size);
        p->state = PADDING;
        return 0;
    }
    rc = up_index_reader_begin(&p->check, part, err);
    if (rc == 0)
        p->state = INDEX;
    return rc;
}

static int end_index(struct up_package *p, struct up_error *err)
{
    int rc = up_index_reader_end(&p->check, err);

    if (rc == 0 && p->file >= 0 && p->storage->ops->sync(p->storage, p->file) < 0) {
        char path[UP_PATH_SIZE];

        spool_path(p->spool, up_part_name(p->check.part->kind), ".idx", path);
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", path, strerror(errno));
        p->storage->ops->unlink(p->storage, path);
    }
    close_index(p);
    p->state = PADDING;
    return rc;
}

static int step_index(struct up_package *p, struct up_error *err)
{
    uint64_t left = p->manifest.part[p->part].index_size - p->check.fed;
    size_t len = left < CHUNK ? (size_t)left : CHUNK;
    int rc = pull(p, len, err);

    if (rc < 0)
        return rc;
    if (p->file >= 0 && p->storage->ops->pwrite(p->storage, p->file, p->buffer, len, p->check.fed) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write of an index: %s", p->spool,
                       strerror(errno));
    up_index_reader_feed(&p->check, p->buffer, len);
    consume(p, len);
    return left > len ? 0 : end_index(p, err);
}

static int step_padding(struct up_package *p, struct up_error *err)
{
    uint64_t size = p->manifest.part[p->part].index_size;
    size_t len = (size_t)(up_tar_padded(size) - size);
    int rc = pull(p, len, err);

    if (rc < 0)
        return rc;
    if (!up_all_zeros(p->buffer, len))
        return up_fail(err, UP_UNTRUSTED, "package: unsigned bytes after an index");
    consume(p, len);
    p->part++;
    p->state = PART;
    return 0;
}

int up_package_step(struct up_package *p, struct up_error *err)
{
    static int (*const steps[])(struct up_package *,
                                struct up_error *) = {[MANIFEST_HEADER] = step_manifest_header,
                                                      [MANIFEST] = step_manifest,
                                                      [SIGNATURE] = step_signature,
                                                      [PART] = step_part,
                                                      [INDEX] = step_index,
                                                      [PADDING] = step_padding};
    int rc = 0;

    while (rc == 0 && p->state != DONE)
        rc = steps[p->state](p, err);
    return rc;
}

/* Manifest and signature out of a spool. */
static int load_manifest(struct up_manifest *m, struct up_package_layout *layout, struct up_storage *storage,
                         const struct up_keyring *ring, const char *spool, struct up_error *err)
{
    char path[UP_PATH_SIZE], *text = NULL, *sig = NULL;
    size_t size, sig_size;
    int rc = up_storage_read_file(storage, spool_path(spool, "manifest", ".json", path), UP_MANIFEST_MAX,
                                  &text, &size, err);

    if (rc == 0)
        rc = up_storage_read_file(storage, spool_path(spool, "manifest", ".minisig", path), UP_MINISIG_MAX,
                                  &sig, &sig_size, err);
    if (rc == 0)
        rc = verify_manifest(m, ring, text, size, sig, sig_size, err);
    if (rc == 0)
        up_package_layout_of(layout, m, size, sig_size);
    free(text);
    free(sig);
    return rc;
}

int up_package_check_index(struct up_storage *storage, const char *spool, const struct up_part *part,
                           struct up_error *err)
{
    char path[UP_PATH_SIZE];

    return check_spooled(storage, spool_path(spool, up_part_name(part->kind), ".idx", path), part, err);
}

int up_package_load(struct up_manifest *m, struct up_package_layout *layout, struct up_storage *storage,
                    const struct up_keyring *ring, const char *spool, struct up_error *err)
{
    int rc = load_manifest(m, layout, storage, ring, spool, err);

    for (unsigned i = 0; rc == 0 && i < m->part_count; i++)
        rc = up_package_check_index(storage, spool, &m->part[i], err);
    return rc;
}

int up_package_load_part(struct up_manifest *m, struct up_storage *storage, const struct up_keyring *ring,
                         const char *spool, enum up_part_kind kind, struct up_error *err)
{
    struct up_package_layout layout;
    int rc = load_manifest(m, &layout, storage, ring, spool, err);

    if (rc < 0)
        return rc;
    if (!up_manifest_part(m, kind))
        return up_fail(err, UP_MISSING, "%s: the package has no %s", spool, up_part_name(kind));
    return up_package_check_index(storage, spool, up_manifest_part(m, kind), err);
}
