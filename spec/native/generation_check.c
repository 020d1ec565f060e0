/*
 * generation_check.c -- a device's script is what was signed: when it is armed,
 * at each start, and without a journal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fixture.h"
#include "generation.h"
#include "keyset.h"
#include "minisign.h"
#include "stand.h"
#include "status.h"
#include "variants.h"

#define SCRIPTS "/device/state/script"
#define KEYS "/device/keys"
#define SCRIPT "/packages/script.upd"

static const struct world_plan factory = {.name = "provision", .package = WORLD_FACTORY};
static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
static const struct world_plan by_core = {.name = "core", .provisioned = true, .package = WORLD_CORE};
static const struct world_plan by_both = {.name = "both", .provisioned = true, .package = WORLD_BOTH};

/* Whatever the medium makes of one write, nothing is started that was not
 * signed; every write of a whole life is spoiled in turn. */
static void a_flipped_bit_is_never_started(void **state)
{
    const struct world_plan *plans[] = {&factory, &by_script, &by_core, &by_both};

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct sim *start = world_new(plans[i]);
        bool met = true;

        for (unsigned n = 1; met; n++) {
            struct sim *sim = sim_clone(start);
            struct world_log log = {.tampered = true};

            sim_reset_counters(sim);
            sim_flip_write(sim, n);
            world_live(sim, plans[i], true, &log);
            met = sim_calls(sim, SIM_PWRITE) >= n;
            if (!log.bad[0] && log.confirmed)
                world_check(sim, plans[i], true, &log);
            if (strstr(log.bad, "would start"))
                fail_msg("%s: write %u: %s", plans[i]->name, n, log.bad);
            sim_free(sim);
        }
        sim_free(start);
    }
}

static struct sim *lived(const struct world_plan *plan)
{
    struct sim *sim = world_new(plan);
    struct world_log log = {0};

    world_live(sim, plan, true, &log);
    world_check(sim, plan, true, &log);
    world_check_kept(sim, plan, &log);
    assert_string_equal(log.bad, "");
    sim_settle(sim);
    return sim;
}

/* Some file systems have none; then the archive is moved, and the head copied. */
static void what_is_kept_needs_no_hard_links(void **state)
{
    struct sim *sim = world_new(&by_script);
    struct world_log log = {0};

    (void)state;
    sim_fail(sim, SIM_LINK, 1, EPERM, true);
    world_live(sim, &by_script, true, &log);
    world_check(sim, &by_script, true, &log);
    world_check_kept(sim, &by_script, &log);
    assert_string_equal(log.bad, "");
    assert_true(log.confirmed);
    sim_free(sim);
}

struct newest_case {
    const char *what;
    void (*change)(struct sim *sim);
    char letter;
    int code;
    uint32_t number; /* 1 was confirmed in slot a, 2 with another core in slot b */
};

static void change_nothing(struct sim *sim)
{
    (void)sim;
}

static void spoil(struct sim *sim, const char *path)
{
    size_t len;
    char *text = sim_get(sim, path, &len);

    assert_non_null(text);
    text[len / 2] ^= 1;
    sim_put(sim, path, text, len, 0644);
    free(text);
}

static void spoil_2(struct sim *sim)
{
    spoil(sim, SCRIPTS "/2/lib/part1.lua");
}

static void add_to_2(struct sim *sim)
{
    sim_put_text(sim, SCRIPTS "/2/added.lua", "");
}

static void spoil_both(struct sim *sim)
{
    spoil_2(sim);
    spoil(sim, SCRIPTS "/1/main.lua");
}

static void spoil_head(struct sim *sim)
{
    spoil(sim, SCRIPTS "/2.head/manifest.json");
}

static void spoil_index(struct sim *sim)
{
    spoil(sim, SCRIPTS "/2.head/script.idx");
}

static void drop(struct sim *sim, const char *path)
{
    assert_int_equal(up_storage_remove_tree(sim_storage(sim), path, NULL), 0);
}

static void unmark_2(struct sim *sim)
{
    drop(sim, SCRIPTS "/2.good");
}

static void unmark_both(struct sim *sim)
{
    unmark_2(sim);
    drop(sim, SCRIPTS "/1.good");
}

static void no_keys(struct sim *sim)
{
    drop(sim, KEYS);
}

static void on_trial_too(struct sim *sim)
{
    sim_put_text(sim, SCRIPTS "/3/main.lua", "on trial");
}

