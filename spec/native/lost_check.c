/*
 * lost_check.c -- a file of the device's records is lost, as fsck does it to
 * one whose inode went bad: after a power cut at every operation of every
 * flow, either file of the journal and of the boot record is gone or broken.
 * The other one may be a step behind, and the device still comes to a whole
 * pair, keeps what was confirmed, and has both files again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "plans.h"
#include "record.h"
#include "world.h"

/* Of the flows of plans.h, by name. */
static const char *const names[] = {
    "provision",
    "script",
    "slot",
    "both",
    "script fails",
    "both fails",
    "script crashes",
    "slot crashes",
    "script disarmed",
    "both disarmed",
    "slot dead",
    "both by permit",
    "uboot provision",
    "uboot both",
    "uboot slot crashes",
    "uboot both disarmed",
    "uboot both dead",
};

static const struct world_plan uboot_slot_fails = {.name = "uboot slot fails",
                                                   .provisioned = true,
                                                   .package = WORLD_CORE,
                                                   .verdict = WORLD_FAIL,
                                                   .loader = WORLD_UBOOT};

static const char *const files[] = {"/device/state/journal.0", "/device/state/journal.1",
                                    "/device/state/boot.0", "/device/state/boot.1"};
#define FILES 4

struct totals {
    unsigned long states, bad;
    struct known *known; /* what was judged in the flow at hand */
};

/* Gone, or its first sector overwritten. Where the other one is not whole,
 * losing this one, too, would be more than one fault. */
static bool lose(struct sim *sim, unsigned file, bool gone)
{
    const char *other = files[file ^ 1], *path = files[file];
    struct up_storage *s = sim_storage(sim);
    struct up_record r = {.storage = s, .capacity = 512};
    struct up_record_view view[2];
    struct up_error err;
    char stem[64];
    size_t len;
    char *bytes;

    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path) - 2), path);
    r.path = stem;
    memcpy(r.magic, file < 2 ? "MOULTJN1" : "MOULTBT1", 8);
    r.capacity = file < 2 ? UP_RECORD_HEAD + 12288 : 512;
    if (!sim_exists(sim, path) || !sim_exists(sim, other) || up_record_inspect(&r, view, &err) < 0 ||
        strcmp(view[!(file & 1)].state, "whole") != 0)
        return false;
    if (gone) {
        s->ops->unlink(s, path);
        sim_settle(sim);
        return true;
    }
    bytes = sim_get(sim, path, &len);
    memset(bytes, 0xff, len < 512 ? len : 512);
    sim_put(sim, path, bytes, len, 0600);
    free(bytes);
    return true;
}

/* Both files of a record are there and long again. */
static const char *missing(struct sim *sim)
{
    for (unsigned i = 0; i < FILES; i++) {
        size_t len = 0;

        free(sim_get(sim, files[i], &len));
        if (len < UP_RECORD_SPREAD && sim_exists(sim, files[i ^ 1]))
            return files[i];
    }
    return NULL;
}

static void judge(struct totals *t, const struct sim *medium, const struct world_plan *plan,
                  const struct world_log *before, unsigned cut, unsigned file, bool gone)
{
    for (int online = 0; online < 2; online++) {
        struct sim *sim = sim_clone(medium);
        struct world_log log = *before;

        bool lost = lose(sim, file, gone);

        log.boots = 0;
        t->states += lost;
        if (lost && !known_met(t->known, known_state(sim, &log, "", online << 3 | file))) {
            world_live(sim, plan, online, &log);
            /* And it stays there: a loader that counts would leave it after three more. */
            for (int more = 0; !log.bad[0] && more < 5; more++) {
                world_check(sim, plan, online, &log);
                world_live(sim, plan, online, &log);
            }
            /* An open transfer writes both in turn. */
            if (!log.bad[0] && online && missing(sim))
                snprintf(log.bad, sizeof log.bad, "%s was not made anew", missing(sim));
        }
        if (log.bad[0] && ++t->bad <= 20)
            print_message("bad: %s, cut %u, %s %s, %s: %s\n", plan->name, cut, files[file],
                          gone ? "gone" : "broken", online ? "online" : "alone", log.bad);
        sim_free(sim);
    }
}

struct losing {
    struct totals *t;
    const struct world_plan *plan;
};

static void lose_here(void *user, const struct sim *sim, const void *log, unsigned k)
{
    const struct losing *l = user;
    struct sim_choice choice = sim_choice(sim, k * 7 % sim_choices(sim));
    struct sim *medium = sim_reboot(sim, &choice);

    for (unsigned file = 0; file < FILES; file++)
        judge(l->t, medium, l->plan, log, k, file, (k + file) % 2);
    sim_free(medium);
}

static void lose_everywhere(struct totals *t, const struct world_plan *plan)
{
    struct losing l = {t, plan};
    struct sim *start = world_new(plan);
    struct world_log log = {0};

    t->known = known_new();
    cuts_each(&world_lives, start, plan, &log, 1, lose_here, &l);
    assert_string_equal(log.bad, "");
    sim_free(start);
    known_free(t->known);
}

static void one_file_lost_after_any_cut_is_survived(void **state)
{
    struct totals t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        lose_everywhere(&t, world_plan_of(names[i]));
    lose_everywhere(&t, &uboot_slot_fails);
    print_message("lost-file: %lu states, %lu bad\n", t.states, t.bad);
    assert_int_equal(t.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_lost_after_any_cut_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
