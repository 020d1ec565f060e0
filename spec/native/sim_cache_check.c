/*
 * sim_cache_check.c -- the simulated page cache and the worse media: what the
 * running system sees need not be what the medium holds.
 */
#include "sim.h"
#include "sim_flash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096u
#define PAGES 8u

static uint8_t image[PAGES * PAGE];

/* /d/a of so many pages of 'o', durable, and another file beside it. */
static struct sim *with_file(unsigned pages)
{
    struct sim *sim = sim_new();

    memset(image, 'o', sizeof image);
    sim_put(sim, "/d/a", image, (size_t)pages * PAGE, 0644);
    sim_put(sim, "/d/b", image, PAGE, 0644);
    return sim;
}

static int open_a(struct sim *sim)
{
    struct up_storage *s = sim_storage(sim);
    int f = s->ops->open(s, "/d/a", UP_UPDATE, 0);

    assert_true(f >= 0);
    return f;
}

/* One page of `byte` at page `at`. */
static int put(struct sim *sim, int f, unsigned at, char byte)
{
    struct up_storage *s = sim_storage(sim);
    uint8_t page[PAGE];

    memset(page, byte, sizeof page);
    return s->ops->pwrite(s, f, page, sizeof page, (uint64_t)at * PAGE);
}

/* How many bytes of page `at` are `byte`, as pread gives them. */
static unsigned count(struct sim *sim, int f, unsigned at, char byte)
{
    struct up_storage *s = sim_storage(sim);
    uint8_t page[PAGE];
    unsigned n = 0;

    assert_int_equal(s->ops->pread(s, f, page, sizeof page, (uint64_t)at * PAGE), PAGE);
    for (unsigned i = 0; i < PAGE; i++)
        n += page[i] == (uint8_t)byte;
    return n;
}

static int drop_cache(struct sim *sim, int f, unsigned pages)
{
    struct up_storage *s = sim_storage(sim);

    return s->ops->drop_cache(s, f, 0, (uint64_t)pages * PAGE);
}

/* In how many of the standard choices the medium then holds so many bytes of
 * `byte` in the file's first page. */
static unsigned survivors(const struct sim *sim, const char *path, char byte, unsigned *of)
{
    unsigned n = 0;

    *of = sim_choices(sim);
    for (unsigned i = 0; i < *of; i++) {
        struct sim_choice c = sim_choice(sim, i);
        struct sim *r = sim_reboot(sim, &c);
        char *data = sim_get(r, path, NULL);
        unsigned same = 0;

        for (unsigned at = 0; data && at < PAGE; at++)
            same += data[at] == byte;
        n += same == PAGE;
        free(data);
        sim_free(r);
    }
    return n;
}

static bool always(const struct sim *sim, const char *path, char byte)
{
    unsigned of, n = survivors(sim, path, byte, &of);

    return n == of;
}

/* A sync of new bytes in page 0 that fails once. */
static struct sim *after_failed_sync(enum sim_failed_sync what, int *f)
{
    struct sim *sim = with_file(2);
    struct up_storage *s = sim_storage(sim);

    sim_set_failed_sync(sim, what);
    *f = open_a(sim);
    assert_int_equal(put(sim, *f, 0, 'n'), 0);
    sim_fail(sim, SIM_SYNC, 1, EIO, false);
    assert_int_equal(s->ops->sync(s, *f), -1);
    assert_int_equal(count(sim, *f, 0, 'n'), PAGE); /* the cache has them */
    assert_int_equal(s->ops->sync(s, *f), 0);       /* and a later sync says all is well */
    return sim;
}

static void a_failed_sync_leaves_clean_pages_that_are_not_there(void **state)
{
    unsigned n, of;
    int f;
    struct sim *sim = after_failed_sync(SIM_CLEAN_UNSURE, &f);

    (void)state;
    n = survivors(sim, "/d/a", 'n', &of);
    assert_in_range(n, 1, of - 1);
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 0, 'o'), PAGE);
    assert_true(always(sim, "/d/a", 'o')); /* what was read is what there is */
    sim_free(sim);
}

