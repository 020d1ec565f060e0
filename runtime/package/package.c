#include "package.h"

#include "bytes.h"
#include "error.h"
#include "index_reader.h"
#include "minisign.h"
#include "package_spool.h"
#include "storage.h"
#include "tar.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_WANT 16384 /* bytes asked for before anything is known: most heads are smaller */
#define CHUNK 65536      /* bytes of an index read at a time */
#define BUFFER (CHUNK + 2 * UP_TAR_BLOCK)
#define SPOOL_MAX (UP_PATH_SIZE - 64) /* room for the names of what lies in it */

enum state { MANIFEST_HEADER, MANIFEST, SIGNATURE, PART, INDEX, PADDING, DONE };

struct up_package {
    struct up_source *source;
    const struct up_keyring *ring;
    struct up_package_spool spool; /* its path NULL: indexes are verified and forgotten */
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
        p->spool.path = spool ? strdup(spool) : NULL;
        p->spool.storage = storage;
        p->spool.file = -1;
    }
    if (!p || !p->buffer || (spool && !p->spool.path)) {
        up_package_free(p);
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    }
    p->source = source;
    p->ring = ring;
    if (source->ops->want)
        source->ops->want(source, 0, FIRST_WANT);
    *out = p;
    return 0;
}

int up_package_unsigned(struct up_package **out, const struct up_manifest *m, uint64_t size,
                        struct up_error *err)
{
    struct up_package *p = calloc(1, sizeof *p);

    if (!p)
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    p->spool.file = -1;
    p->state = DONE;
    p->manifest = *m;
    p->has_manifest = true;
    p->layout.size = p->offset = size;
    *out = p;
    return 0;
}

static void close_index(struct up_package *p)
{
    up_index_reader_release(&p->check);
    up_package_spool_close(&p->spool);
}

void up_package_free(struct up_package *p)
{
    if (!p)
        return;
    close_index(p);
    free(p->buffer);
    free(p->spool.path);
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

    while (at < p->have && strchr(" \t\r\n\xEF\xBB\xBF", p->buffer[at]))
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

static int step_signature(struct up_package *p, struct up_error *err)
{
    size_t size = (size_t)p->layout.signature_size, padded = (size_t)up_tar_padded(size);
    int rc = pull(p, padded, err);

    if (rc < 0)
        return rc;
    if (!up_all_zeros(p->buffer + size, padded - size))
        return up_fail(err, UP_UNTRUSTED, "package: unsigned bytes after manifest.minisig");
    rc = up_manifest_verify(&p->manifest, p->ring, p->text, p->text_size, (const char *)p->buffer, size, err);
    if (rc < 0)
        return rc;
    up_package_layout_of(&p->layout, &p->manifest, p->text_size, size);
    if (p->source->size != UINT64_MAX && p->source->size != p->layout.size)
        return up_fail(err, UP_CORRUPT, "package: has %llu bytes, its manifest says %llu",
                       (unsigned long long)p->source->size, (unsigned long long)p->layout.size);
    p->has_manifest = true;
    if (p->spool.path && up_package_spool_manifest(&p->spool, &p->manifest, p->text, p->text_size,
                                                   (const char *)p->buffer, size, err) < 0)
        return err->code;
    consume(p, padded);
    if (p->source->ops->want && p->layout.head_size > FIRST_WANT)
        p->source->ops->want(p->source, p->offset, p->layout.head_size - p->offset);
    p->state = PART;
    return 0;
}

/* The header before an index, or the end of the head. */
static int step_part(struct up_package *p, struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->part];
    uint8_t expected[UP_TAR_BLOCK];
    int rc;

    if (p->part == p->manifest.part_count) {
        if (p->spool.path && up_package_spool_sync(&p->spool, err) < 0)
            return err->code;
        p->state = DONE;
        return 0;
    }
    rc = pull(p, UP_TAR_BLOCK, err);
    if (rc < 0)
        return rc;
    up_package_layout_fill(&p->layout, &p->manifest, p->offset, expected, sizeof expected);
    if (memcmp(expected, p->buffer, sizeof expected) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the header of %s.idx differs from what was signed",
                       up_manifest_part_name(part->kind));
    rc = p->spool.path ? up_package_spool_begin(&p->spool, part, err) : 0;
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

    if (rc == 0 && p->spool.file >= 0)
        rc = up_package_spool_end(&p->spool, p->check.part, err);
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
    if (p->spool.file >= 0 && up_package_spool_write(&p->spool, p->buffer, len, p->check.fed, err) < 0)
        return err->code;
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
