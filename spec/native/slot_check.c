/*
 * slot_check.c -- a slot on each medium: what is written reads back, whatever
 * is bad, wherever the power goes; and the rules of flash, which the simulated
 * parts enforce, are kept.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "old_image.h"
#include "sim.h"
#include "sim_flash.h"
#include "slot.h"
#include "slot_link.h"

#define PATH "/slots/slot"
#define ERASE 4096u
#define BLOCKS 6u

struct medium {
    const char *name;
    enum up_node_kind node;
    enum up_flash_kind flash;
    uint32_t page;
};

static const struct medium media[] = {
    {"regular file", UP_NODE_FILE, UP_FLASH_NONE, 0},
    {"block device", UP_NODE_BLOCK, UP_FLASH_NONE, 0},
    {"NOR flash", UP_NODE_CHAR, UP_FLASH_NOR, 1},
    {"NAND flash", UP_NODE_CHAR, UP_FLASH_NAND, 512},
    {"NAND flash, large pages", UP_NODE_CHAR, UP_FLASH_NAND, 2048},
    {"UBI volume", UP_NODE_CHAR, UP_FLASH_UBI, 1},
};
#define MEDIA (sizeof media / sizeof media[0])

static struct sim *make(const struct medium *m)
{
    struct sim *sim = sim_new();

    sim_put_dir(sim, "/slots", 0755);
    if (m->node == UP_NODE_BLOCK)
        sim_put_block(sim, PATH, BLOCKS * ERASE);
    else if (m->node == UP_NODE_CHAR)
        sim_put_flash(sim, PATH, m->flash, BLOCKS, ERASE, m->page);
    return sim;
}

/* Content that has no byte where it is expected by accident, with a stretch of
 * 0xff, which flash need not be written for. */
static uint8_t *content(size_t size, unsigned seed)
{
    uint8_t *data = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 * 13 + seed);
    if (size > 3000)
        memset(data + 2500, 0xff, 400);
    return data;
}

static int write_some(struct up_storage *storage, const uint8_t *data, size_t size, size_t step, size_t from,
                      size_t to, struct up_error *err)
{
    struct up_slot *slot = NULL;
    int rc = up_slot_open(&slot, storage, PATH, UP_SLOT_WRITE, size, err);

    for (size_t at = from; rc >= 0 && at < to; at += step)
        rc = up_slot_write(slot, data + at, to - at < step ? to - at : step, at, err);
    if (rc >= 0)
        rc = up_slot_sync(slot, err);
    up_slot_close(slot);
    return rc < 0 ? rc : 0;
}

static bool reads_back(struct up_storage *storage, const uint8_t *data, size_t size)
{
    struct up_slot *slot = NULL;
    struct up_error err;
    uint8_t *got = calloc(1, size + 1);
    bool same;

    assert_int_equal(up_slot_open(&slot, storage, PATH, UP_SLOT_READ, size, &err), 0);
    same = up_slot_drop_cache(slot, &err) >= 0 && up_slot_read(slot, got, size, 0, &err) == (long long)size &&
           memcmp(got, data, size) == 0;
    up_slot_close(slot);
    free(got);
    return same;
}

static void what_is_written_in_steps_reads_back(void **state)
{
    static const size_t sizes[] = {1, 511, 4096, 4097, 9000, BLOCKS * ERASE};
    static const size_t steps[] = {4096, 512, 1000, 5000, BLOCKS * ERASE};
    struct up_error err;

    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
                struct sim *sim = make(&media[m]);
                uint8_t *old = content(BLOCKS * ERASE, 99), *data = content(sizes[i], 1);

                /* Over what another image left. */
                assert_int_equal(
                    write_some(sim_storage(sim), old, BLOCKS * ERASE, 4096, 0, BLOCKS * ERASE, &err), 0);
                if (write_some(sim_storage(sim), data, sizes[i], steps[k], 0, sizes[i], &err) < 0)
                    fail_msg("%s: %s", media[m].name, err.message);
                if (!reads_back(sim_storage(sim), data, sizes[i]))
                    fail_msg("%s: %u bytes in steps of %u differ", media[m].name, (unsigned)sizes[i],
                             (unsigned)steps[k]);
                assert_int_equal(sim_open_files(sim), 0);
                free(old);
                free(data);
                sim_free(sim);
            }
}

static void zeros_are_written_as_content(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        struct up_slot *slot = NULL;
        struct up_error err;
        uint8_t *data = content(10000, 3);

        memset(data + 2000, 0, 7000);
        assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 10000, &err), 0);
        assert_int_equal(up_slot_write(slot, data, 2000, 0, &err), 0);
        assert_int_equal(up_slot_zero(slot, 7000, 2000, &err), 0);
        assert_int_equal(up_slot_write(slot, data + 9000, 1000, 9000, &err), 0);
        assert_int_equal(up_slot_sync(slot, &err), 0);
        up_slot_close(slot);
        assert_true(reads_back(sim_storage(sim), data, 10000));
        free(data);
        sim_free(sim);
    }
}

/* Of every medium, whichever call it is that the medium refuses. */
static void a_write_that_fails_is_said(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (int zeros = 0; zeros < 2; zeros++) {
            struct sim *sim = make(&media[m]);
            struct up_slot *slot = NULL;
            struct up_error err;
            uint8_t *data = content(3 * ERASE, 3);

            if (zeros)
                memset(data + ERASE, 0, 2 * ERASE);
            assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 3 * ERASE, &err), 0);
            assert_int_equal(up_slot_write(slot, data, ERASE, 0, &err), 0);
            sim_reset_counters(sim);
            sim_fail(sim, SIM_CHANGES, 1, EIO, true);
            if (zeros ? up_slot_zero(slot, 2 * ERASE, ERASE, &err) == 0
                      : up_slot_write(slot, data + ERASE, 2 * ERASE, ERASE, &err) == 0)
                fail_msg("%s: %s", media[m].name, zeros ? "zeros" : "bytes");
            up_slot_close(slot);
            free(data);
            sim_free(sim);
        }
}

/* Of the erase block in which writing begins, what lies before is put back. */
static void what_lies_before_the_first_byte_stays(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        uint8_t *data;

        if (media[m].flash == UP_FLASH_UBI)
            continue;
        data = content(BLOCKS * ERASE, 5);
        for (size_t from = 0; from < BLOCKS * ERASE; from += 1500) {
            struct sim *sim = make(&media[m]);
            struct up_error err;
            size_t to = from + 2500 < BLOCKS * ERASE ? from + 2500 : BLOCKS * ERASE;

            assert_int_equal(
                write_some(sim_storage(sim), data, BLOCKS * ERASE, 4096, 0, BLOCKS * ERASE, &err), 0);
            memset(data + from, 0x21, to - from);
            if (write_some(sim_storage(sim), data, BLOCKS * ERASE, 700, from, to, &err) < 0)
                fail_msg("%s: %s", media[m].name, err.message);
            assert_true(reads_back(sim_storage(sim), data, to));
            sim_free(sim);
        }
        free(data);
    }
}

