/*
 * sim_check.c -- the crash simulator loses what a power cut may lose, and
 * never what was synced.
 */
#include "sim.h"
#include "sim_flash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 200u

typedef bool test_fn(const struct sim *sim);

static void create(struct up_storage *s, const char *path, const void *data, size_t len, bool sync)
{
    int f = s->ops->open(s, path, UP_CREATE, 0644);

    if (f < 0)
        return;
    s->ops->pwrite(s, f, data, len, 0);
    if (sync)
        s->ops->sync(s, f);
    s->ops->close(s, f);
}

static bool holds(const struct sim *sim, const char *path, const char *text)
{
    char *data = sim_get(sim, path, NULL);
    bool same = data && strcmp(data, text) == 0;

    free(data);
    return same;
}

/* In how many of the standard choices, and of many random ones, test() is true
 * after a reboot under this model. *of is how many there were. */
static unsigned count_states(const struct sim *sim, enum sim_model model, test_fn *test, unsigned *of)
{
    unsigned n = 0, total = 0;

    for (unsigned i = 0; i < sim_choices(sim) + SEEDS; i++) {
        struct sim_choice c = {model, SIM_RANDOM, i, false};
        struct sim *r;

        if (i < sim_choices(sim))
            c = sim_choice(sim, i);
        if (c.model != model)
            continue;
        r = sim_reboot(sim, &c);
        n += test(r);
        total++;
        sim_free(r);
    }
    *of = total;
    return n;
}

static void assert_always(const struct sim *sim, enum sim_model model, test_fn *test)
{
    unsigned of, n = count_states(sim, model, test, &of);

    assert_true(of > 0);
    assert_int_equal(n, of);
}

static void assert_never(const struct sim *sim, enum sim_model model, test_fn *test)
{
    unsigned of;

    assert_int_equal(count_states(sim, model, test, &of), 0);
}

static void assert_sometimes(const struct sim *sim, enum sim_model model, test_fn *test)
{
    unsigned of, n = count_states(sim, model, test, &of);

    assert_in_range(n, 1, of - 1);
}

static bool a_is_old(const struct sim *sim)
{
    return holds(sim, "/d/a", "old");
}

static bool a_is_new(const struct sim *sim)
{
    return holds(sim, "/d/a", "new");
}

static bool a_is_there(const struct sim *sim)
{
    return sim_exists(sim, "/d/a");
}

static bool a_is_empty(const struct sim *sim)
{
    return holds(sim, "/d/a", "");
}

static bool b_is_there(const struct sim *sim)
{
    return sim_exists(sim, "/d/b");
}

static bool b_without_a(const struct sim *sim)
{
    return b_is_there(sim) && !a_is_there(sim);
}

static struct sim *with_a(const char *text)
{
    struct sim *sim = sim_new();

    sim_put_dir(sim, "/d", 0755);
    if (text)
        sim_put_text(sim, "/d/a", text);
    return sim;
}

static void a_write_without_sync_may_be_lost(void **state)
{
    struct sim *sim = with_a("old");

    (void)state;
    create(sim_storage(sim), "/d/a", "new", 3, false);
    for (int model = SIM_ORDERED; model <= SIM_INDEPENDENT; model++) {
        assert_sometimes(sim, (enum sim_model)model, a_is_old);
        assert_sometimes(sim, (enum sim_model)model, a_is_new);
    }
    assert_true(a_is_new(sim)); /* the running system sees it */
    sim_free(sim);
}

static void a_synced_write_is_never_lost(void **state)
{
    struct sim *sim = with_a("old");

    (void)state;
    create(sim_storage(sim), "/d/a", "new", 3, true);
    assert_always(sim, SIM_ORDERED, a_is_new);
    assert_always(sim, SIM_INDEPENDENT, a_is_new);
    sim_free(sim);
}