static void they_may_be_there_in_part(void **state)
{
    int f;
    struct sim *sim = after_failed_sync(SIM_CLEAN_TORN, &f);

    (void)state;
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_in_range(count(sim, f, 0, 'o'), 512, PAGE - 512);
    assert_int_equal(count(sim, f, 1, 'o'), PAGE);
    sim_free(sim);
}

static void a_failed_sync_leaves_dirty_pages_elsewhere(void **state)
{
    int f;
    struct sim *sim = after_failed_sync(SIM_STAYS_DIRTY, &f);

    (void)state;
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 0, 'n'), PAGE);
    assert_true(always(sim, "/d/a", 'n'));
    sim_free(sim);
}

static void what_is_written_again_is_synced_again(void **state)
{
    int f;
    struct sim *sim = after_failed_sync(SIM_CLEAN_UNSURE, &f);
    struct up_storage *s = sim_storage(sim);

    (void)state;
    assert_int_equal(put(sim, f, 0, 'x'), 0);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 0, 'x'), PAGE);
    assert_true(always(sim, "/d/a", 'x'));
    sim_free(sim);
}

static void dropping_loses_nothing_that_is_dirty(void **state)
{
    struct sim *sim = with_file(2);
    int f = open_a(sim);
    unsigned n, of;

    (void)state;
    assert_int_equal(put(sim, f, 0, 'n'), 0);
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 0, 'n'), PAGE);
    n = survivors(sim, "/d/a", 'n', &of); /* and makes nothing durable */
    assert_in_range(n, 1, of - 1);
    sim_free(sim);
}

static void an_orderly_restart_shows_what_a_failed_sync_lost(void **state)
{
    char before[37], after[37];
    int f;
    struct sim *sim = after_failed_sync(SIM_CLEAN_UNSURE, &f);
    struct up_storage *s = sim_storage(sim);

    (void)state;
    assert_int_equal(put(sim, f, 1, 'n'), 0); /* never synced */
    s->ops->boot_id(s, before);
    sim_shutdown(sim);
    s->ops->boot_id(s, after);
    assert_string_not_equal(before, after);
    f = open_a(sim);
    assert_int_equal(count(sim, f, 0, 'o'), PAGE);
    assert_int_equal(count(sim, f, 1, 'n'), PAGE);
    assert_true(always(sim, "/d/a", 'o'));
    assert_int_equal(sim_choices(sim), 1); /* nothing is pending */
    sim_free(sim);
}

static void reads_past_the_cache_leave_it_as_it_is(void **state)
{
    int f, g;
    struct sim *sim = after_failed_sync(SIM_CLEAN_UNSURE, &f);
    struct up_storage *s = sim_storage(sim);

    (void)state;
    sim_set_direct(sim, true);
    g = open_a(sim);
    assert_int_equal(s->ops->drop_cache(s, f, 0, PAGE), UP_READ_DIRECT);
    assert_int_equal(count(sim, f, 0, 'o'), PAGE);
    assert_int_equal(count(sim, g, 0, 'n'), PAGE);
    assert_true(always(sim, "/d/a", 'o'));
    assert_int_equal(put(sim, f, 0, 'x'), 0);
    assert_int_equal(count(sim, f, 0, 'x'), PAGE);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_true(always(sim, "/d/a", 'x'));
    sim_free(sim);
}

static void a_flip_on_the_medium_is_seen_past_the_cache_alone(void **state)
{
    struct sim *sim = with_file(2);
    struct up_storage *s = sim_storage(sim);
    int f = open_a(sim);

    (void)state;
    sim_flip_medium(sim, 1);
    assert_int_equal(put(sim, f, 0, 'n'), 0);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_int_equal(count(sim, f, 0, 'n'), PAGE);
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 0, 'n'), PAGE - 1);
    sim_free(sim);
}

static void a_flip_in_the_cache_is_gone_when_it_is_dropped(void **state)
{
    struct sim *sim = with_file(2);
    int f = open_a(sim);

    (void)state;
    sim_flip_cache(sim, "/d/a", PAGE + 5);
    assert_int_equal(count(sim, f, 0, 'o'), PAGE);
    assert_int_equal(count(sim, f, 1, 'o'), PAGE - 1);
    assert_int_equal(drop_cache(sim, f, 2), UP_READ_DROPPED);
    assert_int_equal(count(sim, f, 1, 'o'), PAGE);
    sim_free(sim);
}