static void capacity_is_counted_to_the_byte(void **state)
{
    struct up_error err;
    uint64_t capacity = 0;

    (void)state;
    for (size_t m = 1; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        unsigned good = BLOCKS;
        uint8_t *data = content(BLOCKS * ERASE + 1, 6);

        assert_int_equal(up_slot_capacity(sim_storage(sim), PATH, &capacity, &err), 0);
        assert_int_equal(capacity, BLOCKS * ERASE);
        if (media[m].flash == UP_FLASH_NAND) {
            sim_flash_make_bad(sim, PATH, 0);
            sim_flash_make_bad(sim, PATH, 4);
            good -= 2;
            assert_int_equal(up_slot_capacity(sim_storage(sim), PATH, &capacity, &err), 0);
            assert_int_equal(capacity, good * ERASE);
        }
        assert_int_equal(write_some(sim_storage(sim), data, good * ERASE, 4096, 0, good * ERASE, &err), 0);
        assert_true(reads_back(sim_storage(sim), data, good * ERASE));
        assert_int_equal(
            write_some(sim_storage(sim), data, good * ERASE + 1, 4096, 0, good * ERASE + 1, &err),
            UP_NOSPACE);
        free(data);
        sim_free(sim);
    }
}

static const struct medium *nand = &media[3];

/* Bad from the factory, or going bad when it is erased or written: at each
 * place the content comes out whole, and only such a block is marked. */
static void a_bad_block_at_each_place_is_passed_over(void **state)
{
    const size_t size = 4 * ERASE + 100;
    uint8_t *data = content(size, 8);

    (void)state;
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned bad = 0; bad < BLOCKS; bad++) {
            struct sim *sim = make(nand);
            struct up_error err;

            if (kind == 0)
                sim_flash_make_bad(sim, PATH, bad);
            else
                sim_flash_wear(sim, PATH, bad, kind == 1 ? SIM_WEAR_ERASE : SIM_WEAR_PROGRAM);
            if (write_some(sim_storage(sim), data, size, 3000, 0, size, &err) < 0)
                fail_msg("block %u: %s", bad, err.message);
            assert_true(reads_back(sim_storage(sim), data, size));
            for (unsigned i = 0; i < BLOCKS; i++)
                assert_int_equal(sim_flash_is_bad(sim, PATH, i), i == bad && (kind == 0 || bad < 5));
            sim_free(sim);
        }
    free(data);
}

static void two_bad_blocks_side_by_side_are_passed_over(void **state)
{
    const size_t size = 4 * ERASE;
    uint8_t *data = content(size, 8);

    (void)state;
    for (unsigned bad = 0; bad + 1 < BLOCKS; bad++) {
        struct sim *sim = make(nand);
        struct up_error err;

        sim_flash_wear(sim, PATH, bad, SIM_WEAR_PROGRAM);
        sim_flash_wear(sim, PATH, bad + 1, SIM_WEAR_ERASE);
        if (write_some(sim_storage(sim), data, size, 3000, 0, size, &err) < 0)
            fail_msg("block %u: %s", bad, err.message);
        assert_true(reads_back(sim_storage(sim), data, size));
        sim_free(sim);
    }
    free(data);
}

/* A controller that refuses everything must not cost the chip its blocks. */
static void a_flash_that_refuses_everything_loses_no_blocks(void **state)
{
    static const enum sim_op ops[] = {SIM_FLASH_ERASE, SIM_PWRITE};
    uint8_t *data = content(2 * ERASE, 8);

    (void)state;
    for (size_t o = 0; o < 2; o++)
        for (size_t m = 2; m < 4; m++) {
            struct sim *sim = make(&media[m]);
            struct up_error err;

            sim_fail(sim, ops[o], 1, EIO, true);
            assert_int_equal(write_some(sim_storage(sim), data, 2 * ERASE, ERASE, 0, 2 * ERASE, &err),
                             UP_WRITE);
            for (unsigned i = 0; i < BLOCKS; i++)
                assert_false(sim_flash_is_bad(sim, PATH, i));
            sim_free(sim);
        }
    free(data);
}

/* A block that cannot be erased is left out: then another one is the last of the content. */
static void what_is_erased_is_blank_whichever_block_is_bad(void **state)
{
    const size_t size = 3 * ERASE;
    uint8_t *old = content(BLOCKS * ERASE, 3), *blank = malloc(size);

    (void)state;
    memset(blank, 0xff, size);
    for (unsigned bad = 0; bad < 3; bad++) {
        struct sim *sim = make(nand);
        struct up_slot *slot;
        struct up_error err;
        int rc;

        assert_int_equal(write_some(sim_storage(sim), old, BLOCKS * ERASE, ERASE, 0, BLOCKS * ERASE, &err),
                         0);
        sim_settle(sim);
        sim_flash_wear(sim, PATH, bad, SIM_WEAR_ERASE);
        assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, size, &err), 0);
        do
            rc = up_slot_erase(slot, 0, &err);
        while (rc == 1);
        assert_int_equal(rc, 0);
        up_slot_close(slot);
        assert_true(sim_flash_is_bad(sim, PATH, bad));
        assert_true(reads_back(sim_storage(sim), blank, size));
        sim_free(sim);
    }
    free(old);
    free(blank);
}

static void too_many_bad_blocks_are_no_space(void **state)
{
    struct sim *sim = make(nand);
    uint8_t *data = content(4 * ERASE, 8);
    struct up_error err;

    (void)state;
    sim_flash_wear(sim, PATH, 2, SIM_WEAR_ERASE);
    sim_flash_wear(sim, PATH, 4, SIM_WEAR_ERASE);
    sim_flash_wear(sim, PATH, 5, SIM_WEAR_ERASE);
    assert_int_equal(write_some(sim_storage(sim), data, 4 * ERASE, ERASE, 0, 4 * ERASE, &err), UP_NOSPACE);
    assert_non_null(strstr(err.message, "good blocks"));
    free(data);
    sim_free(sim);
}

/* Who made the file failed at making its name durable; who goes on must not
 * take it for durable because it is there. */
static void a_file_that_another_made_is_there_for_good(void **state)
{
    struct sim *sim = make(&media[0]), *after;
    struct up_storage *storage = sim_storage(sim);
    uint8_t *data = content(5000, 1);
    struct up_error err;

    (void)state;
    assert_int_equal(media[0].node, UP_NODE_FILE);
    sim_fail(sim, SIM_SYNC_DIR, 1, EIO, false);
    assert_int_equal(write_some(storage, data, 5000, 4096, 0, 5000, &err), UP_WRITE);
    assert_true(sim_exists(sim, PATH));
    assert_int_equal(write_some(storage, data, 5000, 4096, 0, 5000, &err), 0);
    after = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, 0});
    assert_true(sim_exists(after, PATH));
    assert_true(reads_back(sim_storage(after), data, 5000));
    sim_free(after);
    sim_free(sim);
    free(data);
}