static void a_new_file_needs_its_directory_synced_when_nothing_orders(void **state)
{
    struct sim *sim = with_a(NULL);

    (void)state;
    create(sim_storage(sim), "/d/a", "new", 3, true);
    assert_always(sim, SIM_ORDERED, a_is_new);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_there);
    sim_storage(sim)->ops->sync_dir(sim_storage(sim), "/d");
    assert_always(sim, SIM_INDEPENDENT, a_is_new);
    sim_free(sim);
}

static void a_synced_directory_does_not_sync_its_files(void **state)
{
    struct sim *sim = with_a(NULL);

    (void)state;
    create(sim_storage(sim), "/d/a", "new", 3, false);
    sim_storage(sim)->ops->sync_dir(sim_storage(sim), "/d");
    for (int model = SIM_ORDERED; model <= SIM_INDEPENDENT; model++) {
        assert_always(sim, (enum sim_model)model, a_is_there);
        assert_sometimes(sim, (enum sim_model)model, a_is_empty);
        assert_sometimes(sim, (enum sim_model)model, a_is_new);
    }
    sim_free(sim);
}

static void a_rename_is_atomic_and_may_be_lost(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);

    (void)state;
    create(s, "/d/a.new", "new", 3, true);
    s->ops->sync_dir(s, "/d");
    s->ops->rename(s, "/d/a.new", "/d/a");
    for (int model = SIM_ORDERED; model <= SIM_INDEPENDENT; model++) {
        assert_sometimes(sim, (enum sim_model)model, a_is_old);
        assert_sometimes(sim, (enum sim_model)model, a_is_new);
        assert_always(sim, (enum sim_model)model, a_is_there);
    }
    s->ops->sync_dir(s, "/d");
    assert_always(sim, SIM_ORDERED, a_is_new);
    assert_always(sim, SIM_INDEPENDENT, a_is_new);
    sim_free(sim);
}

static bool new_or_old_and_one_name(const struct sim *sim)
{
    bool moved = holds(sim, "/d/c", "old");

    return moved != (holds(sim, "/d/a", "old") || holds(sim, "/d/b", "old"));
}

static void a_file_renamed_twice_has_one_name(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);

    (void)state;
    s->ops->rename(s, "/d/a", "/d/b");
    s->ops->rename(s, "/d/b", "/d/c");
    assert_always(sim, SIM_ORDERED, new_or_old_and_one_name);
    assert_always(sim, SIM_INDEPENDENT, new_or_old_and_one_name);
    sim_free(sim);
}

static void names_survive_in_order_or_not(void **state)
{
    struct sim *sim = with_a(NULL);

    (void)state;
    create(sim_storage(sim), "/d/a", "", 0, false);
    create(sim_storage(sim), "/d/b", "", 0, false);
    assert_sometimes(sim, SIM_ORDERED, b_is_there);
    assert_never(sim, SIM_ORDERED, b_without_a);
    assert_sometimes(sim, SIM_INDEPENDENT, b_without_a);
    sim_free(sim);
}

static void any_sync_commits_earlier_names_when_ordered(void **state)
{
    struct sim *sim = with_a(NULL);
    struct up_storage *s = sim_storage(sim);

    (void)state;
    sim_put_text(sim, "/e/other", "x");
    create(s, "/d/a", "", 0, false);
    create(s, "/e/other", "y", 1, true);
    create(s, "/d/b", "", 0, false);
    assert_always(sim, SIM_ORDERED, a_is_there);
    assert_sometimes(sim, SIM_ORDERED, b_is_there);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_there);
    sim_free(sim);
}

static void a_block_device_commits_no_names(void **state)
{
    struct sim *sim = with_a(NULL);
    struct up_storage *s = sim_storage(sim);
    int f;

    (void)state;
    sim_put_block(sim, "/dev/slot", 8192);
    create(s, "/d/a", "", 0, false);
    f = s->ops->open(s, "/dev/slot", UP_UPDATE | UP_EXCLUSIVE, 0);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_sometimes(sim, SIM_ORDERED, a_is_there);
    assert_int_equal(s->ops->pwrite(s, f, "abc", 3, 8190), -1);
    assert_int_equal(errno, ENOSPC);
    s->ops->close(s, f);
    sim_free(sim);
}