static void the_newest_that_is_proved_is_found(void **state)
{
    static const struct newest_case cases[] = {
        {"all is well", change_nothing, 0, 0, 2},
        {"slot a runs", change_nothing, 'a', 0, 1},
        {"slot b runs", change_nothing, 'b', 0, 2},
        {"a slot of which nothing is known", change_nothing, 'c', 0, 2},
        {"one on trial has no mark", on_trial_too, 0, 0, 2},
        {"the newest is damaged", spoil_2, 0, 0, 1},
        {"the newest is damaged, and alone fits", spoil_2, 'b', UP_CORRUPT, 2},
        {"a file too many", add_to_2, 'b', UP_CORRUPT, 2},
        {"both are damaged", spoil_both, 0, UP_CORRUPT, 2},
        {"its manifest is damaged", spoil_head, 0, 0, 1},
        {"its manifest is damaged, and alone fits", spoil_head, 'b', UP_UNTRUSTED, 2},
        {"its index is damaged", spoil_index, 'b', UP_UNTRUSTED, 2},
        {"the newest is not marked", unmark_2, 0, 0, 1},
        {"no mark", unmark_both, 0, UP_MISSING, 0},
        {"no keys", no_keys, 0, UP_UNTRUSTED, 2},
    };
    struct sim *base = lived(&by_both);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sim *sim = sim_clone(base);
        uint32_t n = 99;
        struct up_error err = {0};
        int rc;

        cases[i].change(sim);
        rc = up_generation_newest(sim_storage(sim), SCRIPTS, KEYS, cases[i].letter, &n, &err);
        if (rc != cases[i].code || n != cases[i].number)
            fail_msg("%s: %d, generation %u: %s", cases[i].what, rc, n, err.message);
        assert_int_equal(sim_open_files(sim), 0);
        sim_free(sim);
    }
    sim_free(base);
}

/* A release with a core on its way to the slot that does not run. */
static void fetch_core(struct up_journal_state *j)
{
    j->phase = UP_FETCHING;
    j->tx.parts = 1u << UP_CORE;
    j->tx.target = 0;
}

static void arm_half(struct up_journal_state *j)
{
    j->phase = UP_ARMING;
}

/* Whether generation n is marked for these slots by the next cleaning; "": for none. */
static void assert_marked(struct stand *s, const char *path, const char *letters)
{
    char *mark;

    (void)!s->storage->ops->unlink(s->storage, path);
    up_device_clean(s->device);
    mark = sim_get(s->sim, path, NULL);
    assert_string_equal(mark ? mark : "", letters);
    free(mark);
}

/* Without a journal only what was confirmed may run. */
static void what_is_armed_has_no_mark_and_what_was_confirmed_has_one(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_both));
    install(&s, "/packages/both.upd");
    for (int half = 0; half < 2; half++) {
        assert_marked(&s, SCRIPTS "/1.good", "a\n");
        assert_marked(&s, SCRIPTS "/2.good", "");
        change(&s, arm_half);
    }
    stand_free(&s);
    stand_up(&s, lived(&by_both));
    change(&s, fetch_core); /* which has written nothing yet */
    assert_marked(&s, SCRIPTS "/1.good", "a\n");
    assert_marked(&s, SCRIPTS "/2.good", "b\n");
    stand_free(&s);
}

/* Each start looks, and flash is not written for it. */
static void a_mark_that_is_there_is_not_written_again(void **state)
{
    struct sim *sim = sim_new();
    struct up_error err;

    (void)state;
    sim_put_dir(sim, "/script", 0755);
    for (int letters = 1; letters < 3; letters++)
        for (int again = 0; again < 2; again++) {
            sim_reset_counters(sim);
            assert_int_equal(up_generation_mark(sim_storage(sim), "/script", 1, &"ab"[2 - letters], &err), 0);
            assert_true((sim_ops(sim) == 0) == again);
        }
    sim_free(sim);
}

/* A core alone goes on with the script that is there: one generation, two slots. */
static void a_generation_of_two_slots_is_marked_for_both(void **state)
{
    struct sim *sim = lived(&by_core);
    char *mark = sim_get(sim, SCRIPTS "/1.good", NULL);

    (void)state;
    assert_string_equal(mark, "ab\n");
    free(mark);
    sim_free(sim);
}

/* What is wrong with a tree is kept for people, and goes with the generation. */
static void damage_is_kept_for_people(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    const uint32_t seven = 7;
    struct up_error err;
    char text[64];
    uint32_t n;

    (void)state;
    sim_put_dir(sim, "/device/state", 0711); /* the folder may be what was lost */
    up_generation_damage(s, SCRIPTS, 7, text, sizeof text);
    assert_string_equal(text, "");
    up_generation_note_damage(s, SCRIPTS, 7, "block 3 differs");
    up_generation_damage(s, SCRIPTS, 7, text, sizeof text);
    assert_string_equal(text, "block 3 differs");
    assert_int_equal(up_generation_clean(s, SCRIPTS, &seven, 1, NULL), 0);
    assert_true(sim_exists(sim, SCRIPTS "/7.bad"));
    up_generation_note_damage(s, SCRIPTS, 7, NULL);
    assert_false(sim_exists(sim, SCRIPTS "/7.bad"));
    up_generation_note_damage(s, SCRIPTS, 7, "block 3 differs");
    sim_fail(sim, SIM_LIST, 1, EIO, true);
    assert_int_equal(up_generation_clean(s, SCRIPTS, NULL, 0, &err), UP_WRITE);
    assert_int_equal(up_generation_newest(s, SCRIPTS, KEYS, 'a', &n, &err), UP_WRITE);
    sim_fail(sim, SIM_LIST, 0, 0, false);
    assert_int_equal(up_generation_clean(s, SCRIPTS, NULL, 0, NULL), 0);
    assert_false(sim_exists(sim, SCRIPTS "/7.bad"));
    sim_free(sim);
}

