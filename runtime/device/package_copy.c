#include "package_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "digest.h"
#include "package.h"
#include "source.h"
#include "storage.h"
#include "tar.h"

#define PLAIN_BYTES (64u << 10) /* of a piece that is not a block */
#define WANT_BYTES (8u << 20)   /* how far ahead the source below is told, */
#define WANT_AGAIN (4u << 20)   /* and told again when less of it is left */

struct up_copy {
    struct up_source base; /* first */
    struct up_source *below;
    struct up_storage *storage;
    const struct up_manifest *manifest;
    const struct up_package_layout *layout;
    struct up_digest *digest;
    char spool[UP_PATH_SIZE - 64]; /* leaves room for the names in it */

    struct up_blocks *blocks; /* of the part */
    unsigned part;
    uint32_t block; /* the next one of it */

    uint64_t begin; /* the piece: [begin, begin + len) of the file */
    uint32_t len, filled;
    uint8_t stored_digest[32];
    bool is_block, second_try;
    bool ready; /* verified */
    bool ended; /* the program gets nothing more */

    uint64_t taken; /* the program has all bytes before */
    uint64_t want_end;
    uint8_t *bytes;
};

static uint64_t end_of(const struct up_copy *c)
{
    return c->begin + c->len;
}

static int plain(struct up_copy *c, uint64_t to)
{
    c->is_block = false;
    c->len = to - c->begin < PLAIN_BYTES ? (uint32_t)(to - c->begin) : PLAIN_BYTES;
    return 0;
}

/* The next block that has stored bytes: 1, or 0 after the last of the part. */
static int next_block(struct up_copy *c, struct up_error *err)
{
    const struct up_part *part = &c->manifest->part[c->part];
    struct up_block block;

    if (!c->blocks && up_blocks_open(&c->blocks, c->storage, c->spool, part, err) < 0)
        return err->code;
    while (c->block < up_blocks_count(c->blocks)) {
        if (up_blocks_get(c->blocks, c->block++, &block, err) < 0)
            return err->code;
        if (block.stored == 0)
            continue;
        c->is_block = true;
        c->len = block.stored;
        memcpy(c->stored_digest, block.stored_digest, sizeof c->stored_digest);
        return 1;
    }
    up_blocks_close(c->blocks);
    c->blocks = NULL;
    c->block = 0;
    c->part++;
    return 0;
}