/* Which of four sectors of /d/a are new ('n'), old ('o') or neither. */
static void sectors_of(const struct sim *sim, char out[5])
{
    char *data = sim_get(sim, "/d/a", NULL);

    for (int i = 0; i < 4; i++) {
        const char *p = data + 512 * i;

        out[i] = p[0];
        for (int k = 1; k < 512; k++)
            if (p[k] != p[0])
                out[i] = '?';
        if (out[i] != 'n' && out[i] != 'o')
            out[i] = '?';
    }
    out[4] = '\0';
    free(data);
}

static struct sim *with_sectors(void)
{
    struct sim *sim = sim_new();
    char old[2048], new[2048];

    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    sim_put(sim, "/d/a", old, sizeof old, 0644);
    create(sim_storage(sim), "/d/a", new, sizeof new, false);
    return sim;
}

static unsigned seen_sectors(const struct sim *sim, enum sim_loss loss, bool garbage, const char *want)
{
    unsigned n = 0;
    char got[5];

    for (unsigned i = 0; i < SEEDS; i++) {
        struct sim_choice c = {SIM_INDEPENDENT, loss, i, garbage};
        struct sim *r = sim_reboot(sim, &c);

        sectors_of(r, got);
        n += strcmp(got, want) == 0;
        sim_free(r);
    }
    return n;
}

static void a_write_is_torn_between_sectors(void **state)
{
    struct sim *sim = with_sectors();

    (void)state;
    assert_int_equal(seen_sectors(sim, SIM_NONE, false, "oooo"), SEEDS);
    assert_int_equal(seen_sectors(sim, SIM_ALL, false, "nnnn"), SEEDS);
    assert_true(seen_sectors(sim, SIM_FRONT, false, "nnoo") > 0);
    assert_int_equal(seen_sectors(sim, SIM_FRONT, false, "oonn"), 0);
    assert_true(seen_sectors(sim, SIM_BACK, false, "ooon") > 0);
    assert_true(seen_sectors(sim, SIM_RANDOM, false, "nono") > 0);
    assert_true(seen_sectors(sim, SIM_RANDOM, false, "onno") > 0);
    assert_int_equal(seen_sectors(sim, SIM_RANDOM, false, "?ooo"), 0);
    sim_free(sim);
}

static void one_pending_sector_may_be_garbage(void **state)
{
    struct sim *sim = with_sectors();
    struct up_storage *s = sim_storage(sim);
    int f;

    (void)state;
    assert_true(seen_sectors(sim, SIM_ALL, true, "nn?n") > 0);
    assert_true(seen_sectors(sim, SIM_NONE, true, "?ooo") > 0);
    assert_int_equal(seen_sectors(sim, SIM_ALL, true, "nnnn"), 0);
    f = s->ops->open(s, "/d/a", UP_UPDATE, 0);
    s->ops->sync(s, f);
    s->ops->close(s, f);
    assert_int_equal(seen_sectors(sim, SIM_ALL, true, "nnnn"), SEEDS);
    sim_free(sim);
}

static bool a_is_one(const struct sim *sim)
{
    return holds(sim, "/d/a", "one");
}

static void a_sector_written_twice_may_stay_between(void **state)
{
    struct sim *sim = with_a("old");

    (void)state;
    create(sim_storage(sim), "/d/a", "one", 3, false);
    create(sim_storage(sim), "/d/a", "two", 3, false);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_one);
    sim_free(sim);

    sim = with_a("old");
    create(sim_storage(sim), "/d/a", "one", 3, true);
    create(sim_storage(sim), "/d/a", "two", 3, false);
    assert_never(sim, SIM_INDEPENDENT, a_is_old);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_one);
    sim_free(sim);
}