static void what_cannot_be_a_slot_is_refused(void **state)
{
    struct sim *sim = make(nand);
    int first;
    struct up_slot *slot = NULL;
    struct up_error err;
    uint64_t capacity;

    (void)state;
    sim_put_text(sim, "/first", "");
    first = sim_storage(sim)->ops->open(sim_storage(sim), "/first", UP_READ, 0);
    assert_int_equal(first, 0);
    sim_flash_read_only(sim, PATH);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 100, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "read-only"));
    sim_put_flash(sim, "/slots/odd", UP_FLASH_NAND, 4, 4096, 512);
    sim_set_mounted(sim, "/slots/odd", UP_MOUNTED);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), "/slots/odd", UP_SLOT_WRITE, 100, &err), UP_BUSY);
    sim_put_flash(sim, "/dev/null", UP_FLASH_NONE, 1, 4096, 512);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), "/dev/null", UP_SLOT_WRITE, 100, &err), UP_USAGE);
    assert_int_equal(up_slot_capacity(sim_storage(sim), "/dev/null", &capacity, &err), UP_USAGE);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), "/dev", UP_SLOT_WRITE, 100, &err), UP_USAGE);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), "/slots/none", UP_SLOT_READ, 100, &err),
                     UP_MISSING);
    assert_int_equal(sim_open_files(sim), 1); /* somebody else's, with the first number */
    assert_int_equal(sim_storage(sim)->ops->close(sim_storage(sim), first), 0);
    sim_free(sim);
}

static unsigned opened_with;

static int open_and_note(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    (void)s, (void)path, (void)mode;
    opened_with = flags;
    errno = EBUSY; /* somebody has mounted it since we looked */
    return -1;
}

/* The kernel is asked as well: it knows what was mounted a moment ago. */
static void a_block_device_is_opened_for_us_alone(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_storage_ops ops = *s->ops;
    struct up_slot *slot = NULL;
    struct up_error err;

    (void)state;
    sim_put_block(sim, "/dev/slot", 8192);
    ops.open = open_and_note;
    s->ops = &ops;
    assert_int_equal(up_slot_open(&slot, s, "/dev/slot", UP_SLOT_WRITE, 100, &err), UP_BUSY);
    assert_int_equal(opened_with, UP_UPDATE | UP_EXCLUSIVE);
    assert_int_equal(up_slot_open(&slot, s, "/dev/slot", UP_SLOT_READ, 100, &err), UP_BUSY);
    assert_int_equal(opened_with, UP_READ);
    sim_free(sim);
}

static struct up_flash odd_flash;

static int tell_odd_flash(struct up_storage *s, int file, struct up_flash *out)
{
    (void)s, (void)file;
    *out = odd_flash;
    return 0;
}

/* What a driver says of the part is not believed blindly. */
static void flash_of_odd_shape_is_refused(void **state)
{
    static const struct up_flash shapes[] = {
        {.size = 1 << 20, .erase_size = 0, .write_size = 512},
        {.size = 1 << 26, .erase_size = (16 << 20) + 512, .write_size = 512},
        {.size = 1 << 20, .erase_size = 4096, .write_size = 0},
        {.size = 1 << 20, .erase_size = 4096, .write_size = 513},
        {.size = UINT32_MAX, .erase_size = 1, .write_size = 1},
        {.size = (uint64_t)1 << 32, .erase_size = 1, .write_size = 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (enum up_slot_use use = UP_SLOT_READ; use <= UP_SLOT_WRITE; use++) {
            struct sim *sim = make(nand);
            struct up_storage *s = sim_storage(sim);
            struct up_storage_ops ops = *s->ops;
            struct up_slot *slot = NULL;
            struct up_error err;
            uint64_t capacity;

            ops.flash_info = tell_odd_flash;
            s->ops = &ops;
            odd_flash = shapes[i];
            odd_flash.kind = UP_FLASH_NAND;
            odd_flash.writable = true;
            assert_int_equal(up_slot_open(&slot, s, PATH, use, 100, &err), UP_USAGE);
            assert_non_null(strstr(err.message, "erase blocks of"));
            assert_int_equal(up_slot_capacity(s, PATH, &capacity, &err), UP_USAGE);
            assert_non_null(strstr(err.message, "erase blocks of"));
            assert_int_equal(sim_open_files(sim), 0);
            sim_free(sim);
        }
}

/* The largest erase block that is held in memory. */
static void flash_of_large_blocks_is_taken(void **state)
{
    struct sim *sim = make(nand);
    struct up_storage *s = sim_storage(sim);
    struct up_storage_ops ops = *s->ops;
    struct up_error err;
    uint64_t capacity;

    (void)state;
    ops.flash_info = tell_odd_flash;
    s->ops = &ops;
    odd_flash = (struct up_flash){
        .kind = UP_FLASH_NOR, .size = 1 << 26, .erase_size = 16 << 20, .write_size = 1, .writable = true};
    assert_int_equal(up_slot_capacity(s, PATH, &capacity, &err), 0);
    assert_int_equal(capacity, 1 << 26);
    sim_free(sim);
}

static void a_slot_that_cannot_be_opened_says_why(void **state)
{
    static const struct {
        enum sim_op op;
        int error, code;
        const char *said;
    } cases[] = {
        {SIM_OPEN, EBUSY, UP_BUSY, "open"},
        {SIM_OPEN, EACCES, UP_WRITE, "open"},
        {SIM_FLASH_INFO, EIO, UP_WRITE, "cannot tell its kind"},
        {SIM_FLASH_BAD, EIO, UP_WRITE, "bad blocks"},
        {SIM_STAT, EIO, UP_WRITE, "slot"},
    };
    struct sim *sim = make(nand);
    struct up_storage *s = sim_storage(sim);
    char path[UP_PATH_SIZE + 100];
    struct up_slot *slot = NULL;
    struct up_error err;
    uint64_t capacity, room;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sim_reset_counters(sim);
        sim_fail(sim, cases[i].op, 1, cases[i].error, true);
        assert_int_equal(up_slot_open(&slot, s, PATH, UP_SLOT_WRITE, 100, &err), cases[i].code);
        assert_non_null(strstr(err.message, cases[i].said));
        assert_int_equal(up_slot_capacity(s, PATH, &capacity, &err), cases[i].code);
        assert_non_null(strstr(err.message, cases[i].said));
        assert_int_equal(sim_open_files(sim), 0);
    }
    sim_fail(sim, SIM_OPEN, 0, 0, false);
    /* Of a file that is not there yet, the directory says how much room there is. */
    sim_set_free(sim, 1 << 20);
    assert_int_equal(s->ops->space(s, "/", &room), 0);
    assert_int_equal(up_slot_capacity(s, "/slot", &capacity, &err), 0);
    assert_int_equal(capacity, room);
    assert_int_equal(up_slot_capacity(s, "slot", &capacity, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "not an absolute path"));
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 200 ? 'p' : '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(up_slot_capacity(s, path, &capacity, &err), UP_USAGE);
    sim_free(sim);
}

/* Raw flash has none: what is written there is there. */
static void a_sync_that_fails_is_said(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        uint8_t *data = content(9000, 4);
        struct up_error err;

        sim_fail(sim, SIM_SYNC, 1, EIO, true);
        if (write_some(sim_storage(sim), data, 9000, 4096, 0, 9000, &err) !=
            (media[m].page > 1 || media[m].flash == UP_FLASH_NOR ? 0 : UP_WRITE))
            fail_msg("%s: the failed sync came to something else", media[m].name);
        free(data);
        sim_free(sim);
    }
}

