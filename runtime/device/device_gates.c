/*
 * device_gates.c -- whether a release may be installed on this device: its
 * slots, the current permit, the gates.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "gates.h"
#include "hotfix_ledger.h"
#include "minisign.h"
#include "permit.h"
#include "roots.h"

int up_device_permit(struct up_device *d, const char *path, struct up_error *err)
{
    struct up_permit *permit = NULL;
    struct up_keyring *ring;
    int rc = 0;

    free(d->permit);
    d->permit = NULL;
    if (!path)
        return 0;
    if (up_keyring_open(&ring, d->storage, d->config->keys, err) < 0)
        return err->code;
    permit = malloc(sizeof *permit);
    if (!permit)
        rc = up_fail(err, UP_INTERNAL, "permit %s: out of memory", path);
    else
        rc = up_permit_load(permit, d->storage, ring, path, err);
    up_keyring_free(ring);
    if (rc == 0)
        d->permit = permit;
    else
        free(permit);
    return rc;
}

int up_device_check_slots(const struct up_device *d, struct up_error *err)
{
    const char *const slot[UP_SLOTS] = {d->config->slot[0], d->config->slot[1]};

    return up_slot_check(d->storage, slot, d->config->state, err);
}

/* The root with the least room. */
static int find_room(const struct up_device *d, struct up_gate_facts *facts, struct up_error *err)
{
    for (uint32_t i = 0; i < d->config->files.root_count; i++) {
        const char *root = d->config->files.root[i].path;
        uint64_t room;

        if (d->storage->ops->space(d->storage, root, &room) < 0)
            return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "root %s: free space: %s", root,
                           strerror(errno));
        if (facts->files_root && room > facts->files_free)
            continue;
        facts->files_root = root;
        facts->files_free = room;
    }
    return 0;
}

/* Whether it is the release that runs, and its script is damaged. */
static bool is_damaged(const struct up_device *d, const struct up_manifest *m)
{
    const struct up_pair *pair = up_device_pair(d);
    char damage[2];

    if (!pair->present || memcmp(pair->digest, m->digest, sizeof m->digest) != 0)
        return false;
    up_device_damage(d, damage, sizeof damage);
    return damage[0] != '\0';
}

int up_device_gates(const struct up_device *d, const struct up_manifest *m, struct up_gate_report *report,
                    struct up_error *err)
{
    struct up_gate_facts facts = {.config = d->config,
                                  .state = &d->state,
                                  .running = d->boot_state.running,
                                  .time = up_device_time(d),
                                  .version = MOULT_VERSION,
                                  .need_bytes = up_gate_space(m),
                                  .permit = d->permit,
                                  .slot_size = 0};
    const struct up_part *core = up_manifest_part(m, UP_CORE);
    struct up_hotfix_ledger ledger;
    const char *slot = d->config->slot[d->provisioning ? d->boot_state.running : !d->boot_state.running];

    if (up_manifest_part(m, UP_HOTFIX) &&
        up_hotfix_ledger_read(&ledger, d->storage, d->config->state, &facts.ledger_why) == 0)
        facts.ledger = &ledger;
    facts.core_left_out = !(up_device_parts(d, m) & 1u << UP_CORE);
    facts.files_left_out = !(up_device_parts(d, m) & 1u << UP_FILES);
    if (((up_manifest_part(m, UP_FILES) && !facts.files_left_out) || m->hotfix_files) &&
        find_room(d, &facts, err) < 0)
        return err->code;
    if (core && core->delta) {
        facts.source_mounted = up_device_source_mounted(d);
        facts.source_digest = up_device_source_digest(d, core->source_size);
    }
    facts.damaged = is_damaged(d, m);
    facts.same_open =
        d->state.phase != UP_IDLE && memcmp(d->state.tx.pair.digest, m->digest, sizeof m->digest) == 0;
    if (d->storage->ops->space(d->storage, d->config->state, &facts.free_bytes) < 0)
        return up_fail(err, UP_WRITE, "state %s: free space: %s", d->config->state, strerror(errno));
    if (slot && core && up_device_check_slots(d, err) < 0)
        return err->code;
    if ((up_manifest_part(m, UP_FILES) || m->hotfix_files) && d->config->files.root_count > 0 &&
        up_roots_check(d->config, d->storage, err) < 0)
        return err->code;
    if (slot && up_slot_capacity(d->storage, slot, &facts.slot_size, err) < 0)
        return err->code;
    return up_gates_ask(report, m, &facts, err);
}