static void an_ignored_sync_does_nothing(void **state)
{
    struct sim *sim = with_a("old");

    (void)state;
    sim_ignore_sync(sim, 1);
    create(sim_storage(sim), "/d/a", "new", 3, true);
    assert_int_equal(sim_syncs(sim), 1);
    assert_string_equal(sim_sync_name(sim, 1), "sync /d/a");
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_old);
    assert_sometimes(sim, SIM_ORDERED, a_is_old);
    create(sim_storage(sim), "/d/a", "new", 3, true); /* the second is not ignored */
    assert_always(sim, SIM_INDEPENDENT, a_is_new);
    sim_free(sim);

    sim = with_a("old");
    sim_ignore_sync_of(sim, "*/a");
    create(sim_storage(sim), "/d/a", "new", 3, true);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_old);
    sim_free(sim);
}

static void a_failed_sync_condemns_what_was_written(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    int f = s->ops->open(s, "/d/a", UP_UPDATE, 0);

    (void)state;
    s->ops->pwrite(s, f, "new", 3, 0);
    sim_fail(sim, SIM_SYNC, 1, EIO, false);
    assert_int_equal(s->ops->sync(s, f), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_sometimes(sim, SIM_ORDERED, a_is_old);
    s->ops->pwrite(s, f, "new", 3, 0); /* written anew, it counts */
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_always(sim, SIM_ORDERED, a_is_new);
    s->ops->close(s, f);
    sim_free(sim);
}

static void truncation_is_a_change_like_others(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    int f = s->ops->open(s, "/d/a", UP_UPDATE, 0);

    (void)state;
    assert_int_equal(s->ops->truncate(s, f, 0), 0);
    assert_sometimes(sim, SIM_ORDERED, a_is_old);
    assert_sometimes(sim, SIM_ORDERED, a_is_empty);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_always(sim, SIM_INDEPENDENT, a_is_empty);
    s->ops->close(s, f);
    sim_free(sim);
}

/* Operations on two directories, all kinds of them. */
static void many_operations(struct up_storage *s)
{
    int f;

    s->ops->mkdir(s, "/d/sub", 0755);
    create(s, "/d/sub/one", "1", 1, true);
    s->ops->sync_dir(s, "/d/sub");
    s->ops->symlink(s, "sub", "/d/link");
    s->ops->chmod(s, "/d/link/one", 0600);
    s->ops->link(s, "/d/sub/one", "/d/two");
    s->ops->rename(s, "/d/two", "/d/three");
    f = s->ops->open(s, "/d/three", UP_UPDATE, 0);
    if (f >= 0) {
        s->ops->zero_range(s, f, 0, 5000);
        s->ops->truncate(s, f, 10);
        s->ops->close(s, f);
    }
    s->ops->unlink(s, "/d/sub/one");
    s->ops->unlink(s, "/d/link");
    s->ops->rmdir(s, "/d/sub");
}

static void the_power_goes_at_every_operation(void **state)
{
    struct sim *start = with_a("old");
    unsigned k = 0, total;
    struct sim *sim = sim_clone(start);

    (void)state;
    many_operations(sim_storage(sim));
    total = sim_ops(sim);
    assert_int_equal(total, 14);
    assert_int_equal(sim_open_files(sim), 0);
    assert_false(sim_exists(sim, "/d/sub"));
    sim_free(sim);
    do {
        struct up_stat st;

        sim = sim_clone(start);
        sim_cut_at(sim, ++k);
        many_operations(sim_storage(sim));
        assert_int_equal(sim_is_cut(sim), k <= total);
        assert_int_equal(sim_ops(sim), k <= total ? k : total);
        assert_int_equal(sim_open_files(sim), 0);
        if (sim_is_cut(sim)) {
            assert_int_equal(sim_storage(sim)->ops->stat(sim_storage(sim), "/d", &st), -1);
            assert_int_equal(errno, EIO);
        }
        assert_always(sim, SIM_ORDERED, a_is_old);
        assert_always(sim, SIM_INDEPENDENT, a_is_old);
        sim_free(sim);
    } while (k <= total);
    assert_true(a_is_old(start));
    assert_int_equal(sim_ops(start), 0);
    sim_free(start);
}

static void the_operation_at_the_cut_may_have_happened(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);

    (void)state;
    sim_cut_at(sim, 1);
    assert_int_equal(s->ops->unlink(s, "/d/a"), -1);
    assert_int_equal(errno, EIO);
    assert_sometimes(sim, SIM_ORDERED, a_is_there);
    assert_sometimes(sim, SIM_INDEPENDENT, a_is_there);
    sim_free(sim);
}