static void a_call_may_fail_when_it_is_done(void **state)
{
    struct sim *sim = with_file(1);
    struct up_storage *s = sim_storage(sim);
    struct up_boot_variable v = {.name = "BOOT_ORDER", .value = "b a"};
    int f = open_a(sim);

    (void)state;
    sim_reset_counters(sim);
    sim_fail_late(sim, SIM_RENAME, 1, EIO, false);
    assert_int_equal(s->ops->rename(s, "/d/b", "/d/c"), -1);
    assert_int_equal(errno, EIO);
    assert_true(sim_exists(sim, "/d/c"));
    assert_int_equal(sim_fault_hits(sim), 1);
    assert_int_equal(sim_fault_at(sim), 0);
    assert_int_equal(put(sim, f, 0, 'n'), 0);
    sim_fail_late(sim, SIM_SYNC, 1, EIO, false);
    assert_int_equal(s->ops->sync(s, f), -1);
    assert_true(always(sim, "/d/a", 'n'));
    sim_fail_late(sim, SIM_BOOT_SET, 1, EIO, false);
    assert_int_equal(s->ops->boot_set(s, "", &v, 1), -1);
    sim_variable(sim, "BOOT_ORDER", v.value);
    assert_string_equal(v.value, "b a");
    assert_int_equal(s->ops->boot_set(s, "", &v, 1), 0);
    sim_free(sim);
}

/* The bytes of page `at` of /d/a that are old, after a reboot with this harm. */
static unsigned old_after(const struct sim *sim, uint64_t seed, unsigned harm, unsigned at)
{
    struct sim_choice c = {SIM_INDEPENDENT, SIM_NONE, seed, harm};
    struct sim *r = sim_reboot(sim, &c);
    unsigned n = count(r, open_a(r), at, 'o');

    sim_free(r);
    return n;
}

static void a_torn_unit_takes_its_neighbours_along(void **state)
{
    struct sim *sim = with_file(8);
    unsigned hurt = 0;
    int f = open_a(sim);

    (void)state;
    assert_int_equal(put(sim, f, 1, 'n'), 0);
    for (uint64_t seed = 0; seed < 8; seed++) {
        hurt += old_after(sim, seed, 16384, 0) < PAGE && old_after(sim, seed, 16384, 3) < PAGE;
        assert_int_equal(old_after(sim, seed, 16384, 4), PAGE); /* another unit */
        assert_int_equal(old_after(sim, seed, 4096, 0), PAGE);
        assert_in_range(old_after(sim, seed, 4096, 1), 0, PAGE / 2 + 64);
        assert_in_range(old_after(sim, seed, 512, 1), PAGE - 512, PAGE);
    }
    assert_int_equal(hurt, 8);
    assert_true(always(sim, "/d/b", 'o')); /* nor another file */
    sim_free(sim);
}

static void a_paired_page_is_lost_with_the_torn_one(void **state)
{
    struct sim *sim = with_file(1);
    struct up_storage *s = sim_storage(sim);
    int f = open_a(sim), g = s->ops->open(s, "/d/b", UP_UPDATE, 0);

    (void)state;
    assert_int_equal(put(sim, f, 0, 'o'), 0);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_int_equal(old_after(sim, 0, SIM_PAIRED, 0), PAGE); /* nothing was cut short */
    assert_int_equal(put(sim, g, 0, 'n'), 0);
    assert_in_range(old_after(sim, 0, SIM_PAIRED, 0), 0, 64);
    assert_int_equal(old_after(sim, 0, 0, 0), PAGE);
    sim_free(sim);
}

/* Write pages 0 to 5 of a block of NAND, and cut at the last; then whether page
 * `at` reads as it was written, for this seed. */