static int inspect(struct stand *s)
{
    int rc;

    do
        rc = up_device_inspect(s->device, &s->err);
    while (rc == UP_AGAIN);
    return rc;
}

/* As the medium may: past all that is pending. */
static void overwrite(struct stand *s, const char *path)
{
    int file = s->storage->ops->open(s->storage, path, UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(s->storage->ops->pwrite(s->storage, file, "~", 1, 3), 0);
    assert_int_equal(s->storage->ops->sync(s->storage, file), 0);
    s->storage->ops->close(s->storage, file);
}

static void lose(struct stand *s, const char *path)
{
    assert_int_equal(s->storage->ops->unlink(s->storage, path), 0);
}

static void make_link(struct stand *s, const char *path)
{
    lose(s, path);
    assert_int_equal(s->storage->ops->symlink(s->storage, "nothing", path), 0);
}

/* Wherever making a tree again was interrupted: the new one counts once it is in
 * place, the damaged one is better than none, and nothing else stays. */
static void what_was_interrupted_is_settled(void **state)
{
    struct up_error err;

    (void)state;
    for (int there = 0; there < 8; there++) {
        struct sim *sim = sim_new();

        sim_put_dir(sim, "/s", 0755);
        if (there & 1)
            sim_put_text(sim, "/s/2/main.lua", "placed");
        if (there & 2)
            sim_put_text(sim, "/s/2.old/main.lua", "damaged");
        if (there & 4)
            sim_put_text(sim, "/s/2.mend/main.lua", "new");
        if ((there & 3) == 2) {
            sim_fail(sim, SIM_RENAME, 1, EIO, false);
            assert_int_equal(up_generation_settle(sim_storage(sim), "/s", 2, &err), UP_WRITE);
            assert_true(sim_exists(sim, "/s/2.old/main.lua"));
        }
        if ((there & 3) == 3) {
            sim_fail(sim, SIM_UNLINK, 1, EIO, false);
            assert_int_equal(up_generation_settle(sim_storage(sim), "/s", 2, &err), UP_WRITE);
        }
        assert_int_equal(up_generation_settle(sim_storage(sim), "/s", 2, &err), 0);
        assert_int_equal(sim_exists(sim, "/s/2/main.lua"), (there & 3) != 0);
        assert_false(sim_exists(sim, "/s/2.old") || sim_exists(sim, "/s/2.mend"));
        sim_free(sim);
    }
}

/* What a power cut left of an earlier link is in nobody's way. */
static void the_link_for_people_is_made_over_its_remains(void **state)
{
    struct sim *sim = sim_new();
    struct up_error err;
    char target[16] = "";

    (void)state;
    sim_put_link(sim, "/s/current.new", "1");
    sim_fail(sim, SIM_UNLINK, 1, EIO, false);
    assert_int_equal(up_generation_link(sim_storage(sim), "/s", 2, &err), UP_WRITE);
    assert_int_equal(up_generation_link(sim_storage(sim), "/s", 2, &err), 0);
    assert_int_equal(sim_storage(sim)->ops->readlink(sim_storage(sim), "/s/current", target, sizeof target),
                     1);
    assert_string_equal(target, "2");
    sim_free(sim);
}

/* Whichever of its steps fails, that is said, and the old link stays. */
/* A script that is put in the place of a damaged one: when it cannot be, the old one is there. */
static void an_exchange_that_fails_leaves_the_old_script(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        struct sim *sim = sim_new();
        struct up_error err;
        char *text;

        sim_put_text(sim, "/s/1/main.lua", "old");
        sim_put_text(sim, "/s/1.mend/main.lua", "new");
        sim_reset_counters(sim);
        sim_fail(sim, SIM_RENAME, n, EIO, false);
        assert_int_equal(up_generation_exchange(sim_storage(sim), "/s", 1, &err), UP_WRITE);
        text = sim_get(sim, "/s/1/main.lua", NULL);
        assert_string_equal(text, "old");
        free(text);
        sim_fail(sim, SIM_RENAME, 0, 0, false);
        assert_int_equal(up_generation_exchange(sim_storage(sim), "/s", 1, &err), 0);
        text = sim_get(sim, "/s/1/main.lua", NULL);
        assert_string_equal(text, "new");
        free(text);
        sim_free(sim);
    }
}