static void a_killed_process_loses_nothing(void **state)
{
    struct sim *sim = with_a("old"), *next;
    struct up_storage *s = sim_storage(sim);
    char before[37], after[37];
    int f = s->ops->open(s, "/d/a", UP_UPDATE, 0);

    (void)state;
    assert_int_equal(s->ops->boot_id(s, before), 0);
    assert_int_equal(s->ops->lock(s, f), 0);
    sim_cut_at(sim, 1);
    assert_int_equal(s->ops->pwrite(s, f, "new", 3, 0), -1);
    next = sim_respawn(sim);
    sim_free(sim);
    assert_true(a_is_new(next));
    assert_int_equal(sim_open_files(next), 0);
    s = sim_storage(next);
    assert_int_equal(s->ops->boot_id(s, after), 0);
    assert_string_equal(before, after);
    f = s->ops->open(s, "/d/a", UP_UPDATE, 0);
    assert_int_equal(s->ops->lock(s, f), 0); /* died with its process */
    s->ops->close(s, f);
    assert_sometimes(next, SIM_INDEPENDENT, a_is_old); /* still not durable */
    sim_free(next);
}

static void a_reboot_changes_the_boot_id_and_keeps_the_time(void **state)
{
    struct sim *sim = with_a("old"), *next;
    struct sim_choice c = sim_choice(sim, 0);
    char before[37], after[37];

    (void)state;
    assert_int_equal(sim_choices(sim), 1); /* nothing pending: one outcome */
    sim_set_now(sim, 1800000000);
    sim_advance(sim, 5000);
    next = sim_reboot(sim, &c);
    sim_storage(sim)->ops->boot_id(sim_storage(sim), before);
    sim_storage(next)->ops->boot_id(sim_storage(next), after);
    assert_string_not_equal(before, after);
    assert_int_equal(strlen(after), 36);
    assert_true(sim_storage(next)->ops->now(sim_storage(next)) == 1800000005);
    assert_true(sim_storage(next)->ops->monotonic(sim_storage(next)) <
                sim_storage(sim)->ops->monotonic(sim_storage(sim)));
    sim_free(next);
    sim_free(sim);
}

static void faults_hit_the_call_that_was_named(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    struct up_stat st;

    (void)state;
    sim_fail(sim, SIM_STAT, 2, EACCES, false);
    assert_int_equal(s->ops->stat(s, "/d/a", &st), 0);
    assert_int_equal(s->ops->stat(s, "/d/a", &st), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(s->ops->stat(s, "/d/a", &st), 0);
    sim_fail(sim, SIM_CHANGES, 1, EROFS, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s->ops->mkdir(s, "/d/x", 0755), -1);
        assert_int_equal(errno, EROFS);
    }
    assert_false(sim_exists(sim, "/d/x"));
    sim_fail(sim, SIM_STAT, 0, 0, false);
    assert_int_equal(s->ops->mkdir(s, "/d/x", 0755), 0);
    sim_free(sim);
}

