#include "status.h"

#include <stdio.h>

#include "blocks.h"
#include "error.h"
#include "files.h"
#include "minisign.h"
#include "package.h"

const struct up_pair *up_status_confirmed(const struct up_device *d)
{
    const struct up_journal_state *s = up_device_state(d);
    int running = up_device_running(d);

    if (s->phase >= UP_ARMING && up_device_has_core(d) && running == s->tx.target)
        return &s->slot[!running];
    return &s->slot[running];
}

const struct up_pair *up_status_running(const struct up_device *d)
{
    const struct up_journal_state *s = up_device_state(d);

    if (up_device_on_trial(d) && !up_device_has_core(d))
        return &s->tx.pair;
    return &s->slot[up_device_running(d)];
}

/* Whether the generation that is to run is this pair's. Pairs with one generation have one script. */
static bool has_it(const struct up_device *d, const struct up_pair *pair)
{
    return pair->present && pair->generation == up_device_generation(d);
}

const struct up_pair *up_status_script(const struct up_device *d)
{
    const struct up_journal_state *s = up_device_state(d);

    for (unsigned i = 0; i < UP_SLOTS; i++)
        if (has_it(d, &s->slot[i]))
            return &s->slot[i];
    return has_it(d, &s->tx.pair) ? &s->tx.pair : up_status_running(d);
}

bool up_status_mixed(const struct up_device *d, char *path, size_t len)
{
    const char *state = up_device_config(d)->state;
    struct up_files f;
    struct up_error ignored;

    path[0] = '\0';
    if (!up_device_mixed(d))
        return false;
    if (up_files_open(&f, up_device_storage(d), state, &ignored) == 0) {
        up_files_stuck(&f, path, len);
        up_files_close(&f);
    }
    if (!path[0])
        snprintf(path, len, "%s/files", state);
    return true;
}

/* Stored bytes of the first `count` blocks of a part. */
static int count_stored(const struct up_device *d, const char *spool, const struct up_part *part,
                        uint64_t count, uint64_t *sum, struct up_error *err)
{
    struct up_blocks *blocks;
    struct up_block block;
    int rc = up_blocks_open(&blocks, up_device_storage(d), spool, part, err);

    if (rc < 0)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < count && i < up_blocks_count(blocks); i++) {
        rc = up_blocks_get(blocks, i, &block, err);
        if (rc == 0)
            *sum += block.stored;
    }
    up_blocks_close(blocks);
    return rc < 0 ? rc : 0;
}

static int count_parts(const struct up_device *d, const struct up_manifest *m, const char *spool,
                       struct up_status_progress *out, struct up_error *err)
{
    const struct up_journal_state *s = up_device_state(d);
    uint64_t left = s->tx.hint;
    bool first = true;

    for (unsigned i = 0; i < m->part_count; i++) {
        const struct up_part *part = &m->part[i];
        uint64_t count = (part->size + part->block_size - 1) / part->block_size;

        if (!(s->tx.parts & 1u << part->kind))
            continue;
        out->total += part->data_size;
        if (s->phase > UP_FETCHING) {
            out->done += part->data_size;
            out->part = part->kind;
            continue;
        }
        if (left == 0 && !first)
            continue;
        first = false;
        out->part = part->kind;
        if (count_stored(d, spool, part, left, &out->done, err) < 0)
            return err->code;
        left = left > count ? left - count : 0;
    }
    return 0;
}

int up_status_progress(const struct up_device *d, struct up_status_progress *out, struct up_error *err)
{
    const struct up_config *config = up_device_config(d);
    char spool[UP_PATH_SIZE];
    struct up_keyring *ring;
    struct up_manifest m;
    struct up_package_layout layout;
    int rc;

    *out = (struct up_status_progress){.part = UP_SCRIPT};
    if (up_device_state(d)->phase == UP_IDLE)
        return up_fail(err, UP_NOTHING, "no transaction is open");
    if (up_keyring_open(&ring, up_device_storage(d), config->keys, err) < 0)
        return err->code;
    up_device_path(d, "tx", spool, sizeof spool);
    rc = up_package_load(&m, &layout, up_device_storage(d), ring, spool, err);
    up_keyring_free(ring);
    if (rc < 0)
        return rc;
    return count_parts(d, &m, spool, out, err);
}