/* What an image before left beyond the end has to go. */
static void a_longer_file_is_cut_or_the_sync_fails(void **state)
{
    struct sim *sim = make(&media[0]);
    uint8_t *data = content(9000, 4);
    struct up_slot *slot = NULL;
    uint64_t end = 5000, from = 0;
    struct up_error err;
    size_t len;

    (void)state;
    sim_put(sim, PATH, data, 9000, 0600);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 5000, &err), 0);
    assert_int_equal(up_slot_write(slot, data, 5000, 0, &err), 0);
    sim_fail(sim, SIM_TRUNCATE, 1, EIO, false);
    assert_int_equal(up_slot_sync(slot, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "truncate"));
    assert_int_equal(up_slot_refresh(slot, &end, &from, &err), 0); /* a file has no torn pages */
    assert_true(end == 5000 && from == 5000);
    assert_int_equal(up_slot_sync(slot, &err), 0);
    up_slot_close(slot);
    free(sim_get(sim, PATH, &len));
    assert_int_equal(len, 5000);
    free(data);
    sim_free(sim);
}

/* Not how images are written, but nothing is lost by it. */
static void flash_is_written_with_gaps(void **state)
{
    (void)state;
    for (size_t m = 2; m < 5; m++) {
        struct sim *sim = make(&media[m]);
        uint8_t *data = content(4 * ERASE, 4), *got = malloc(4 * ERASE);
        struct up_slot *slot = NULL;
        struct up_error err;
        uint64_t end = 0, from = 77;

        assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 4 * ERASE, &err), 0);
        assert_int_equal(up_slot_refresh(slot, &end, &from, &err), 0); /* of nothing */
        assert_int_equal(end, 0);
        assert_int_equal(from, 0);
        assert_int_equal(up_slot_write(slot, data, 1000, 0, &err), 0);
        assert_int_equal(up_slot_write(slot, data + 2048, 1000, 2048, &err), 0);
        assert_int_equal(up_slot_write(slot, data + 2 * ERASE, 1000, 2 * ERASE, &err), 0);
        assert_int_equal(up_slot_write(slot, data, 10, BLOCKS * ERASE, &err), UP_NOSPACE);
        assert_non_null(strstr(err.message, "past its good blocks"));
        assert_int_equal(up_slot_sync(slot, &err), 0);
        assert_int_equal(up_slot_read(slot, got, 4 * ERASE, 0, &err), 4 * ERASE);
        memset(data + 1000, 0xff, 1048);
        memset(data + 3048, 0xff, 2 * ERASE - 3048);
        memset(data + 2 * ERASE + 1000, 0xff, 2 * ERASE - 1000);
        assert_memory_equal(got, data, 4 * ERASE);
        assert_int_equal(up_slot_read(slot, got, ERASE, (BLOCKS - 1) * ERASE + 100, &err), ERASE - 100);
        assert_int_equal(up_slot_write(slot, data, 1000, 3 * ERASE, &err), 0);
        sim_fail(sim, SIM_PWRITE, sim_calls(sim, SIM_PWRITE) + 1, EROFS, false);
        assert_int_equal(up_slot_write(slot, data, 1000, 3 * ERASE + 2048, &err), UP_WRITE);
        up_slot_close(slot);
        assert_int_equal(sim_open_files(sim), 0);
        free(data);
        free(got);
        sim_free(sim);
    }
}

/* An image of old lies there, and a block goes bad while it is erased, or while
 * the new one is written; or the flash refuses for a reason that is no fault of
 * a block, and then none is marked. */
static void a_block_goes_bad_under_an_older_image(void **state)
{
    static const enum sim_op ops[] = {SIM_FLASH_ERASE, SIM_FLASH_MARK_BAD, SIM_PWRITE};
    const size_t size = 4 * ERASE + 100;
    uint8_t *old = content(BLOCKS * ERASE, 9), *data = content(size, 8);
    struct up_error err;

    (void)state;
    for (unsigned wear = 0; wear < 2; wear++)
        for (unsigned bad = 0; bad < BLOCKS; bad++) {
            struct sim *start = make(nand), *sim;
            bool met = true;

            sim_flash_fill(start, PATH, old, BLOCKS * ERASE);
            sim_flash_wear(start, PATH, bad, wear ? SIM_WEAR_PROGRAM : SIM_WEAR_ERASE);
            sim = sim_clone(start);
            if (write_some(sim_storage(sim), data, size, 3000, 0, size, &err) < 0)
                fail_msg("block %u: %s", bad, err.message);
            assert_true(reads_back(sim_storage(sim), data, size));
            sim_free(sim);
            for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++, met = true)
                for (unsigned n = 1; met; n++) {
                    unsigned marked = 0;
                    int rc;

                    sim = sim_clone(start);
                    sim_fail(sim, ops[o], n, EROFS, true);
                    rc = write_some(sim_storage(sim), data, size, 3000, 0, size, &err);
                    met = sim_calls(sim, ops[o]) >= n;
                    assert_int_equal(rc, met ? UP_WRITE : 0);
                    for (unsigned i = 0; i < BLOCKS; i++) {
                        marked += sim_flash_is_bad(sim, PATH, i);
                        assert_true(i == bad || !sim_flash_is_bad(sim, PATH, i));
                    }
                    if (met && ops[o] == SIM_FLASH_MARK_BAD)
                        assert_int_equal(marked, 0);
                    assert_int_equal(sim_open_files(sim), 0);
                    sim_free(sim);
                }
            sim_free(start);
        }
    free(old);
    free(data);
}