static void a_link_that_cannot_be_made_is_said(void **state)
{
    static const struct {
        int error, code;
    } cases[] = {{EIO, UP_WRITE}, {ENOSPC, UP_NOSPACE}};
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned n = 1;; n++) {
            struct sim *sim = sim_new();
            struct up_storage *storage = sim_storage(sim);
            struct up_error err;
            char target[16] = "";
            int rc;

            sim_put_link(sim, "/s/current", "1");
            sim_reset_counters(sim);
            sim_fail(sim, SIM_CHANGES, n, cases[i].error, false);
            rc = up_generation_link(storage, "/s", 2, &err);
            assert_int_equal(storage->ops->readlink(storage, "/s/current", target, sizeof target), 1);
            assert_string_equal(target, rc == 0 ? "2" : "1");
            sim_free(sim);
            if (rc == 0)
                break;
            assert_int_equal(rc, cases[i].code);
            assert_non_null(strstr(err.message, "/s/current"));
            assert_non_null(strstr(err.message, strerror(cases[i].error)));
            failed++;
        }
    assert_int_equal(failed, 4); /* to make it, and to put it in its place */
}

static const char *damage(struct stand *s)
{
    static char text[512];

    up_device_damage(s->device, text, sizeof text);
    return text;
}

static void is_made_again_before_its_trial(void (*harm)(struct stand *s, const char *path))
{
    struct stand s;

    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    harm(&s, SCRIPTS "/2/main.lua");
    assert_int_equal(inspect(&s), 0);
    assert_true(variant_is_script(s.sim, SCRIPTS "/2", 2));
    assert_string_equal(damage(&s), "");
    assert_false(sim_exists(s.sim, SCRIPTS "/2.mend") || sim_exists(s.sim, SCRIPTS "/2.old"));
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    stand_free(&s);
}

static void a_damaged_script_is_made_again_before_its_trial(void **state)
{
    (void)state;
    is_made_again_before_its_trial(overwrite);
    is_made_again_before_its_trial(lose);
    is_made_again_before_its_trial(make_link);
}

/* That was interrupted before the one that is to start was in its place again. */
static void what_is_armed_is_put_back(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    install(&s, SCRIPT);
    power_off(&s);
    assert_int_equal(s.storage->ops->rename(s.storage, SCRIPTS "/2", SCRIPTS "/2.old"), 0);
    power_on(&s);
    assert_true(variant_is_script(s.sim, SCRIPTS "/2", 2));
    assert_false(sim_exists(s.sim, SCRIPTS "/2.old"));
    stand_free(&s);
}

/* The cache has it right, and whoever starts after the next power cut does not. */
static void what_the_medium_alone_has_wrong_is_made_again(void **state)
{
    struct stand s;
    char first;
    int file;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    file = s.storage->ops->open(s.storage, SCRIPTS "/2/main.lua", UP_UPDATE, 0);
    assert_int_equal(s.storage->ops->pread(s.storage, file, &first, 1, 0), 1);
    sim_reset_counters(s.sim);
    sim_flip_medium(s.sim, 1);
    assert_int_equal(s.storage->ops->pwrite(s.storage, file, &first, 1, 0), 0);
    assert_int_equal(s.storage->ops->sync(s.storage, file), 0);
    s.storage->ops->close(s.storage, file);
    sim_flip_medium(s.sim, 0);
    assert_int_equal(inspect(&s), 0);
    power_off(&s);
    sim_shutdown(s.sim);
    power_on(&s);
    assert_true(variant_is_script(s.sim, SCRIPTS "/2", 2));
    stand_free(&s);
}

/* The release is not to blame: it is not quarantined, and may come again. */
static void one_that_cannot_be_made_again_is_withdrawn(void **state)
{
    enum up_start_action action;
    const struct up_journal_state *j;
    struct stand s;
    int rc;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    overwrite(&s, SCRIPTS "/2/main.lua");
    overwrite(&s, SCRIPTS "/2.tar");
    rc = inspect(&s);
    assert_int_equal(rc, UP_CORRUPT);
    assert_non_null(strstr(s.err.message,
                           "generation 2: its files are not those that were installed; it cannot "
                           "be made again: "));
    assert_int_equal(up_device_withdraw(s.device, rc, s.err.message, &action, &s.err), 0);
    j = up_device_state(s.device);
    assert_int_equal(j->phase, UP_IDLE);
    assert_int_equal(j->last.code, UP_CORRUPT);
    assert_int_equal(j->quarantine[0].sequence, 0);
    assert_int_equal(up_device_generation(s.device), 1);
    assert_int_equal(up_device_withdraw(s.device, rc, "again", &action, &s.err), UP_NOTHING);
    enter_trial(&s, SCRIPT);
    assert_int_equal(inspect(&s), 0);
    stand_free(&s);
}

static struct up_storage_ops bad_ops;
static const struct up_storage_ops *good_ops;
static const char *bad_path;

static int bad_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    errno = EIO;
    return strcmp(path, bad_path) == 0 ? -1 : good_ops->stat(s, path, out);
}

static int bad_unlink(struct up_storage *s, const char *path)
{
    errno = EIO;
    return strcmp(path, bad_path) == 0 ? -1 : good_ops->unlink(s, path);
}

static int bad_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    errno = EIO;
    return strcmp(path, bad_path) == 0 ? -1 : good_ops->open(s, path, flags, mode);
}