static void a_full_disk_takes_what_fits(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    char data[10000];
    uint64_t room;
    size_t len;
    int f;

    (void)state;
    memset(data, 'x', sizeof data);
    sim_set_free(sim, 8192);
    f = s->ops->open(s, "/d/b", UP_WRITE_ONLY_NEW, 0644);
    assert_int_equal(s->ops->pwrite(s, f, data, sizeof data, 0), -1);
    assert_int_equal(errno, ENOSPC);
    free(sim_get(sim, "/d/b", &len));
    assert_int_equal(len, 8192);
    assert_int_equal(s->ops->space(s, "/", &room), 0);
    assert_int_equal(room, 0);
    assert_int_equal(s->ops->pwrite(s, f, "yy", 2, 0), 0); /* its own blocks */
    s->ops->close(s, f);
    s->ops->unlink(s, "/d/b");
    assert_int_equal(s->ops->space(s, "/", &room), 0);
    assert_int_equal(room, 8192);
    sim_free(sim);
}

static void a_flipped_write_is_seen_by_reading_back(void **state)
{
    struct sim *sim = with_a("old");

    (void)state;
    sim_flip_write(sim, 1);
    create(sim_storage(sim), "/d/a", "new", 3, true);
    assert_false(a_is_new(sim));
    assert_never(sim, SIM_ORDERED, a_is_new);
    sim_free(sim);
}

static void equal_trees_have_equal_dumps(void **state)
{
    struct sim *sim = with_a("old"), *other = with_a("old");
    char *one = sim_dump(sim, "/"), *two = sim_dump(other, "/"), *part;

    (void)state;
    assert_string_equal(one, two);
    assert_true(sim_fingerprint(sim) == sim_fingerprint(other));
    free(two);
    create(sim_storage(other), "/d/a", "olD", 3, false);
    two = sim_dump(other, "/");
    assert_string_not_equal(one, two);
    assert_true(sim_fingerprint(sim) != sim_fingerprint(other));
    part = sim_dump(other, "/d/a");
    assert_non_null(strstr(two, part));
    free(part);
    free(one);
    free(two);
    sim_free(other);
    sim_free(sim);
}

/* What no tree shows decides as well how it goes on. */
static void boot_variables_and_flash_tell_states_apart(void **state)
{
    struct sim *sim = with_a("old");
    uint64_t before = sim_fingerprint(sim), with_flash;

    (void)state;
    sim_put_variable(sim, "BOOT_b_LEFT", "2");
    assert_true(sim_fingerprint(sim) != before);
    sim_put_variable(sim, "BOOT_b_LEFT", "");
    assert_true(sim_fingerprint(sim) == before);
    sim_put_flash(sim, "/d/flash", UP_FLASH_NAND, 4, 4096, 512);
    with_flash = sim_fingerprint(sim);
    sim_flash_make_bad(sim, "/d/flash", 2);
    assert_true(sim_fingerprint(sim) != with_flash);
    sim_free(sim);
}

struct cuts {
    uint64_t seen[8];
    unsigned count;
};

static void note_cut(void *user, const struct sim *sim)
{
    struct cuts *cuts = user;

    assert_true(cuts->count < 8);
    cuts->seen[cuts->count++] = sim_cut_fingerprint(sim);
}

/* Two lives that write the same come by the same cuts; one that writes something else does not. */
static void equal_lives_come_by_equal_cuts(void **state)
{
    static const char *const texts[] = {"new", "new", "neu"};
    struct cuts cuts[3] = {{.count = 0}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct sim *sim = with_a("old");

        sim_watch_cuts(sim, note_cut, &cuts[i]);
        create(sim_storage(sim), "/d/b", texts[i], 3, true);
        sim_free(sim);
    }
    assert_true(cuts[0].count > 1 && cuts[0].count == cuts[2].count);
    assert_memory_equal(&cuts[0], &cuts[1], sizeof cuts[0]);
    assert_true(cuts[0].seen[0] != cuts[0].seen[1]);
    assert_true(cuts[0].seen[cuts[0].count - 1] != cuts[2].seen[cuts[2].count - 1]);
}

/* On a file system that renames in two steps, the power may go between them. */
static struct sim *on_a_card(void)
{
    struct sim *sim = sim_new();

    sim_put_mount(sim, "/card", 1, true);
    return sim;
}