static void an_old_image_is_read_within_its_size(void **state)
{
    struct sim *sim = make(nand);
    uint8_t *data = content(9000, 4), got[100];
    struct up_old_image *o = NULL;
    const struct up_old *old;
    struct up_error err;

    (void)state;
    assert_int_equal(write_some(sim_storage(sim), data, 9000, 4096, 0, 9000, &err), 0);
    assert_int_equal(up_old_image_open(&o, sim_storage(sim), PATH, 9000, &err), 0);
    old = up_old_image_old(o);
    assert_int_equal(old->size, 9000);
    assert_int_equal(old->read(old->context, got, 100, 8900, &err), 0);
    assert_memory_equal(got, data + 8900, 100);
    assert_int_equal(up_old_image_read(o, got, 0, 9000, &err), 0);
    assert_int_equal(old->read(old->context, got, 100, 8901, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "beyond its end"));
    assert_int_equal(up_old_image_read(o, got, 1, UINT64_MAX, &err), UP_INCOMPATIBLE);
    up_old_image_close(o);
    free(data);
    sim_free(sim);
}

/* So that the sync at the end does not wait for all of it. */
static void the_medium_begins_before_all_is_written(void **state)
{
    struct sim *sim = sim_new();
    struct up_slot *slot = NULL;
    struct up_error err;
    size_t piece = 2u << 20;
    uint8_t *data = content(piece, 1);

    (void)state;
    sim_put_dir(sim, "/slots", 0755);
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), "/slots/a", UP_SLOT_WRITE, 4 * piece, &err), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(up_slot_write(slot, data, piece, i * piece, &err), 0);
        assert_int_equal(sim_calls(sim, SIM_START_WRITEBACK), (i + 1) / 2); /* each 4 MiB */
    }
    up_slot_close(slot);
    free(data);
    sim_free(sim);
}

/* Whatever it is, a package without a delta would go. */
static void an_old_image_that_cannot_be_read_is_no_base(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_old_image *o = NULL;
    struct up_error err;
    uint8_t got[100];

    (void)state;
    sim_put(sim, "/slots/a", got, sizeof got, 0600);
    assert_int_equal(up_old_image_open(&o, s, "/slots/b", 100, &err), UP_INCOMPATIBLE);
    assert_memory_equal(err.message, "the old image: ", 15);
    assert_int_equal(up_old_image_open(&o, s, "/slots/a", 150, &err), 0);
    assert_int_equal(up_old_image_read(o, got, 100, 50, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "the slot ends at byte 100"));
    sim_fail(sim, SIM_PREAD, 1, EIO, true);
    assert_int_equal(up_old_image_read(o, got, 100, 0, &err), UP_INCOMPATIBLE);
    assert_memory_equal(err.message, "the old image: ", 15);
    up_old_image_close(o);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* What doctor tells of it, without a change to it. */
static void a_slot_is_looked_at_and_left_alone(void **state)
{
    struct up_slot_view v;
    struct up_error err;

    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        bool is_flash = media[m].flash != UP_FLASH_NONE, is_raw = is_flash && media[m].flash != UP_FLASH_UBI;
        unsigned bad = media[m].flash == UP_FLASH_NAND ? 2 : 0;

        if (bad) {
            sim_flash_make_bad(sim, PATH, 0);
            sim_flash_make_bad(sim, PATH, 4);
        }
        if (m == 0)
            sim_put_text(sim, PATH, "an image");
        sim_set_mounted(sim, PATH, m == 1);
        sim_reset_counters(sim);
        assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), 0);
        assert_int_equal(v.flash.kind, media[m].flash);
        assert_memory_equal(v.traits->title, media[m].name, strlen(v.traits->title));
        assert_true(v.traits->made == (media[m].node == UP_NODE_FILE) && v.traits->cached == !is_flash);
        assert_true(v.traits->erasable == is_raw &&
                    v.traits->bad_blocks == (media[m].flash == UP_FLASH_NAND));
        assert_true(v.traits->in_order == is_flash && v.traits->atomic == (is_flash && !is_raw));
        assert_true(v.there && v.writable && v.mounted == (m == 1));
        assert_int_equal(v.blocks, is_raw ? BLOCKS : 0);
        assert_int_equal(v.bad, bad);
        if (m > 0)
            assert_int_equal(v.capacity, (BLOCKS - bad) * ERASE);
        if (is_flash) {
            assert_int_equal(v.size, BLOCKS * ERASE);
            sim_flash_read_only(sim, PATH);
            assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), 0);
            assert_true(!v.writable && v.why[0]);
        }
        assert_int_equal(sim_ops(sim), 0);
        assert_int_equal(sim_open_files(sim), 0);
        sim_free(sim);
    }
}

static void what_cannot_be_looked_at_says_why(void **state)
{
    static const enum sim_op calls[] = {SIM_STAT, SIM_FLASH_INFO, SIM_FLASH_BAD, SIM_MOUNTED};
    struct sim *sim = make(nand);
    struct up_slot_view v;
    struct up_error err;

    (void)state;
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), "/slots/none", &err), 0);
    assert_true(!v.there && !v.mounted);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), "/none/at/all", &err), UP_MISSING);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), "/slots", &err), UP_USAGE);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        sim_reset_counters(sim);
        sim_fail(sim, calls[i], 1, EIO, false);
        assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), UP_WRITE);
    }
    sim_reset_counters(sim);
    /* The first look opens it to count; what cannot be opened for writing can still be seen. */
    sim_fail(sim, SIM_OPEN, 2, EACCES, false);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), 0);
    assert_true(!v.writable && strstr(v.why, "ermission"));
    sim_reset_counters(sim);
    sim_fail(sim, SIM_OPEN, 2, EACCES, true);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), UP_WRITE);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_FLASH_INFO, 2, EIO, false);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), PATH, &err), UP_WRITE);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