/* What an earlier one left is no part of it, and what cannot be done is said. */
static void what_keeps_one_from_being_made_again_is_said(void **state)
{
    static const char left[] = SCRIPTS "/2.mend/left.lua", tar[] = SCRIPTS "/2.tar";
    static const struct {
        const char *path;
        bool stats, unlinks, opens;
        int code;
    } cases[] = {{"", false, false, false, 0},
                 {tar, true, false, false, UP_CORRUPT},
                 {tar, false, false, true, UP_CORRUPT},
                 {left, false, true, false, UP_CORRUPT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stand s;

        stand_up(&s, world_new(&by_script));
        enter_trial(&s, SCRIPT);
        overwrite(&s, SCRIPTS "/2/main.lua");
        sim_settle(s.sim);
        sim_put_text(s.sim, left, "of an earlier one");
        good_ops = s.storage->ops;
        bad_ops = *good_ops;
        bad_path = cases[i].path;
        bad_ops.stat = cases[i].stats ? bad_stat : good_ops->stat;
        bad_ops.unlink = cases[i].unlinks ? bad_unlink : good_ops->unlink;
        bad_ops.open = cases[i].opens ? bad_open : good_ops->open;
        s.storage->ops = &bad_ops;
        if (inspect(&s) != cases[i].code || (cases[i].code && (!strstr(s.err.message, cases[i].path) ||
                                                               !strstr(s.err.message, strerror(EIO)))))
            fail_msg("%zu: %s", i, s.err.message);
        s.storage->ops = good_ops;
        if (cases[i].code == 0)
            assert_true(variant_is_script(s.sim, SCRIPTS "/2", 2));
        stand_free(&s);
    }
}

static void a_confirmed_one_is_made_again_for_the_next_start(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    assert_int_equal(inspect(&s), 0);
    overwrite(&s, SCRIPTS "/1/lib/part2.lua");
    assert_int_equal(inspect(&s), 0);
    assert_non_null(strstr(damage(&s), "it is made again at the next start of the script"));
    assert_false(variant_is_script(s.sim, SCRIPTS "/1", 1)); /* which runs */
    sim_reset_counters(s.sim);
    assert_int_equal(inspect(&s), 0);
    assert_int_equal(sim_ops(s.sim), 0); /* once is enough */
    up_device_put_script(s.device);
    assert_true(variant_is_script(s.sim, SCRIPTS "/1", 1));
    assert_string_equal(damage(&s), "");
    assert_int_equal(inspect(&s), 0);
    stand_free(&s);
}

static void a_confirmed_one_that_cannot_be_runs_on(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    overwrite(&s, SCRIPTS "/1/lib/part2.lua");
    drop(s.sim, SCRIPTS "/1.tar");
    assert_int_equal(inspect(&s), UP_CORRUPT);
    assert_non_null(strstr(damage(&s), "it cannot be made again: "));
    assert_int_equal(up_device_generation(s.device), 1);
    up_device_put_script(s.device);
    power_off(&s);
    power_on(&s);
    assert_non_null(strstr(damage(&s), "it cannot be made again: "));
    stand_free(&s);
}

static void same_core(struct up_journal_state *j)
{
    j->slot[0].core_version = j->slot[1].core_version;
    j->slot[0].core_size = j->slot[1].core_size;
}

/* Of the same core there is another script that was confirmed with it; with
 * another core there is none. */
static void another_of_the_same_core_runs_instead(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        struct stand s;

        stand_up(&s, lived(&by_both));
        if (same)
            change(&s, same_core);
        assert_int_equal(up_device_generation(s.device), 2);
        assert_string_equal(up_status_script(s.device)->script_version, "1.0.2");
        overwrite(&s, SCRIPTS "/2/main.lua");
        drop(s.sim, SCRIPTS "/2.tar");
        assert_int_equal(inspect(&s), UP_CORRUPT);
        assert_int_equal(up_device_generation(s.device), same ? 1 : 2);
        assert_string_equal(up_status_script(s.device)->script_version, same ? "1.0.1" : "1.0.2");
        stand_free(&s);
    }
}

/* Nor on trial, for which there is the way back. */
static void on_trial_no_other_runs_instead(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, lived(&by_both));
    change(&s, same_core);
    if (up_fixture_pack(s.storage, "/packages/next.upd", "/packages",
                        &(struct up_fixture){.script = true, .sequence = 3, .version = "1.0.3"}, &s.err) < 0)
        fail_msg("%s", s.err.message);
    enter_trial(&s, "/packages/next.upd");
    assert_int_equal(up_device_generation(s.device), 3);
    overwrite(&s, SCRIPTS "/3/main.lua");
    drop(s.sim, SCRIPTS "/3.tar");
    assert_int_equal(inspect(&s), UP_CORRUPT);
    assert_null(strstr(s.err.message, "runs instead"));
    assert_int_equal(up_device_generation(s.device), 3);
    stand_free(&s);
}