static void create_and_rename(struct sim *sim)
{
    struct up_storage *s = sim_storage(sim);

    create(s, "/card/a", "new", 3, true);
    s->ops->rename(s, "/card/a", "/card/b");
    s->ops->sync_dir(s, "/card");
}

struct went_by {
    uint64_t cut[8], killed[8];
    unsigned count;
};

static void note_both(void *user, const struct sim *sim)
{
    struct went_by *w = user;
    struct sim *next = sim_respawn(sim), *clone = sim_clone(sim);

    assert_true(w->count < 8);
    w->cut[w->count] = sim_cut_fingerprint(sim);
    w->killed[w->count++] = sim_fingerprint(next);
    create(sim_storage(next), "/card/c", "", 0, true); /* other lives are not watched */
    create(sim_storage(clone), "/card/c", "", 0, true);
    sim_free(next);
    sim_free(clone);
}

static void what_goes_by_is_what_a_cut_would_leave(void **state)
{
    struct sim *sim = on_a_card();
    struct went_by w = {.count = 0};

    (void)state;
    sim_watch_cuts(sim, note_both, &w);
    create_and_rename(sim);
    assert_int_equal(w.count, sim_ops(sim));
    sim_free(sim);
    for (unsigned k = 1; k <= w.count; k++) {
        struct sim *cut = on_a_card(), *next;

        sim_cut_at(cut, k);
        create_and_rename(cut);
        assert_true(sim_is_cut(cut));
        next = sim_respawn(cut);
        assert_true(sim_cut_fingerprint(cut) == w.cut[k - 1]);
        assert_true(sim_fingerprint(next) == w.killed[k - 1]);
        sim_free(next);
        sim_free(cut);
    }
}