static void a_medium_is_known_by_all_its_names(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *storage = sim_storage(sim);
    char identity[UP_IDENTITY_SIZE];
    struct up_error err;

    (void)state;
    sim_put_block(sim, "/dev/disk", 65536);
    sim_put_block(sim, "/dev/part1", 4096);
    sim_put_block(sim, "/dev/part2", 4096);
    sim_put_dir(sim, "/state", 0700);
    sim_put_link(sim, "/by-label/a", "../dev/part1");
    sim_set_medium(sim, "/dev/part1", "/dev/disk", "PARTUUID=1");
    sim_set_medium(sim, "/dev/part2", "/dev/disk", NULL);
    sim_set_medium(sim, "/state", "/dev/part2", NULL);
    assert_int_equal(up_slot_identity(storage, "/by-label/a", identity, &err), 0);
    assert_string_equal(identity, "PARTUUID=1");
    assert_int_equal(up_slot_identity(storage, "/dev/part2", identity, &err), 0);
    assert_string_equal(identity, "");
    strcpy(identity, "another's");
    assert_int_equal(up_slot_identity(storage, "/dev/part3", identity, &err), UP_MISSING);
    assert_string_equal(identity, "");
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/by-label/a", &err), 1);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part2", &err), 0);
    assert_int_equal(up_slot_shared(storage, "/dev/disk", "/by-label/a", &err), 1);
    assert_int_equal(up_slot_shared(storage, "/by-label/a", "/dev/disk", &err), 1);
    assert_int_equal(up_slot_shared(storage, "/dev/part2", "/state", &err), 1);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/state", &err), 0);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part3", &err), UP_MISSING);
    /* Loop devices of one file, beside each other and over one another. */
    sim_set_range(sim, "/dev/part1", 0, 4096);
    sim_set_range(sim, "/dev/part2", 4096, 8192);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part2", &err), 0);
    sim_set_range(sim, "/dev/part2", 4095, 8191);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part2", &err), 1);
    sim_set_range(sim, "/dev/part1", 8191, UINT64_MAX);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part2", &err), 0);
    sim_set_range(sim, "/dev/part2", 0, UINT64_MAX);
    assert_int_equal(up_slot_shared(storage, "/dev/part2", "/dev/part1", &err), 1);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_MEDIUM, 2, EIO, false);
    assert_int_equal(up_slot_shared(storage, "/dev/part1", "/dev/part2", &err), UP_WRITE);
    sim_free(sim);
}

static void assert_check(struct sim *sim, const char *a, const char *b, const char *state, int code,
                         const char *why)
{
    const char *const slot[2] = {a, b};
    struct up_error err = {.message = ""};

    if (up_slot_check(sim_storage(sim), slot, state, &err) != code || !strstr(err.message, why))
        fail_msg("slots %s, %s, state %s: %s", a ? a : "-", b ? b : "-", state, err.message);
}

/* By whatever names: two slots, and a state beside them. */
static void slots_that_cannot_be_are_refused(void **state)
{
    struct sim *sim = sim_new();

    (void)state;
    sim_put_block(sim, "/dev/disk", 65536);
    sim_put_block(sim, "/dev/part1", 4096);
    sim_put_block(sim, "/dev/part2", 4096);
    sim_put_dir(sim, "/state/deep", 0700);
    sim_put_text(sim, "/state/deep/b.img", "b");
    sim_put_link(sim, "/by-label/a", "../dev/part1");
    sim_put_link(sim, "/by-label/state", "/state");
    sim_put_link(sim, "/by-label/inside", "/state/deep/b.img");
    sim_put_link(sim, "/by-label/gone", "/dev/gone");
    sim_set_medium(sim, "/dev/part1", "/dev/disk", NULL);
    sim_set_medium(sim, "/dev/part2", "/dev/disk", NULL);
    assert_check(sim, NULL, NULL, "/state", 0, "");
    assert_check(sim, "/dev/part1", "/dev/part2", "/state", 0, "");
    assert_check(sim, "/dev/part1", NULL, "/state", 0, "");
    assert_check(sim, "/dev/part1", "/images/b.img", "/state", 0, ""); /* not there yet */
    assert_check(sim, "/dev/part1", "/by-label/gone", "/state", 0, "");
    assert_check(sim, "/dev/part1", "/dev/part2", "/no/state/yet", 0, "");
    assert_check(sim, "/dev/part1", "/by-label/a", "/state", UP_USAGE, "are one medium");
    assert_check(sim, "/dev/disk", "/dev/part2", "/state", UP_USAGE, "are one medium");
    assert_check(sim, "/dev/part1", "/state/deep/b.img", "/state", UP_USAGE,
                 "slot b: /state/deep/b.img is inside");
    assert_check(sim, "/by-label/inside", "/dev/part1", "/by-label/state", UP_USAGE,
                 "slot a: /by-label/inside is inside");
    assert_check(sim, "/dev/part1", "/by-label/state/deep/b.img", "/state", UP_USAGE, "is inside");
    sim_set_medium(sim, "/state", "/dev/part2", NULL);
    assert_check(sim, "/dev/part1", "/dev/part2", "/state", UP_USAGE,
                 "slot b: the state, /state, is on /dev/part2");
    sim_reset_counters(sim);
    sim_fail(sim, SIM_MEDIUM, 1, EIO, false);
    assert_check(sim, "/dev/part1", "/by-label/a", "/state", UP_WRITE, "cannot tell");
    sim_reset_counters(sim);
    sim_fail(sim, SIM_STAT, 1, EIO, false);
    assert_check(sim, "/dev/part1", "/by-label/a", "/state", UP_WRITE, "slot /dev/part1");
    sim_free(sim);
}

static void opens(struct sim *sim, const char *path, enum up_slot_use use, int code, const char *why)
{
    struct up_error err = {.message = ""};
    struct up_slot *slot = NULL;

    if (up_slot_open(&slot, sim_storage(sim), path, use, 100, &err) != code || !strstr(err.message, why))
        fail_msg("%s: %s", path, err.message);
    up_slot_close(slot);
}

/* What is judged is what is opened, and nothing is made where a device belongs. */
static void links_are_followed_to_the_node(void **state)
{
    struct sim *sim = sim_new();
    struct up_slot_view v;
    struct up_error err;
    char target[UP_PATH_SIZE];
    uint64_t capacity;

    (void)state;
    sim_put_block(sim, "/dev/part1", 8192);
    sim_put_link(sim, "/dev/disk/by-label/a", "../../part1");
    sim_put_link(sim, "/dev/alias", "disk/by-label/a");
    sim_put_link(sim, "/dev/gone", "part9");
    sim_put_link(sim, "/dev/ring", "ring");
    sim_set_medium(sim, "/dev/part1", NULL, "PARTUUID=7");
    assert_int_equal(up_slot_capacity(sim_storage(sim), "/dev/alias", &capacity, &err), 0);
    assert_int_equal(capacity, 8192);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), "/dev/alias", &err), 0);
    assert_string_equal(v.node, "/dev/part1");
    assert_string_equal(v.identity, "PARTUUID=7");
    assert_true(v.there && strcmp(v.traits->name, "block") == 0 && v.capacity == 8192);
    /* After a link to a directory, ".." is what lies above that. */
    sim_put_link(sim, "/dev/label", "disk/by-label");
    sim_put_link(sim, "/dev/other", "label/../part1");
    sim_put_block(sim, "/dev/disk/part1", 4096);
    assert_int_equal(up_slot_inspect(&v, sim_storage(sim), "/dev/other", &err), 0);
    assert_string_equal(v.node, "/dev/label/../part1");
    assert_int_equal(v.capacity, 4096);
    opens(sim, "/dev/alias", UP_SLOT_READ, 0, "");
    opens(sim, "/dev/alias", UP_SLOT_WRITE, 0, "");
    sim_set_mounted(sim, "/dev/part1", UP_MOUNTED);
    opens(sim, "/dev/alias", UP_SLOT_WRITE, UP_BUSY, "slot /dev/alias: is mounted");
    opens(sim, "/dev/gone", UP_SLOT_READ, UP_MISSING, "leads to /dev/part9, which is not there");
    opens(sim, "/dev/gone", UP_SLOT_WRITE, UP_MISSING, "leads to /dev/part9");
    opens(sim, "/dev/part9", UP_SLOT_WRITE, UP_MISSING, "No such file");
    for (size_t i = 0; i < sizeof target; i++)
        target[i] = i % 100 == 99 ? '/' : 'n';
    target[UP_PATH_SIZE - 6] = '\0'; /* behind "/dev/", and its end */
    sim_put_link(sim, "/dev/long", target);
    opens(sim, "/dev/long", UP_SLOT_READ, UP_MISSING, "leads to /dev/nnn");
    target[UP_PATH_SIZE - 6] = 'n';
    target[UP_PATH_SIZE - 5] = '\0';
    sim_put_link(sim, "/dev/long", target);
    opens(sim, "/dev/long", UP_SLOT_READ, UP_USAGE, "the link /dev/long is too long");
    opens(sim, "/dev/ring", UP_SLOT_WRITE, UP_USAGE, "links one after another");
    assert_false(sim_exists(sim, "/dev/part9"));
    sim_reset_counters(sim);
    sim_fail(sim, SIM_READLINK, 1, EIO, false);
    opens(sim, "/dev/alias", UP_SLOT_READ, UP_WRITE, "link /dev/alias");
    sim_free(sim);
}