static void forget_digests(struct up_journal_state *j)
{
    for (int i = 0; i < UP_SLOTS; i++)
        memset(&j->slot[i].script, 0, sizeof j->slot[i].script);
}

/* As after an older program: nothing to compare with, until it was read once. */
static void a_script_without_a_digest_gets_one(void **state)
{
    struct stand s;
    int rc;

    (void)state;
    stand_up(&s, world_new(&by_script));
    change(&s, forget_digests);
    assert_int_equal(inspect(&s), 0);
    do
        rc = up_device_learn_script(s.device, &s.err);
    while (rc == UP_AGAIN);
    assert_int_equal(rc, 0);
    assert_true(up_device_state(s.device)->slot[0].script.known);
    assert_int_equal(inspect(&s), 0);
    overwrite(&s, SCRIPTS "/1/main.lua");
    drop(s.sim, SCRIPTS "/1.tar");
    assert_int_equal(inspect(&s), UP_CORRUPT);
    stand_free(&s);
}

#define SIGNER KEYS "/" VARIANT_KEY_FILE
#define OTHER KEYS "/other.pub"

static void put_other_key(struct stand *s)
{
    struct sim *scratch = sim_new();
    char *text;

    sim_put_dir(scratch, "/keys", 0755);
    assert_int_equal(up_fixture_keys(sim_storage(scratch), "/keys", true, &s->err), 0);
    text = sim_get(scratch, "/keys/other.pub", NULL);
    assert_int_equal(up_storage_write_file(s->storage, OTHER, text, strlen(text), 0644, &s->err), 0);
    free(text);
    sim_free(scratch);
}

/* A list was accepted that adds the key in a file, which is not there yet; or that
 * revokes it. */
static void put_list(struct stand *s, const char *file, bool adds)
{
    struct up_keyset *set = calloc(1, sizeof *set);
    uint8_t raw[UP_KEY_RAW_SIZE];

    if (up_public_key_load(raw, s->storage, file, &s->err) < 0)
        fail_msg("%s", s->err.message);
    set->serial = 1;
    set->pending_count = adds;
    set->revoked_count = !adds;
    strcpy(set->pending[0].name, "added");
    memcpy(set->pending[0].raw, raw, sizeof raw);
    memcpy(set->revoked[0], up_public_key_id(raw), UP_KEY_ID_SIZE);
    if (up_keyset_write(set, s->storage, KEYS, &s->err) < 0)
        fail_msg("%s", s->err.message);
    free(set);
}

static void lose_key(struct stand *s)
{
    drop(s->sim, SIGNER);
}

static void exchange_key(struct stand *s)
{
    lose_key(s);
    put_other_key(s);
}

static void tear_key(struct stand *s)
{
    exchange_key(s);
    assert_int_equal(up_storage_write_file(s->storage, SIGNER, "torn", 4, 0644, &s->err), 0);
}

static void exchange_key_by_list(struct stand *s)
{
    put_list(s, SIGNER, true);
    exchange_key(s);
}

static void revoke_key(struct stand *s)
{
    put_list(s, SIGNER, false);
    put_other_key(s);
}

static void revoke_key_and_tear_other(struct stand *s)
{
    revoke_key(s);
    assert_int_equal(up_storage_write_file(s->storage, OTHER, "torn", 4, 0644, &s->err), 0);
}

static void revoke_other_alone(struct stand *s)
{
    exchange_key(s);
    put_list(s, OTHER, false);
}

static void tear_key_and_revoke_other(struct stand *s)
{
    tear_key(s);
    put_list(s, OTHER, false);
}

static void forget_signer(struct stand *s)
{
    exchange_key(s);
    lose(s, "/device/state/tx/manifest.minisig");
}

