/*
 * tamper.c -- flip every byte of a package, one at a time, and offer it to a
 * device.
 *
 * None may be accepted: nothing is armed, every block on the media is one that
 * was signed, and the running slot and generation are what they were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "variants.h"
#include "world.h"

#define BLOCK 4096u

/* A package whole, and one whose core is a delta. */
static const struct {
    struct world_plan plan;
    const char *package;
} plans[] = {
    {{.name = "both", .provisioned = true, .package = WORLD_BOTH}, "/packages/both.upd"},
    {{.name = "both by delta", .provisioned = true, .package = WORLD_BOTH_DELTA}, "/packages/both-delta.upd"},
};

/* What the factory's slot and the new one should hold. */
struct images {
    char *old_core, *new_core;
    size_t old_size, new_size;
};

/* Every whole block in the slot must be zeros (never written) or signed. */
static bool only_signed(const char *slot, size_t len, const struct images *images)
{
    static const char zeros[BLOCK];

    for (size_t at = 0; at < len; at += BLOCK) {
        size_t n = len - at < BLOCK ? len - at : BLOCK;

        if (memcmp(slot + at, zeros, n) != 0 &&
            (at + n > images->new_size || memcmp(slot + at, images->new_core + at, n) != 0))
            return false;
    }
    return true;
}

static const char *judge(struct sim *sim, const struct world_log *log, const struct images *images)
{
    size_t len = 0;
    char *slot = sim_get(sim, "/device/slot-b.img", &len);
    bool clean = !slot || only_signed(slot, len, images);

    free(slot);
    if (log->armed)
        return "was armed";
    if (!clean)
        return "left an unsigned block in the slot";
    if (!variant_is_core(sim, "/device/slot-a.img", 1) ||
        !variant_is_script(sim, "/device/state/script/1", 1))
        return "touched what runs";
    return NULL;
}

static void read_images(struct images *images, const struct world_plan *plan)
{
    struct sim *sim = world_new(plan);
    struct world_log log = {0};

    world_live(sim, plan, true, &log);
    images->old_core = sim_get(sim, "/device/slot-a.img", &images->old_size);
    images->new_core = sim_get(sim, "/device/slot-b.img", &images->new_size);
    if (log.bad[0] || !log.confirmed || !images->new_core) {
        fprintf(stderr, "the untouched package does not install: %s\n", log.bad);
        abort();
    }
    sim_free(sim);
}

/* Flip every byte of one package. Returns how many are accepted. */
static unsigned long flip_all(const struct world_plan *plan, const char *path, size_t *flipped)
{
    struct sim *start = world_new(plan);
    struct images images;
    size_t len;
    char *package = sim_get(start, path, &len);
    unsigned long accepted = 0;

    read_images(&images, plan);
    for (size_t i = 0; i < len; i++) {
        struct sim *sim = sim_clone(start);
        struct world_log log = {.tampered = true};
        const char *why;

        package[i] ^= (char)(1 << i % 8);
        sim_put(sim, path, package, len, 0644);
        package[i] ^= (char)(1 << i % 8);
        world_boot(sim, plan, true, &log);
        why = log.bad[0] ? log.bad : judge(sim, &log, &images);
        if (why) {
            accepted++;
            printf("bad: %s: byte %zu flipped: %s\n", plan->name, i, why);
        }
        sim_free(sim);
    }
    *flipped += len;
    free(package);
    free(images.old_core);
    free(images.new_core);
    sim_free(start);
    return accepted;
}

int main(void)
{
    unsigned long accepted = 0;
    size_t flipped = 0;

    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        accepted += flip_all(&plans[i].plan, plans[i].package, &flipped);
    printf(
        "tamper: %zu bytes of packages, whole and by delta, flipped one by one, %lu accepted; nothing armed, "
        "no unsigned block written\n",
        flipped, accepted);
    return accepted ? 1 : 0;
}