static void so_many_links_are_followed_and_no_more(void **state)
{
    enum { MOST = 16 };
    struct sim *sim = sim_new();
    char name[16], target[16] = "part1";

    (void)state;
    sim_put_block(sim, "/dev/part1", 8192);
    for (int i = 1; i <= MOST + 1; i++) {
        snprintf(name, sizeof name, "/dev/link%d", i);
        sim_put_link(sim, name, target);
        opens(sim, name, UP_SLOT_READ, i <= MOST ? 0 : UP_USAGE,
              i <= MOST ? "" : "slot /dev/link17: more than 16 links one after another");
        snprintf(target, sizeof target, "link%d", i);
    }
    sim_free(sim);
}

/* A volume that is in use, written out of order, or not to its end. */
static void a_volume_is_replaced_as_a_whole(void **state)
{
    struct sim *sim = make(&media[5]);
    struct up_slot *slot = NULL;
    uint8_t *data = content(9000, 4);
    struct up_error err;
    int other;

    (void)state;
    assert_int_equal(write_some(sim_storage(sim), data, 9000, 4096, 0, 9000, &err), 0);
    other = sim_storage(sim)->ops->open(sim_storage(sim), PATH, UP_READ, 0);
    assert_int_equal(write_some(sim_storage(sim), data, 9000, 4096, 0, 9000, &err), UP_BUSY);
    sim_storage(sim)->ops->close(sim_storage(sim), other);
    assert_true(reads_back(sim_storage(sim), data, 9000));
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 9000, &err), 0);
    assert_int_equal(up_slot_write(slot, data, 4096, 4096, &err), UP_WRITE);
    assert_true(reads_back(sim_storage(sim), data, 9000));
    assert_int_equal(up_slot_write(slot, data, 4096, 0, &err), 0);
    up_slot_close(slot);
    assert_false(reads_back(sim_storage(sim), data, 9000));
    assert_int_equal(write_some(sim_storage(sim), data, 9000, 4096, 0, 9000, &err), 0);
    assert_true(reads_back(sim_storage(sim), data, 9000));
    /* The same writer may begin again. */
    assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, 9000, &err), 0);
    assert_int_equal(up_slot_write(slot, data, 4096, 0, &err), 0);
    assert_int_equal(up_slot_write(slot, data, 9000, 0, &err), 0);
    assert_int_equal(up_slot_sync(slot, &err), 0);
    up_slot_close(slot);
    assert_true(reads_back(sim_storage(sim), data, 9000));
    free(data);
    sim_free(sim);
}

/* Cut at each operation and in each way; then all is written again. */
static void after_a_cut_anywhere_it_can_be_written_again(void **state)
{
    unsigned states = 0;

    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        const size_t size = 3 * ERASE + 700;
        uint8_t *data = content(size, 2);

        for (unsigned k = 1;; k++) {
            struct sim *sim = make(&media[m]);
            struct up_error err;
            bool cut;

            if (media[m].flash == UP_FLASH_NAND)
                sim_flash_wear(sim, PATH, 1, SIM_WEAR_PROGRAM);
            sim_reset_counters(sim);
            sim_cut_at(sim, k);
            write_some(sim_storage(sim), data, size, 3000, 0, size, &err);
            cut = sim_is_cut(sim);
            for (unsigned i = 0; i < sim_choices(sim); i++) {
                struct sim_choice choice = sim_choice(sim, i);
                struct sim *after = sim_reboot(sim, &choice);

                if (write_some(sim_storage(after), data, size, 3000, 0, size, &err) < 0)
                    fail_msg("%s, cut %u: %s", media[m].name, k, err.message);
                if (!reads_back(sim_storage(after), data, size))
                    fail_msg("%s, cut %u: reads back differently", media[m].name, k);
                states++;
                sim_free(after);
            }
            sim_free(sim);
            if (!cut)
                break;
        }
        free(data);
    }
    print_message("slot: %u media after cuts, 0 bad\n", states);
}

#define STEP 500u /* what a check of content looks at in one piece */

/* Up to where the content reads right, in whole steps. */
static size_t front(struct up_slot *slot, const uint8_t *data, size_t from, size_t size)
{
    uint8_t got[STEP];
    struct up_error err;

    for (size_t at = from; at < size; at += STEP) {
        size_t n = size - at < STEP ? size - at : STEP;

        if (up_slot_read(slot, got, n, at, &err) != (long long)n || memcmp(got, data + at, n) != 0)
            return at;
    }
    return size;
}

/* What a transfer does after a cut: keep what reads right, make sure of its
 * end, write the rest. Returns how much was written. */