/* Go on to the next piece. At the end of the file it is empty. */
static int next_piece(struct up_copy *c, struct up_error *err)
{
    c->begin = end_of(c);
    c->len = c->filled = 0;
    c->ready = c->second_try = false;
    if (c->begin < c->layout->head_size)
        return plain(c, c->layout->head_size);
    while (c->part < c->manifest->part_count) {
        int rc;

        if (c->begin < c->layout->data_offset[c->part])
            return plain(c, c->layout->data_offset[c->part]);
        rc = next_block(c, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return plain(c, c->layout->size);
}

/* Put the bytes of a member of the head that lie in the piece. */
static int put_member(struct up_copy *c, const char *name, uint64_t at, uint64_t size, struct up_error *err)
{
    uint64_t from = at > c->begin ? at : c->begin, to = at + size < end_of(c) ? at + size : end_of(c);
    char path[UP_PATH_SIZE];
    long long got = -1;
    int file;

    if (from >= to)
        return 0;
    snprintf(path, sizeof path, "%s/%s", c->spool, name);
    file = c->storage->ops->open(c->storage, path, UP_READ, 0);
    if (file >= 0) {
        got = c->storage->ops->pread(c->storage, file, c->bytes + (from - c->begin), (size_t)(to - from),
                                     from - at);
        c->storage->ops->close(c->storage, file);
    }
    return got == (long long)(to - from) ? 0 : up_fail(err, UP_WRITE, "%s: cannot be read", path);
}

/* Make a piece that is not a block: its bytes follow from the manifest, or are in the spool. */
static int put_plain(struct up_copy *c, struct up_error *err)
{
    const struct up_package_layout *l = c->layout;
    uint64_t signature = 2 * UP_TAR_BLOCK + up_tar_padded(l->manifest_size);
    char name[64];

    up_package_layout_fill(l, c->manifest, c->begin, c->bytes, c->len);
    if (put_member(c, "manifest.json", UP_TAR_BLOCK, l->manifest_size, err) < 0 ||
        put_member(c, "manifest.minisig", signature, l->signature_size, err) < 0)
        return err->code;
    for (unsigned i = 0; i < c->manifest->part_count; i++) {
        snprintf(name, sizeof name, "%s.idx", up_manifest_part_name(c->manifest->part[i].kind));
        if (put_member(c, name, l->index_offset[i], c->manifest->part[i].index_size, err) < 0)
            return err->code;
    }
    c->filled = c->len;
    return 0;
}

/* Tell the source below that reading goes on from here. */
static void want(struct up_copy *c, uint64_t from)
{
    if (!c->below || !c->below->ops->want || from + WANT_AGAIN < c->want_end || from >= c->layout->size)
        return;
    c->want_end = c->layout->size - from < WANT_BYTES ? c->layout->size : from + WANT_BYTES;
    c->below->ops->want(c->below, from, c->want_end - from);
}

/* Read from the source below, and take over its size and count. */
static long read_below(struct up_copy *c, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    long r;

    if (!c->below)
        return up_fail(err, UP_INTERNAL, "copy of a package: read without a source");
    r = c->below->ops->read(c->below, offset, buf, len, err);

    c->base.size = c->below->size;
    c->base.received = c->below->received;
    return r;
}

static bool has_digest(struct up_copy *c)
{
    uint8_t digest[UP_DIGEST_MAX];

    if (c->filled < c->len)
        return false;
    up_digest_update(c->digest, c->bytes, c->len);
    up_digest_final(c->digest, digest);
    return memcmp(digest, c->stored_digest, sizeof c->stored_digest) == 0;
}

/* Fetch the rest of the block: 0, or what the source below returned. */
static int fetch_block(struct up_copy *c, struct up_error *err)
{
    while (c->filled < c->len) {
        long r;

        want(c, c->begin + c->filled);
        r = read_below(c, c->begin + c->filled, c->bytes + c->filled, c->len - c->filled, err);
        if (r < 0)
            return (int)r;
        if (r == 0)
            break;
        c->filled += (uint32_t)r;
    }
    return 0;
}

/* Fetch and verify the piece: 0, or what the source below returned. A block that is wrong twice ends the
 * copy. */
static int load(struct up_copy *c, struct up_error *err)
{
    struct up_error ignored;

    while (!c->ready && !c->ended) {
        int rc = c->is_block ? fetch_block(c, err) : 0;

        if (rc < 0)
            return rc;
        c->ready = c->is_block ? has_digest(c) : put_plain(c, &ignored) == 0;
        c->ended = !c->ready && (!c->is_block || c->second_try);
        c->second_try = true;
        if (!c->ready) {
            c->filled = 0;
            c->want_end = 0;
        }
    }
    return 0;
}

/* Go on to the piece that holds `offset`: 0, or UP_AGAIN while the program has not taken what comes before. */
static int advance(struct up_copy *c, uint64_t offset, struct up_error *err)
{
    struct up_error ignored;

    while (!c->ended && end_of(c) <= offset && end_of(c) < c->layout->size) {
        int rc = end_of(c) > c->taken ? load(c, err) : 0;

        if (rc < 0)
            return rc;
        if (!c->ended && end_of(c) > c->taken)
            return UP_AGAIN;
        if (!c->ended && next_piece(c, &ignored) < 0)
            c->ended = true;
    }
    return c->ended || end_of(c) <= c->taken ? 0 : load(c, err);
}

static long copy_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct up_copy *c = (struct up_copy *)s;
    uint64_t left;
    int rc = advance(c, offset, err);

    if (rc < 0)
        return rc;
    left = end_of(c) - offset;
    if (offset >= c->begin && offset < end_of(c) && len > left)
        len = (size_t)left;
    if (c->ready && c->is_block && offset >= c->begin && offset < end_of(c)) {
        memcpy(buf, c->bytes + (offset - c->begin), len);
        return (long)len;
    }
    /* The transfer compares bytes outside of blocks itself, so it gets them as they came. */
    return read_below(c, offset, buf, len, err);
}

static void copy_want(struct up_source *s, uint64_t offset, uint64_t len)
{
    struct up_copy *c = (struct up_copy *)s;

    if (!c->ended || !c->below || !c->below->ops->want)
        return; /* the copy wants everything, and asks for it as it goes */
    c->below->ops->want(c->below, offset, len);
}

static void copy_close(struct up_source *s)
{
    struct up_copy *c = (struct up_copy *)s;

    up_package_copy_leave(c);
    up_blocks_close(c->blocks);
    up_digest_free(c->digest);
    free(c->bytes);
    free(c);
}

static const struct up_source_ops ops = {.read = copy_read, .want = copy_want, .close = copy_close};

static size_t room_for(const struct up_manifest *m)
{
    size_t size = PLAIN_BYTES;

    for (unsigned i = 0; i < m->part_count; i++)
        if (m->part[i].block_size > size)
            size = m->part[i].block_size;
    return size;
}

int up_package_copy_open(struct up_copy **out, struct up_source *below, const struct up_package *package,
                         struct up_storage *storage, const char *spool, uint64_t from, struct up_error *err)
{
    struct up_copy *c;

    if (strlen(spool) >= sizeof c->spool)
        return up_fail(err, UP_USAGE, "copy of a package: the path of the spool is too long");
    c = calloc(1, sizeof *c);
    if (!c)
        return up_fail(err, UP_INTERNAL, "copy of a package: out of memory");
    c->base = (struct up_source){.ops = &ops, .remote = below->remote};
    c->storage = storage;
    c->manifest = up_package_manifest(package);
    c->layout = up_package_layout(package);
    strcpy(c->spool, spool);
    c->taken = from;
    c->bytes = malloc(room_for(c->manifest));
    if (!c->bytes || up_digest_new(&c->digest, UP_SHA256, err) < 0) {
        copy_close(&c->base);
        return up_fail(err, UP_INTERNAL, "copy of a package: out of memory");
    }
    up_package_copy_join(c, below);
    *out = c;
    return 0;
}

struct up_source *up_package_copy_source(struct up_copy *c)
{
    return &c->base;
}

void up_package_copy_leave(struct up_copy *c)
{
    if (c->below)
        c->below->ops->close(c->below);
    c->below = NULL;
}

void up_package_copy_join(struct up_copy *c, struct up_source *below)
{
    up_package_copy_leave(c);
    c->below = below;
    c->base.size = below->size;
    c->base.received = below->received;
    c->want_end = 0;
}

struct up_source *up_package_copy_below(struct up_copy *c)
{
    return c->below;
}

long up_package_copy_take(struct up_copy *c, uint64_t offset, const uint8_t **data, struct up_error *err)
{
    uint64_t had = c->ready ? end_of(c) : c->taken;

    if (c->ended)
        return up_fail(err, UP_NOTHING, "the copy of the package has ended");
    if (offset < c->taken || offset > had)
        return up_fail(err, UP_USAGE, "copy of a package: byte %llu is not where it stopped, at byte %llu",
                       (unsigned long long)offset, (unsigned long long)c->taken);
    c->taken = offset;
    if (offset == had)
        return 0;
    *data = c->bytes + (offset - c->begin);
    return (long)(had - offset);
}

bool up_package_copy_waits(const struct up_copy *c)
{
    return !c->ended && c->ready && c->taken < end_of(c);
}

void up_package_copy_release(struct up_copy *c)
{
    c->ended = true;
}