/* Only keys that were read, and do not trust the release any more. */
static void a_key_that_is_gone_withdraws_what_is_armed(void **state)
{
    static const struct {
        void (*change)(struct stand *s);
        const char *why; /* NULL: it starts */
    } cases[] = {
        {lose_key, NULL}, /* there is no key at all */
        {exchange_key, "which is no longer trusted"},
        {tear_key, NULL}, /* it is there, and what it says is not known */
        {exchange_key_by_list, NULL},
        {revoke_key, "which was revoked"},
        {revoke_key_and_tear_other, "which was revoked"},
        {revoke_other_alone, "which is no longer trusted"},
        {tear_key_and_revoke_other, NULL},
        {forget_signer, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stand s;
        int rc;

        stand_up(&s, world_new(&by_script));
        install(&s, SCRIPT);
        cases[i].change(&s);
        rc = up_device_begin_trial(s.device, &s.err);
        if (rc != (cases[i].why ? UP_UNTRUSTED : 0))
            fail_msg("case %zu: %d: %s", i, rc, s.err.message);
        if (cases[i].why) {
            assert_non_null(strstr(s.err.message, cases[i].why));
            assert_int_equal(up_device_state(s.device)->phase, UP_IDLE);
            assert_int_equal(up_device_state(s.device)->last.code, UP_UNTRUSTED);
            assert_int_equal(up_device_state(s.device)->quarantine[0].sequence, 0);
        }
        stand_free(&s);
    }
}

static void keep_as_is(struct stand *s)
{
    (void)s;
}

static void lose_slot(struct stand *s)
{
    lose(s, "/device/slot-b.img");
}

static void spoil_slot(struct stand *s)
{
    overwrite(s, "/device/slot-b.img");
}

static void spoil_its_end(struct stand *s)
{
    spoil(s->sim, "/device/slot-b.img");
}

static void spoil_mounted(struct stand *s)
{
    spoil_slot(s);
    sim_settle(s->sim);
    sim_set_mounted(s->sim, "/device/slot-b.img", UP_MOUNTED);
}

static void spoil_without_manifest(struct stand *s)
{
    spoil_slot(s);
    lose(s, "/device/state/tx/manifest.json");
}

static void spoil_index_too(struct stand *s)
{
    spoil_slot(s);
    sim_settle(s->sim);
    spoil(s->sim, "/device/state/tx/core.idx");
}

static void forget_slot(struct stand *s)
{
    free(s->config.slot[1]);
    s->config.slot[1] = NULL;
}

/* Where nothing else tells that it is the one that was armed, it is read. */
static void a_slot_that_holds_something_else_is_not_started(void **state)
{
    static const struct {
        void (*change)(struct stand *s);
        const char *why; /* NULL: it starts */
    } cases[] = {
        {keep_as_is, NULL},
        {spoil_slot, "no longer holds what was armed: block 0"},
        {spoil_its_end, "no longer holds what was armed: block "},
        {lose_slot, NULL},
        {spoil_mounted, NULL},
        {spoil_without_manifest, NULL},
        {spoil_index_too, NULL},
        {forget_slot, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum up_start_action action;
        struct stand s;
        int rc;

        stand_up(&s, world_new(&by_core));
        install(&s, "/packages/core.upd");
        sim_settle(s.sim);
        cases[i].change(&s);
        power_off(&s);
        power_on(&s);
        assert_int_equal(up_device_running(s.device), 1);
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
        if (cases[i].change == forget_slot) /* it was configured anew since */
            forget_slot(&s);
        rc = inspect(&s);
        if (rc != (cases[i].why ? UP_INCOMPATIBLE : 0))
            fail_msg("case %zu: %d: %s", i, rc, s.err.message);
        if (cases[i].why) {
            assert_non_null(strstr(s.err.message, cases[i].why));
            assert_int_equal(up_device_withdraw(s.device, UP_INCOMPATIBLE, s.err.message, &action, &s.err),
                             0);
            assert_int_equal(action, UP_START_RESTART);
            power_off(&s);
            power_on(&s);
            assert_int_equal(up_device_running(s.device), 0);
            assert_int_equal(up_device_state(s.device)->last.code, UP_INCOMPATIBLE);
        } else if (cases[i].change != lose_slot) {
            spoil_slot(&s); /* once is enough */
            assert_int_equal(inspect(&s), 0);
        }
        stand_free(&s);
    }
}

/* What is told is what happened: nobody knows what the block holds. */
static void a_block_that_cannot_be_read_is_not_called_another_one(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (unsigned n = 1; n < 20; n++) {
        enum up_start_action action;
        struct stand s;

        stand_up(&s, world_new(&by_core));
        install(&s, "/packages/core.upd");
        power_off(&s);
        power_on(&s);
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
        sim_reset_counters(s.sim);
        sim_fail(s.sim, SIM_PREAD, n, EIO, false);
        if (inspect(&s) == UP_INCOMPATIBLE) {
            refused++;
            assert_non_null(strstr(s.err.message, " cannot be read: "));
            assert_non_null(strstr(s.err.message, strerror(EIO)));
            assert_null(strstr(s.err.message, "another one"));
        }
        sim_fail(s.sim, SIM_OPS, 0, 0, false);
        stand_free(&s);
    }
    assert_true(refused > 0);
}

/* A name of its own is enough; what lies there is not read then. */
static void a_slot_that_is_another_one_is_not_started(void **state)
{
    static const char *const later[] = {"PARTUUID=one", "PARTUUID=two", "PARTUUID=two", ""};

    (void)state;
    for (int other = 0; other < 4; other++) {
        enum up_start_action action;
        struct stand s;
        struct sim *sim = world_new(&by_core);

        sim_put_text(sim, "/device/slot-b.img", "");
        sim_set_medium(sim, "/device/slot-b.img", NULL, "PARTUUID=one");
        stand_up(&s, sim);
        install(&s, "/packages/core.upd");
        assert_string_equal(up_device_state(s.device)->tx.pair.identity, "PARTUUID=one");
        sim_settle(sim);
        sim_set_medium(sim, "/device/slot-b.img", NULL, later[other]);
        spoil_slot(&s);
        power_off(&s);
        power_on(&s);
        assert_int_equal(up_device_running(s.device), 1);
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
        if (!other)
            forget_slot(&s); /* of which the configuration says nothing any more */
        if (other == 2) {    /* it cannot be asked */
            sim_reset_counters(sim);
            sim_fail(sim, SIM_MEDIUM, 1, EIO, true);
        }
        assert_int_equal(inspect(&s), other == 1 ? UP_INCOMPATIBLE : 0);
        if (other == 1)
            assert_non_null(strstr(s.err.message,
                                   "is not the one that was armed: it is PARTUUID=two now, was "
                                   "PARTUUID=one"));
        stand_free(&s);
    }
}

/* What a head is kept from, and a generation with a tree that was made again. */
static struct sim *with_generations(void)
{
    static const char *const spool[] = {"manifest.json", "manifest.minisig", "script.idx", "script.tar"};
    struct sim *sim = sim_new();
    char path[64];

    sim_put_dir(sim, "/spool", 0755);
    sim_put_dir(sim, "/script", 0755);
    for (size_t i = 0; i < sizeof spool / sizeof spool[0]; i++) {
        snprintf(path, sizeof path, "/spool/%s", spool[i]);
        sim_put_text(sim, path, spool[i]);
    }
    sim_put_dir(sim, "/script/3", 0755);
    sim_put_text(sim, "/script/3/main.lua", "spoiled");
    sim_put_dir(sim, "/script/3.mend", 0755);
    sim_put_text(sim, "/script/3.mend/main.lua", "whole");
    sim_settle(sim);
    return sim;
}

static int keep(struct up_storage *s, struct up_error *why)
{
    return up_generation_keep(s, "/spool", "/script", 2, why);
}

static int exchange(struct up_storage *s, struct up_error *why)
{
    return up_generation_exchange(s, "/script", 3, why);
}

/* Whichever call fails, the flow fails and names what it was about. */
static void a_call_that_fails_is_told(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,     SIM_PREAD, SIM_PWRITE, SIM_SYNC,
                                      SIM_SYNC_DIR, SIM_MKDIR, SIM_RENAME, SIM_DROP_CACHE};
    static int (*const flows[])(struct up_storage *, struct up_error *) = {keep, exchange};
    unsigned failed = 0;

    (void)state;
    for (size_t f = 0; f < sizeof flows / sizeof flows[0]; f++)
        for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++)
            for (unsigned n = 1;; n++) {
                struct sim *sim = with_generations();
                struct up_error err = {0};
                int rc;

                sim_fail(sim, ops[o], n, EIO, false);
                rc = flows[f](sim_storage(sim), &err);
                if (sim_calls(sim, ops[o]) < n) {
                    sim_free(sim);
                    break;
                }
                failed++;
                if (rc >= 0 || !strchr(err.message, '/') || !strstr(err.message, strerror(EIO)))
                    fail_msg("flow %zu: %s %u: %d %s", f, sim_op_name(ops[o]), n, rc, err.message);
                assert_int_equal(sim_open_files(sim), 0);
                assert_true(sim_exists(sim, "/script/3/main.lua"));
                sim_free(sim);
            }
    assert_true(failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_is_told),
        cmocka_unit_test(a_flipped_bit_is_never_started),
        cmocka_unit_test(what_is_kept_needs_no_hard_links),
        cmocka_unit_test(the_newest_that_is_proved_is_found),
        cmocka_unit_test(what_is_armed_has_no_mark_and_what_was_confirmed_has_one),
        cmocka_unit_test(a_generation_of_two_slots_is_marked_for_both),
        cmocka_unit_test(damage_is_kept_for_people),
        cmocka_unit_test(the_link_for_people_is_made_over_its_remains),
        cmocka_unit_test(an_exchange_that_fails_leaves_the_old_script),
        cmocka_unit_test(a_link_that_cannot_be_made_is_said),
        cmocka_unit_test(what_was_interrupted_is_settled),
        cmocka_unit_test(a_mark_that_is_there_is_not_written_again),
        cmocka_unit_test(a_damaged_script_is_made_again_before_its_trial),
        cmocka_unit_test(what_is_armed_is_put_back),
        cmocka_unit_test(what_the_medium_alone_has_wrong_is_made_again),
        cmocka_unit_test(one_that_cannot_be_made_again_is_withdrawn),
        cmocka_unit_test(what_keeps_one_from_being_made_again_is_said),
        cmocka_unit_test(a_confirmed_one_is_made_again_for_the_next_start),
        cmocka_unit_test(a_confirmed_one_that_cannot_be_runs_on),
        cmocka_unit_test(another_of_the_same_core_runs_instead),
        cmocka_unit_test(on_trial_no_other_runs_instead),
        cmocka_unit_test(a_script_without_a_digest_gets_one),
        cmocka_unit_test(a_key_that_is_gone_withdraws_what_is_armed),
        cmocka_unit_test(a_slot_that_holds_something_else_is_not_started),
        cmocka_unit_test(a_block_that_cannot_be_read_is_not_called_another_one),
        cmocka_unit_test(a_slot_that_is_another_one_is_not_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