static size_t resume(struct sim *sim, const uint8_t *data, size_t size)
{
    struct up_slot *slot = NULL;
    struct up_error err;
    uint64_t from, keep;
    size_t end;

    assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, size, &err), 0);
    keep = end = front(slot, data, 0, size);
    if (up_slot_refresh(slot, &keep, &from, &err) < 0)
        fail_msg("%s", err.message);
    if (from < end)
        end = front(slot, data, from / STEP * STEP, keep);
    if (end < size && up_slot_write(slot, data + end, size - end, end, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(up_slot_sync(slot, &err), 0);
    up_slot_close(slot);
    return size - end;
}

/*
 * The slot held the same image before, which is the worst that can lie there:
 * it reads right where nothing was written yet, also in the block that becomes
 * the last one when another goes bad. Cut at each operation, resumed, and at
 * each operation of that: in the end no page is left that a cut tore (the
 * simulator gives those wrong).
 */
static unsigned resume_after_any_cut(const struct medium *m, unsigned worn, const uint8_t *data, size_t size)
{
    const size_t last_block = (BLOCKS - 2) * ERASE;
    uint8_t *old = malloc(BLOCKS * ERASE);
    unsigned states = 0;

    memset(old, 0xff, BLOCKS * ERASE);
    memcpy(old, data, size);
    memcpy(old + last_block + ERASE, data + last_block, size - last_block);
    for (unsigned k = 1;; k++) {
        struct sim *sim = make(m);
        struct up_error err;
        bool cut;

        sim_flash_fill(sim, PATH, old, BLOCKS * ERASE);
        if (m->flash == UP_FLASH_NAND)
            sim_flash_wear(sim, PATH, worn, SIM_WEAR_PROGRAM);
        sim_reset_counters(sim);
        sim_cut_at(sim, k);
        write_some(sim_storage(sim), data, size, 3000, 0, size, &err);
        cut = sim_is_cut(sim);
        for (unsigned i = 0; i < sim_choices(sim); i++) {
            struct sim_choice choice = sim_choice(sim, i);

            for (unsigned again = 0; again < 12; again++) {
                struct sim *after = sim_reboot(sim, &choice), *last;
                struct sim_choice second;
                char *got;

                sim_cut_at(after, again);
                if (again == 0) {
                    resume(after, data, size);
                } else {
                    struct up_slot *slot = NULL;
                    uint64_t from, keep;

                    if (up_slot_open(&slot, sim_storage(after), PATH, UP_SLOT_WRITE, size, &err) == 0) {
                        keep = front(slot, data, 0, size);
                        if (up_slot_refresh(slot, &keep, &from, &err) == 0)
                            (void)!up_slot_sync(slot, &err);
                    }
                    up_slot_close(slot);
                }
                second = sim_choice(after, (k + i) % sim_choices(after));
                last = sim_reboot(after, &second);
                resume(last, data, size);
                got = sim_get(last, PATH, NULL);
                if (memcmp(got, data, size) != 0)
                    fail_msg("%s, cut %u (%u), then %u: a torn page is left", m->name, k, i, again);
                states++;
                free(got);
                sim_free(last);
                sim_free(after);
            }
        }
        sim_free(sim);
        if (!cut)
            break;
    }
    free(old);
    return states;
}

/* Of what is all there, the last block that is not blank is written again: it may
 * be the torn one. */
static void a_whole_slot_is_resumed_by_its_last_block(void **state)
{
    const size_t size = 4 * ERASE + 700;

    (void)state;
    for (size_t m = 2; m < 5; m++)
        for (size_t blank = 5; blank >= 3; blank--) {
            struct sim *sim = make(&media[m]);
            uint8_t *data = content(size, 2);
            struct up_slot *slot = NULL;
            uint64_t from, keep = size;
            struct up_error err;

            if (blank < 5)
                memset(data + blank * ERASE, 0xff, size - blank * ERASE);
            sim_flash_fill(sim, PATH, data, size);
            assert_int_equal(up_slot_open(&slot, sim_storage(sim), PATH, UP_SLOT_WRITE, size, &err), 0);
            assert_int_equal(up_slot_refresh(slot, &keep, &from, &err), 0);
            assert_int_equal(keep, blank < 5 ? blank * ERASE : size);
            assert_int_equal(from, (blank - 1) * ERASE);
            assert_int_equal(front(slot, data, 0, size), size);
            up_slot_close(slot);
            sim_free(sim);
            free(data);
        }
}

static void a_resumed_slot_has_no_torn_page_left(void **state)
{
    const size_t size = 4 * ERASE + 700;
    uint8_t *data = content(size, 2);
    unsigned states = 0;

    (void)state;
    memset(data + ERASE, 0xff, 2 * ERASE); /* blank blocks read right when nothing was written, too */
    for (size_t m = 2; m < 5; m++)
        for (unsigned worn = 0; worn <= 3; worn += 3)
            states += resume_after_any_cut(&media[m], worn, data, size);
    free(data);
    print_message("slot: %u resumed slots, no torn page left\n", states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_in_steps_reads_back),
        cmocka_unit_test(zeros_are_written_as_content),
        cmocka_unit_test(a_write_that_fails_is_said),
        cmocka_unit_test(what_lies_before_the_first_byte_stays),
        cmocka_unit_test(capacity_is_counted_to_the_byte),
        cmocka_unit_test(a_bad_block_at_each_place_is_passed_over),
        cmocka_unit_test(two_bad_blocks_side_by_side_are_passed_over),
        cmocka_unit_test(a_flash_that_refuses_everything_loses_no_blocks),
        cmocka_unit_test(what_is_erased_is_blank_whichever_block_is_bad),
        cmocka_unit_test(too_many_bad_blocks_are_no_space),
        cmocka_unit_test(a_file_that_another_made_is_there_for_good),
        cmocka_unit_test(what_cannot_be_a_slot_is_refused),
        cmocka_unit_test(a_block_device_is_opened_for_us_alone),
        cmocka_unit_test(flash_of_odd_shape_is_refused),
        cmocka_unit_test(flash_of_large_blocks_is_taken),
        cmocka_unit_test(a_slot_that_cannot_be_opened_says_why),
        cmocka_unit_test(a_longer_file_is_cut_or_the_sync_fails),
        cmocka_unit_test(flash_is_written_with_gaps),
        cmocka_unit_test(a_block_goes_bad_under_an_older_image),
        cmocka_unit_test(an_old_image_is_read_within_its_size),
        cmocka_unit_test(the_medium_begins_before_all_is_written),
        cmocka_unit_test(an_old_image_that_cannot_be_read_is_no_base),
        cmocka_unit_test(a_slot_is_looked_at_and_left_alone),
        cmocka_unit_test(what_cannot_be_looked_at_says_why),
        cmocka_unit_test(a_medium_is_known_by_all_its_names),
        cmocka_unit_test(slots_that_cannot_be_are_refused),
        cmocka_unit_test(links_are_followed_to_the_node),
        cmocka_unit_test(so_many_links_are_followed_and_no_more),
        cmocka_unit_test(a_volume_is_replaced_as_a_whole),
        cmocka_unit_test(after_a_cut_anywhere_it_can_be_written_again),
        cmocka_unit_test(a_whole_slot_is_resumed_by_its_last_block),
        cmocka_unit_test(a_resumed_slot_has_no_torn_page_left),
        cmocka_unit_test(a_sync_that_fails_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