static bool nand_page_is_whole(uint64_t seed, unsigned at)
{
    struct sim *sim = sim_new(), *r;
    struct up_storage *s = sim_storage(sim);
    uint8_t page[PAGE], got[PAGE];
    bool same;
    int f;

    sim_put_flash(sim, "/flash", UP_FLASH_NAND, 1, 8 * PAGE, PAGE);
    f = s->ops->open(s, "/flash", UP_UPDATE, 0);
    memset(page, 'n', sizeof page);
    sim_cut_at(sim, 6);
    for (unsigned i = 0; i < 6; i++)
        s->ops->pwrite(s, f, page, sizeof page, (uint64_t)i * PAGE);
    r = sim_reboot(sim, &(struct sim_choice){SIM_ORDERED, SIM_RANDOM, seed, 0});
    s = sim_storage(r);
    f = s->ops->open(s, "/flash", UP_READ, 0);
    /* Weak pages read right a few times. */
    for (int i = 0; i < 5; i++)
        same = s->ops->pread(s, f, got, sizeof got, (uint64_t)at * PAGE) == PAGE &&
               memcmp(got, page, sizeof page) == 0;
    sim_free(r);
    sim_free(sim);
    return same;
}

static void a_torn_page_of_nand_may_take_one_before_it_along(void **state)
{
    unsigned whole[5] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++)
        for (unsigned at = 0; at < 5; at++)
            whole[at] += nand_page_is_whole(seed, at);
    assert_int_equal(whole[0], 400);
    assert_int_equal(whole[1], 400);
    for (unsigned at = 2; at < 5; at++)
        assert_in_range(whole[at], 300, 399);
}

static void a_queue_that_lies_may_lose_what_was_synced(void **state)
{
    struct sim *sim = with_file(1);
    struct up_storage *s = sim_storage(sim);
    int f = open_a(sim);

    (void)state;
    assert_int_equal(put(sim, f, 0, 'n'), 0);
    assert_int_equal(s->ops->sync(s, f), 0);
    assert_int_equal(old_after(sim, 0, SIM_LYING, 0), PAGE);
    assert_int_equal(old_after(sim, 0, 0, 0), 0);
    sim_free(sim);
}

static void a_full_disk_that_copies_on_write_cannot_overwrite(void **state)
{
    struct sim *sim = with_file(2);
    struct up_storage *s = sim_storage(sim);
    int f = open_a(sim);

    (void)state;
    sim_set_free(sim, 0);
    assert_int_equal(put(sim, f, 0, 'n'), 0);
    sim_set_copy_on_write(sim, true);
    assert_int_equal(put(sim, f, 1, 'n'), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(s->ops->unlink(s, "/d/b"), 0);
    assert_int_equal(put(sim, f, 1, 'n'), 0);
    sim_free(sim);
}

static void fsck_may_lose_any_one_file(void **state)
{
    static const char *const names[] = {"/d/a", "/d/b"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct sim *sim = with_file(1);
        char *lost = sim_lose_file(sim, "/d", i);

        if (i < 2) {
            assert_string_equal(lost, names[i]);
            assert_false(sim_exists(sim, names[i]));
            assert_true(sim_exists(sim, names[!i]));
        } else {
            assert_null(lost);
        }
        free(lost);
        sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_leaves_clean_pages_that_are_not_there),
        cmocka_unit_test(they_may_be_there_in_part),
        cmocka_unit_test(a_failed_sync_leaves_dirty_pages_elsewhere),
        cmocka_unit_test(what_is_written_again_is_synced_again),
        cmocka_unit_test(dropping_loses_nothing_that_is_dirty),
        cmocka_unit_test(an_orderly_restart_shows_what_a_failed_sync_lost),
        cmocka_unit_test(reads_past_the_cache_leave_it_as_it_is),
        cmocka_unit_test(a_flip_on_the_medium_is_seen_past_the_cache_alone),
        cmocka_unit_test(a_flip_in_the_cache_is_gone_when_it_is_dropped),
        cmocka_unit_test(a_call_may_fail_when_it_is_done),
        cmocka_unit_test(a_torn_unit_takes_its_neighbours_along),
        cmocka_unit_test(a_paired_page_is_lost_with_the_torn_one),
        cmocka_unit_test(a_torn_page_of_nand_may_take_one_before_it_along),
        cmocka_unit_test(a_queue_that_lies_may_lose_what_was_synced),
        cmocka_unit_test(a_full_disk_that_copies_on_write_cannot_overwrite),
        cmocka_unit_test(fsck_may_lose_any_one_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