static void paths_go_through_links_and_dots(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    char target[8];
    struct up_stat st;

    (void)state;
    sim_put_link(sim, "/e/up", "../d");
    sim_put_link(sim, "/loop", "/loop");
    sim_put_link(sim, "/dangling", "/nowhere/x");
    assert_true(holds(sim, "/e/up/a", "old"));
    assert_true(holds(sim, "/e/./up/../d/a", "old"));
    assert_int_equal(s->ops->stat(s, "/loop", &st), 0);
    assert_int_equal(st.kind, UP_NODE_LINK);
    assert_int_equal(s->ops->open(s, "/loop", UP_READ, 0), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(s->ops->open(s, "/dangling", UP_READ, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(s->ops->open(s, "/d/a/b", UP_READ, 0), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(s->ops->readlink(s, "/dangling", target, sizeof target), 7);
    assert_string_equal(target, "/nowher");
    assert_int_equal(s->ops->open(s, "/e/up", UP_WRITE_ONLY_NEW, 0644), -1);
    assert_int_equal(errno, EEXIST);
    sim_free(sim);
}

static void a_lock_is_held_by_one(void **state)
{
    struct sim *sim = with_a("old");
    struct up_storage *s = sim_storage(sim);
    int one = s->ops->open(s, "/d/a", UP_UPDATE, 0), two = s->ops->open(s, "/d/a", UP_UPDATE, 0);

    (void)state;
    assert_int_equal(s->ops->lock(s, one), 0);
    assert_int_equal(s->ops->lock(s, two), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    s->ops->close(s, one);
    assert_int_equal(s->ops->lock(s, two), 0);
    s->ops->close(s, two);
    sim_free(sim);
}

static void set_order(struct up_storage *s, const char *order, const char *tries, int result)
{
    struct up_boot_variable v[] = {{.name = "BOOT_ORDER"}, {.name = "BOOT_b_LEFT"}};

    strcpy(v[0].value, order);
    strcpy(v[1].value, tries);
    assert_int_equal(s->ops->boot_set(s, "/fw_env.config", v, 2), result);
}

/* All variables of one call change together; which state a reboot finds. */
static unsigned orders_after(const struct sim *sim)
{
    unsigned seen = 0;

    for (unsigned i = 0; i < sim_choices(sim); i++) {
        struct sim_choice c = sim_choice(sim, i);
        struct sim *after = sim_reboot(sim, &c);
        char order[UP_BOOT_VALUE_SIZE], tries[UP_BOOT_VALUE_SIZE];

        sim_variable(after, "BOOT_ORDER", order);
        sim_variable(after, "BOOT_b_LEFT", tries);
        if (strcmp(order, "a") == 0 && strcmp(tries, "") == 0)
            seen |= 1;
        else if (strcmp(order, "b a") == 0 && strcmp(tries, "3") == 0)
            seen |= 2;
        else
            fail_msg("BOOT_ORDER=%s BOOT_b_LEFT=%s", order, tries);
        sim_free(after);
    }
    return seen;
}

static void boot_variables_change_together_or_not(void **state)
{
    struct sim *sim = with_a("old"), *cut;
    int file;

    (void)state;
    sim_put_variable(sim, "BOOT_ORDER", "a");
    cut = sim_clone(sim);
    file = sim_storage(cut)->ops->open(sim_storage(cut), "/d/a", UP_UPDATE, 0);
    sim_storage(cut)->ops->pwrite(sim_storage(cut), file, "new", 3, 0);
    sim_cut_at(cut, 2);
    set_order(sim_storage(cut), "b a", "3", -1);
    assert_int_equal(orders_after(cut), 3);
    sim_free(cut);
    set_order(sim_storage(sim), "b a", "3", 0);
    assert_int_equal(orders_after(sim), 2);
    sim_fail(sim, SIM_BOOT_SET, 2, EIO, false);
    set_order(sim_storage(sim), "a", "", -1);
    assert_int_equal(orders_after(sim), 2);
    set_order(sim_storage(sim), "a", "", 0);
    assert_int_equal(orders_after(sim), 1);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_variables_change_together_or_not),
        cmocka_unit_test(a_write_without_sync_may_be_lost),
        cmocka_unit_test(a_synced_write_is_never_lost),
        cmocka_unit_test(a_new_file_needs_its_directory_synced_when_nothing_orders),
        cmocka_unit_test(a_synced_directory_does_not_sync_its_files),
        cmocka_unit_test(a_rename_is_atomic_and_may_be_lost),
        cmocka_unit_test(a_file_renamed_twice_has_one_name),
        cmocka_unit_test(names_survive_in_order_or_not),
        cmocka_unit_test(any_sync_commits_earlier_names_when_ordered),
        cmocka_unit_test(a_block_device_commits_no_names),
        cmocka_unit_test(a_write_is_torn_between_sectors),
        cmocka_unit_test(one_pending_sector_may_be_garbage),
        cmocka_unit_test(a_sector_written_twice_may_stay_between),
        cmocka_unit_test(an_ignored_sync_does_nothing),
        cmocka_unit_test(a_failed_sync_condemns_what_was_written),
        cmocka_unit_test(truncation_is_a_change_like_others),
        cmocka_unit_test(the_power_goes_at_every_operation),
        cmocka_unit_test(the_operation_at_the_cut_may_have_happened),
        cmocka_unit_test(a_killed_process_loses_nothing),
        cmocka_unit_test(a_reboot_changes_the_boot_id_and_keeps_the_time),
        cmocka_unit_test(faults_hit_the_call_that_was_named),
        cmocka_unit_test(a_full_disk_takes_what_fits),
        cmocka_unit_test(a_flipped_write_is_seen_by_reading_back),
        cmocka_unit_test(equal_trees_have_equal_dumps),
        cmocka_unit_test(boot_variables_and_flash_tell_states_apart),
        cmocka_unit_test(equal_lives_come_by_equal_cuts),
        cmocka_unit_test(what_goes_by_is_what_a_cut_would_leave),
        cmocka_unit_test(paths_go_through_links_and_dots),
        cmocka_unit_test(a_lock_is_held_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
