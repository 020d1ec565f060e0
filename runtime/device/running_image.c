/*
 * running_image.c -- the running core, as the source of a delta.
 *
 * The journal has its size, which is compared first. Its digest is computed
 * from the slot once, before a transaction begins; from then on the digest of
 * each block protects against changes.
 */
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "digest.h"
#include "error.h"
#include "old_image.h"

#define CHUNK ((size_t)64 << 10)
#define CHUNKS_A_CALL 64 /* 4 MiB for each call, before the caller gets a turn */

/* The slot while it is hashed. */
struct up_source_check {
    struct up_old_image *image;
    struct up_digest *digest;
    uint64_t at;
    uint8_t chunk[CHUNK];
};

int up_device_source_mounted(const struct up_device *d)
{
    const char *slot = d->config->slot[d->boot_state.running];

    return slot ? d->storage->ops->mounted(d->storage, slot) : UP_NOT_MOUNTED;
}

void up_device_source_free(struct up_device *d)
{
    if (!d->source_check)
        return;
    up_old_image_close(d->source_check->image);
    up_digest_free(d->source_check->digest);
    free(d->source_check);
    d->source_check = NULL;
}

const uint8_t *up_device_source_digest(const struct up_device *d, uint64_t size)
{
    const struct up_known_source *known = &d->source;

    return known->size == size && known->slot == d->boot_state.running ? known->digest : NULL;
}

/* Whether a gate will need the digest: not if the size alone refuses, and not
 * again for a transaction that has begun. */
static bool wants_digest(const struct up_device *d, const struct up_manifest *m)
{
    const struct up_pair *running = &d->state.slot[d->boot_state.running];
    const struct up_part *core = up_manifest_part(m, UP_CORE);
    int mounted;

    if (!core || !core->delta || !(up_device_parts(d, m) & 1u << UP_CORE) || !running->present ||
        running->core_size != core->source_size || !d->config->slot[d->boot_state.running])
        return false;
    if (d->state.phase != UP_IDLE && memcmp(d->state.tx.pair.digest, m->digest, sizeof m->digest) == 0)
        return false;
    if (up_device_source_digest(d, core->source_size))
        return false;
    mounted = up_device_source_mounted(d);
    return mounted == UP_NOT_MOUNTED || mounted == UP_MOUNTED;
}

static int begin_check(struct up_device *d, uint64_t size, struct up_error *err)
{
    d->source_check = calloc(1, sizeof *d->source_check);
    if (!d->source_check)
        return up_fail(err, UP_INTERNAL, "device: out of memory");
    if (up_digest_new(&d->source_check->digest, UP_SHA256, err) < 0)
        return err->code;
    return up_old_image_open(&d->source_check->image, d->storage, d->config->slot[d->boot_state.running],
                             size, err);
}

int up_device_learn_source(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_source_check *c = d->source_check;
    uint8_t digest[UP_DIGEST_MAX];
    uint64_t size;

    if (!wants_digest(d, m)) {
        up_device_source_free(d);
        return 0;
    }
    size = up_manifest_part(m, UP_CORE)->source_size;
    if (c && up_old_image_old(c->image)->size != size)
        up_device_source_free(d);
    if (!d->source_check && begin_check(d, size, err) < 0)
        goto fail;
    c = d->source_check;
    for (int n = 0; n < CHUNKS_A_CALL && c->at < size; n++) {
        uint64_t left = size - c->at;
        size_t len = left < CHUNK ? (size_t)left : CHUNK;

        if (up_old_image_read(c->image, c->chunk, len, c->at, err) < 0)
            goto fail;
        up_digest_update(c->digest, c->chunk, len);
        c->at += len;
    }
    if (c->at < size)
        return UP_AGAIN;
    up_digest_final(c->digest, digest);
    d->source.size = size;
    d->source.slot = (uint8_t)d->boot_state.running;
    memcpy(d->source.digest, digest, sizeof d->source.digest);
    up_device_source_free(d);
    return 0;
fail:
    up_device_source_free(d);
    return err->code;
}
