/*
 * flash_image_check.c -- an image on a medium that is none of the device's own:
 * by the rules of each medium, wherever the power goes, and never on a slot.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "flash.h"
#include "sim.h"
#include "sim_flash.h"

#define PATH "/chip/radio"
#define ERASE 4096u
#define BLOCKS 6u
#define ALL (BLOCKS * ERASE)

struct medium {
    const char *name;
    enum up_node_kind node;
    enum up_flash_kind flash;
    uint32_t page;
    uint64_t offset; /* where an image can begin besides 0 */
};

static const struct medium media[] = {
    {"file", UP_NODE_FILE, UP_FLASH_NONE, 0, 1000}, {"block", UP_NODE_BLOCK, UP_FLASH_NONE, 0, 1000},
    {"nor", UP_NODE_CHAR, UP_FLASH_NOR, 1, ERASE},  {"nand", UP_NODE_CHAR, UP_FLASH_NAND, 512, 0},
    {"nand", UP_NODE_CHAR, UP_FLASH_NAND, 2048, 0}, {"ubi", UP_NODE_CHAR, UP_FLASH_UBI, 1, 0},
};
#define MEDIA (sizeof media / sizeof media[0])

static uint8_t *content(size_t size, unsigned seed)
{
    uint8_t *data = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 * 13 + seed);
    if (size > 3000)
        memset(data + 2500, 0xff, 400);
    return data;
}

/* With an older image all over it. */
static struct sim *make(const struct medium *m)
{
    struct sim *sim = sim_new();
    uint8_t *old = content(ALL, 99);

    sim_put_dir(sim, "/chip", 0755);
    if (m->node == UP_NODE_BLOCK)
        sim_put_block(sim, PATH, ALL);
    else if (m->node == UP_NODE_CHAR)
        sim_put_flash(sim, PATH, m->flash, BLOCKS, ERASE, m->page);
    if (m->node == UP_NODE_FILE) {
        sim_put(sim, PATH, old, ALL, 0600);
    } else {
        const struct up_flash_place place = {.path = PATH, .size = ALL};
        struct up_flash_image *f = NULL;
        struct up_error err;

        assert_int_equal(up_flash_open(&f, sim_storage(sim), &place, &err), 0);
        assert_int_equal(up_flash_write(f, old, ALL, 0, &err), 0);
        assert_int_equal(up_flash_sync(f, &err), 0);
        up_flash_close(f);
        sim_settle(sim);
    }
    free(old);
    return sim;
}

/* What a script does: perhaps erase, then write in pieces and sync. 0: all of it succeeded. */
static int write_image(struct up_storage *storage, uint64_t offset, const uint8_t *data, size_t size,
                       bool erase, struct up_error *err)
{
    const struct up_flash_place place = {.path = PATH, .offset = offset, .size = size};
    struct up_flash_image *f = NULL;
    int rc = up_flash_open(&f, storage, &place, err);

    if (rc == 0 && erase)
        do
            rc = up_flash_erase(f, err);
        while (rc > 0);
    for (size_t at = 0, n; rc == 0 && at < size; at += n) {
        n = size - at < 3000 ? size - at : 3000;
        rc = up_flash_write(f, data + at, n, at, err);
    }
    if (rc == 0)
        rc = up_flash_sync(f, err);
    up_flash_close(f);
    return rc;
}

static bool holds(struct up_storage *storage, uint64_t offset, const uint8_t *data, size_t size)
{
    const struct up_flash_place place = {.path = PATH, .offset = offset, .size = size};
    uint8_t *got = calloc(1, size + 1), sum[UP_DIGEST_MAX], wanted[UP_SHA256_SIZE];
    struct up_flash_image *f = NULL;
    struct up_error err = {.message = ""};
    size_t len = 0;
    bool same;
    int rc;

    assert_int_equal(up_flash_open_read(&f, storage, &place, &err), 0);
    same = up_flash_read(f, got, size, 0, &err) == (long long)size && memcmp(got, data, size) == 0;
    do
        rc = up_flash_digest(f, UP_SHA256, sum, &len, &err);
    while (rc > 0);
    up_sha256(data, size, wanted);
    if (same && (rc < 0 || len != sizeof wanted || memcmp(sum, wanted, len) != 0))
        fail_msg("read and digest differ: %s", err.message);
    up_flash_close(f);
    free(got);
    return same;
}

static void what_is_written_reads_back(void **state)
{
    static const size_t sizes[] = {1, 511, 4096, 4097, 9000, ALL - ERASE};

    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (size_t i = 0; i < 4 * sizeof sizes / sizeof sizes[0]; i++) {
            size_t size = sizes[i / 4];
            uint64_t offset = i % 2 ? media[m].offset : 0;
            struct sim *sim = make(&media[m]);
            uint8_t *data = content(size, 1);
            struct up_error err;

            if (write_image(sim_storage(sim), offset, data, size, i % 4 > 1, &err) != 0)
                fail_msg("%s: %s", media[m].name, err.message);
            if (!holds(sim_storage(sim), offset, data, size))
                fail_msg("%s: %zu bytes differ", media[m].name, size);
            assert_int_equal(sim_open_files(sim), 0);
            free(data);
            sim_free(sim);
        }
}

/* Raw flash all ones, a volume empty, what has no erase blocks zeros. */
static void what_is_erased_is_blank(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        const struct up_flash_place place = {.path = PATH, .size = 3 * ERASE};
        uint8_t wanted[3 * ERASE];
        struct sim *sim = make(&media[m]);
        struct up_flash_image *f = NULL;
        struct up_error err;
        unsigned calls = 0;
        char byte;
        int rc;

        memset(wanted, media[m].flash == UP_FLASH_NONE ? 0 : 0xff, sizeof wanted);
        assert_int_equal(up_flash_open(&f, sim_storage(sim), &place, &err), 0);
        for (rc = 1; rc > 0; calls++)
            rc = up_flash_erase(f, &err);
        assert_int_equal(rc, 0);
        assert_int_equal(calls, up_flash_view(f)->traits->erasable ? 4 : 1); /* one block a call */
        assert_int_equal(up_flash_read(f, &byte, 1, 0, &err), UP_USAGE);     /* it is not there yet */
        assert_int_equal(up_flash_sync(f, &err), 0);
        up_flash_close(f);
        assert_true(holds(sim_storage(sim), 0, wanted, sizeof wanted));
        sim_free(sim);
    }
}

static void expect(int rc, int code, const char *why, const struct up_error *err)
{
    if (rc != code || !strstr(err->message, why) || strncmp(err->message, "flash /", 7) != 0)
        fail_msg("%d instead of %d (%s): %s", rc, code, why, err->message);
}

static void the_order_of_calls_is_kept(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        const struct up_flash_place place = {.path = PATH, .size = 2 * ERASE};
        bool in_order = media[m].flash != UP_FLASH_NONE;
        struct sim *sim = make(&media[m]);
        struct up_storage *s = sim_storage(sim);
        uint8_t *data = content(2 * ERASE, 1), sum[UP_DIGEST_MAX];
        struct up_flash_image *f = NULL;
        struct up_error err;
        size_t len;

        assert_int_equal(up_flash_open(&f, s, &place, &err), 0);
        if (in_order)
            expect(up_flash_write(f, data, 10, 10, &err), UP_USAGE, "byte 0 is next, not 10", &err);
        assert_int_equal(up_flash_write(f, data, 0, 0, &err), 0);
        assert_int_equal(up_flash_write(f, data, 100, 0, &err), 0);
        expect(up_flash_erase(f, &err), UP_USAGE, "erased after", &err);
        expect((int)up_flash_read(f, data, 10, 0, &err), UP_USAGE, "sync what was written before reading",
               &err);
        expect(up_flash_digest(f, UP_SHA256, sum, &len, &err), UP_USAGE,
               "sync what was written before reading", &err);
        if (in_order)
            expect(up_flash_write(f, data, 10, 0, &err), UP_USAGE, "byte 100 is next, not 0", &err);
        expect(up_flash_write(f, data, 2 * ERASE, 100, &err), UP_USAGE, "8192 bytes at byte 100 of", &err);
        expect(up_flash_write(f, data, 1, UINT64_MAX, &err), UP_USAGE, "1 bytes at byte", &err);
        if (media[m].flash == UP_FLASH_UBI)
            expect(up_flash_sync(f, &err), UP_USAGE, "100 of 8192 bytes came", &err);
        assert_int_equal(up_flash_write(f, data + 100, 2 * ERASE - 100, 100, &err), 0);
        assert_int_equal(up_flash_sync(f, &err), 0);
        up_flash_close(f);
        assert_true(holds(s, 0, data, 2 * ERASE));
        assert_int_equal(up_flash_open_read(&f, s, &place, &err), 0);
        expect(up_flash_write(f, data, 10, 0, &err), UP_USAGE, "open to read only", &err);
        expect(up_flash_erase(f, &err), UP_USAGE, "open to read only", &err);
        expect(up_flash_sync(f, &err), UP_USAGE, "open to read only", &err);
        assert_int_equal(up_flash_read(f, data, 100, 2 * ERASE - 10, &err), 10);
        assert_int_equal(up_flash_read(f, data, 100, 2 * ERASE, &err), 0);
        up_flash_close(f);
        free(data);
        sim_free(sim);
    }
}

static void opens(struct sim *sim, const struct up_flash_place *place, int code, const char *why)
{
    struct up_flash_image *f = NULL;
    struct up_error err = {.message = ""};
    int rc = up_flash_open(&f, sim_storage(sim), place, &err);

    if (rc != code || !strstr(err.message, why))
        fail_msg("%s: %d instead of %d (%s): %s", place->path, rc, code, why, err.message);
    up_flash_close(f);
    if (code != 0)
        assert_int_equal(sim_ops(sim), 0); /* nothing was made or changed */
    assert_int_equal(sim_open_files(sim), 0);
}

/* /dev/part1 and /dev/part2 are the slots, the state is on /dev/part3, the root on /dev/part4; all of them on
 * /dev/disk. */
static struct sim *make_device(void)
{
    static const char *const parts[] = {"/dev/part1", "/dev/part2", "/dev/part3", "/dev/part4", "/dev/part5"};
    struct sim *sim = sim_new();

    sim_put_block(sim, "/dev/disk", 65536);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sim_put_block(sim, parts[i], 8192);
        sim_set_medium(sim, parts[i], "/dev/disk", NULL);
    }
    sim_put_text(sim, "/state/deep/file", "state");
    sim_put_text(sim, "/images/b.img", "slot");
    sim_put_text(sim, "/images/other.img", "none");
    sim_put_block(sim, "/dev/loop0", 8192);
    sim_put_block(sim, "/dev/other", 8192);
    sim_put_link(sim, "/dev/by-label/a", "../part1");
    sim_put_link(sim, "/dev/by-label/radio", "../other");
    sim_put_link(sim, "/state-link", "/state");
    sim_set_medium(sim, "/dev/loop0", "/images/b.img", NULL);
    sim_set_medium(sim, "/state", "/dev/part3", NULL);
    sim_set_medium(sim, "/", "/dev/part4", NULL);
    sim_reset_counters(sim);
    return sim;
}

static void what_the_device_lives_on_is_refused(void **state)
{
    static const char *const own[] = {
        "/dev/by-label/a", "/dev/part2", "/images/b.img", "/images/later.img", "/state", "/dev/gone", NULL};
    static const struct {
        const char *path;
        int code;
        const char *why;
    } cases[] = {
        {"/dev/part1", UP_USAGE,
         "flash /dev/part1: is on the same medium as /dev/by-label/a, which this device"},
        {"/dev/by-label/a", UP_USAGE, "flash /dev/by-label/a: is on the same medium as /dev/by-label/a"},
        {"/dev/part2", UP_USAGE, "is on the same medium as /dev/part2"},
        {"/dev/part3", UP_USAGE, "is on the same medium as /state"},
        {"/dev/part4", UP_BUSY, "flash /dev/part4: the running system has its root on it"},
        {"/dev/disk", UP_USAGE, "is on the same medium as /dev/by-label/a"},
        {"/dev/loop0", UP_USAGE, "is on the same medium as /images/b.img"},
        {"/images/b.img", UP_USAGE, "is on the same medium as /images/b.img"},
        {"/images/later.img", UP_USAGE, "is part of /images/later.img"},
        {"/state/deep/file", UP_USAGE, "flash /state/deep/file: is part of /state, which this device"},
        {"/state-link/deep/new", UP_USAGE, "is part of /state"},
        {"/images/../state/new", UP_USAGE, "is part of /state"},
        {"/state", UP_USAGE, "is on the same medium as /state"},
        {"/dev/gone", UP_USAGE, "is part of /dev/gone"},
        {"/dev/missing", UP_MISSING, "flash /dev/missing: No such file"},
        {"/nowhere/new", UP_MISSING, "flash /nowhere/new: No such file"},
        {"radio.img", UP_USAGE, "not an absolute path"},
        {"images/radio.img", UP_USAGE, "not an absolute path"},
        {"/dev/part5", 0, ""},
        {"/dev/by-label/radio", 0, ""},
        {"/images/other.img", 0, ""},
        {"/images/new.img", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct up_flash_place place = {.path = cases[i].path, .size = 100, .own = own};
        struct sim *sim = make_device();

        opens(sim, &place, cases[i].code, cases[i].why);
        sim_free(sim);
    }
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
    char path[UP_PATH_SIZE + 1] = "/images";
    const struct up_flash_place place = {.path = path, .size = 100};

    (void)state;
    memset(path + 7, '/', sizeof path - 8);
    for (size_t len = UP_PATH_SIZE; len >= UP_PATH_SIZE - 1; len--) {
        struct sim *sim = make_device();

        memcpy(path + len - 3, "new", 3);
        path[len] = '\0';
        opens(sim, &place, len < UP_PATH_SIZE ? 0 : UP_USAGE,
              len < UP_PATH_SIZE ? "" : "not an absolute path");
        sim_free(sim);
        memset(path + 7, '/', sizeof path - 8);
    }
}

static void what_is_in_use_is_refused(void **state)
{
    const struct up_flash_place place = {.path = "/dev/other", .size = 100};

    (void)state;
    for (int how = UP_MOUNTED; how <= UP_MOUNTED_WRITABLE; how++) {
        struct sim *sim = make_device();

        sim_set_mounted(sim, "/dev/other", (enum up_mounted)how);
        opens(sim, &place, UP_BUSY, "flash /dev/other: is mounted, or what lies on it is");
        sim_free(sim);
    }
    for (enum sim_op op = SIM_OPEN; op <= SIM_MEDIUM; op++) {
        struct sim *sim = make_device();

        if (op == SIM_OPEN || op == SIM_STAT || op == SIM_MOUNTED || op == SIM_MEDIUM) {
            sim_fail(sim, op, 1, op == SIM_OPEN ? EBUSY : EIO, true);
            opens(sim, &place, op == SIM_OPEN ? UP_BUSY : UP_WRITE, "/dev/other: ");
        }
        sim_free(sim);
    }
}

static void a_place_that_cannot_be_is_refused(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        const struct up_flash_place whole = {.path = PATH, .size = ALL};
        struct up_flash_place place = {.path = PATH, .size = ALL + 1};
        bool is_file = media[m].node == UP_NODE_FILE;

        if (is_file)
            sim_set_free(sim, 0);
        sim_reset_counters(sim);
        opens(sim, &place, UP_NOSPACE, "it has room for");
        place.size = 0;
        opens(sim, &place, UP_USAGE, "an image of 0 bytes");
        place = (struct up_flash_place){.path = PATH, .size = 10, .offset = UINT64_MAX - 4095};
        opens(sim, &place, media[m].flash > UP_FLASH_NOR ? UP_USAGE : UP_NOSPACE,
              media[m].flash > UP_FLASH_NOR ? "begins at byte 0" : "it has room for");
        place.offset = 100;
        if (media[m].flash != UP_FLASH_NONE)
            opens(sim, &place, UP_USAGE,
                  media[m].offset ? "not the start of an erase block" : "begins at byte 0");
        if (media[m].flash == UP_FLASH_NOR || media[m].flash == UP_FLASH_NAND) {
            sim_flash_read_only(sim, PATH);
            opens(sim, &whole, UP_WRITE, "the flash is read-only");
        } else {
            opens(sim, &whole, 0, "");
        }
        sim_free(sim);
    }
}

/* What was there before the image, and on a block device and NOR behind it. */
static void check_around(const struct medium *m, struct sim *sim, uint64_t offset, size_t size, unsigned cut)
{
    uint8_t *old = content(ALL, 99);
    uint64_t end = offset + size;
    size_t len;
    char *got = sim_get(sim, PATH, &len);

    if (m->flash == UP_FLASH_NOR)
        end = (end + ERASE - 1) / ERASE * ERASE;
    if (offset > 0 && (len < offset || memcmp(got, old, (size_t)offset) != 0))
        fail_msg("%s, cut %u: what lies before the image was changed", m->name, cut);
    if ((m->node == UP_NODE_BLOCK || m->flash == UP_FLASH_NOR) &&
        memcmp(got + end, old + end, (size_t)(ALL - end)) != 0)
        fail_msg("%s, cut %u: what lies behind the image was changed", m->name, cut);
    free(got);
    free(old);
}

/* How many of the media that a cut leaves, if all that was to be done was done, lack some of it. */
static unsigned cut_everywhere(const struct medium *m, uint64_t offset, bool erase, const char *no_sync,
                               unsigned *states)
{
    const size_t size = 3 * ERASE - 700;
    uint8_t *data = content(size, 2);
    struct sim *start = make(m);
    unsigned lost = 0;
    bool more = true;

    sim_ignore_sync_of(start, no_sync);
    for (unsigned k = 1; more; k++) {
        struct sim *sim = sim_clone(start);
        struct up_error err;
        int rc;

        sim_cut_at(sim, k);
        rc = write_image(sim_storage(sim), offset, data, size, erase, &err);
        more = sim_is_cut(sim);
        assert_true(more || rc == 0);
        for (unsigned i = 0; i < sim_choices(sim); i++, (*states)++) {
            struct sim_choice choice = sim_choice(sim, i);
            struct sim *after = sim_reboot(sim, &choice);

            /* A unit that the medium programs together may be lost whole. */
            if (!no_sync && (m->flash == UP_FLASH_NOR || choice.harm == SIM_HARMLESS))
                check_around(m, after, offset, size, k);
            if (rc == 0 && !holds(sim_storage(after), offset, data, size))
                lost++;
            sim_ignore_sync_of(after, NULL);
            if (write_image(sim_storage(after), offset, data, size, !erase, &err) != 0 ||
                !holds(sim_storage(after), offset, data, size))
                fail_msg("%s, cut %u: cannot be written again: %s", m->name, k, err.message);
            sim_free(after);
        }
        sim_free(sim);
    }
    sim_free(start);
    free(data);
    return lost;
}

/* Nothing is promised before the sync, all is after it; and it can always be written again. */
static void after_a_cut_anywhere_it_is_written_again(void **state)
{
    unsigned states = 0;

    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (int i = 0; i < 4; i++) {
            if (cut_everywhere(&media[m], i % 2 ? media[m].offset : 0, i > 1, NULL, &states) > 0)
                fail_msg("%s: a synced image was lost", media[m].name);
            /* What has a cache needs the sync. */
            if (media[m].flash == UP_FLASH_NONE && cut_everywhere(&media[m], 0, i > 1, "*", &states) == 0)
                fail_msg("%s: an image that was not synced was never lost", media[m].name);
        }
    print_message("flash: %u media after a power cut, each written again\n", states);
}

/* The n-th call of each kind fails: it is said, or nothing depended on it. */
static void a_call_that_fails_is_said(void **state)
{
    const size_t size = 2 * ERASE + 100;
    unsigned hits = 0;

    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (enum sim_op op = SIM_OPEN; op < SIM_OPS; op++)
            for (unsigned n = 1, hit = 1; hit; n++) {
                struct sim *sim = make(&media[m]);
                uint8_t *data = content(size, 2);
                struct up_error err = {.message = ""};
                int rc;

                sim_reset_counters(sim);
                sim_fail(sim, op, n, EIO, false);
                rc = write_image(sim_storage(sim), 0, data, size, n % 2, &err);
                hit = sim_fault_hits(sim);
                hits += hit;
                sim_fail(sim, op, 0, 0, false);
                if (rc == 0 && !holds(sim_storage(sim), 0, data, size))
                    fail_msg("%s: %s %u failed, and nothing was said", media[m].name, sim_op_name(op), n);
                if (rc < 0 && (rc != err.code || !strstr(err.message, "/")))
                    fail_msg("%s: %s %u: %s", media[m].name, sim_op_name(op), n, err.message);
                assert_int_equal(sim_open_files(sim), 0);
                free(data);
                sim_free(sim);
            }
    print_message("flash: %u calls failed, each was said or did not matter\n", hits);
}

/* NAND goes bad under the image: it is passed over, and what failed is tried once. */
static void blocks_that_are_or_go_bad_are_passed_over(void **state)
{
    const size_t size = 3 * ERASE;

    (void)state;
    for (unsigned block = 0; block < BLOCKS; block++) {
        struct sim *sim = make(&media[3]);
        uint8_t *data = content(size, 2);
        struct up_flash_image *f = NULL;
        const struct up_flash_place place = {.path = PATH, .size = size};
        struct up_error err;

        sim_flash_wear(sim, PATH, block, block % 2 ? SIM_WEAR_ERASE : SIM_WEAR_PROGRAM);
        assert_int_equal(write_image(sim_storage(sim), 0, data, size, false, &err), 0);
        assert_true(holds(sim_storage(sim), 0, data, size));
        assert_int_equal(up_flash_open(&f, sim_storage(sim), &place, &err), 0);
        assert_int_equal(up_flash_view(f)->bad, block < 3);
        up_flash_close(f);
        free(data);
        sim_free(sim);
    }
}

/* After a write that failed, only opening it anew makes sense. */
static void after_a_failed_write_it_is_opened_anew(void **state)
{
    (void)state;
    for (size_t m = 0; m < MEDIA; m++) {
        struct sim *sim = make(&media[m]);
        const struct up_flash_place place = {.path = PATH, .size = ERASE};
        struct up_flash_image *f = NULL;
        uint8_t *data = content(ERASE, 2);
        struct up_error err;

        assert_int_equal(up_flash_open(&f, sim_storage(sim), &place, &err), 0);
        sim_reset_counters(sim);
        sim_fail(sim, SIM_CHANGES, 1, ENOSPC, false);
        expect(up_flash_write(f, data, ERASE, 0, &err), UP_NOSPACE, PATH ": ", &err);
        expect(up_flash_write(f, data, ERASE, 0, &err), UP_USAGE, "failed before; open it anew", &err);
        expect(up_flash_sync(f, &err), UP_USAGE, "failed before", &err);
        up_flash_close(f);
        free(data);
        sim_free(sim);
    }
}

/* Nor is a second sync a proof after one that failed, or one whose bytes were never seen past the cache. */
static void after_a_failed_sync_it_is_opened_anew(void **state)
{
    static const enum sim_op fails[] = {SIM_SYNC, SIM_DROP_CACHE};
    unsigned failed[2] = {0};

    (void)state;
    for (size_t m = 0; m < MEDIA; m++)
        for (size_t i = 0; i < sizeof fails / sizeof *fails; i++) {
            struct sim *sim = make(&media[m]);
            const struct up_flash_place place = {.path = PATH, .size = ERASE};
            struct up_flash_image *f = NULL;
            uint8_t *data = content(ERASE, 2);
            struct up_error err;

            assert_int_equal(up_flash_open(&f, sim_storage(sim), &place, &err), 0);
            assert_int_equal(up_flash_write(f, data, ERASE, 0, &err), 0);
            sim_reset_counters(sim);
            sim_fail(sim, fails[i], 1, EIO, false);
            if (up_flash_sync(f, &err) < 0) {
                assert_int_equal(err.code, UP_WRITE);
                expect(up_flash_sync(f, &err), UP_USAGE, "failed before; open it anew", &err);
                expect(up_flash_write(f, data, ERASE, 0, &err), UP_USAGE, "failed before", &err);
                failed[i]++;
            }
            up_flash_close(f);
            free(data);
            sim_free(sim);
        }
    assert_true(failed[0] > 0 && failed[1] > 0);
}

/* It is what the medium holds, or it is not opened. */
static void reading_passes_the_cache(void **state)
{
    const struct up_flash_place place = {.path = PATH};

    (void)state;
    for (unsigned n = 1; n <= 2; n++) { /* to find out how, and then for good */
        struct sim *sim = make(&media[1]);
        struct up_flash_image *f = NULL;
        struct up_error err;

        sim_reset_counters(sim);
        sim_fail(sim, SIM_DROP_CACHE, n, EIO, false);
        expect(up_flash_open_read(&f, sim_storage(sim), &place, &err), UP_WRITE, "drop cache", &err);
        assert_int_equal(sim_open_files(sim), 0);
        sim_free(sim);
    }
}

static void a_digest_takes_a_mib_a_call(void **state)
{
    const size_t size = (2u << 20) + 5;
    const struct up_flash_place place = {.path = PATH};
    struct sim *sim = sim_new();
    struct up_flash_image *f = NULL;
    uint8_t *data = content(size, 2), sum[UP_DIGEST_MAX], wanted[UP_SHA256_SIZE];
    struct up_error err;
    size_t len;

    (void)state;
    sim_put(sim, PATH, data, size, 0600);
    up_sha256(data, size, wanted);
    assert_int_equal(up_flash_open_read(&f, sim_storage(sim), &place, &err), 0);
    assert_int_equal(up_flash_size(f), size);
    assert_int_equal(up_flash_digest(f, UP_MD5, sum, &len, &err), 1); /* another kind starts anew */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(up_flash_digest(f, UP_SHA256, sum, &len, &err), 1);
        assert_int_equal(up_flash_digest(f, UP_SHA256, sum, &len, &err), 1);
        assert_int_equal(up_flash_digest(f, UP_SHA256, sum, &len, &err), 0);
        assert_int_equal(len, sizeof wanted);
        assert_memory_equal(sum, wanted, len);
    }
    up_flash_close(f);
    free(data);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_is_erased_is_blank),
        cmocka_unit_test(the_order_of_calls_is_kept),
        cmocka_unit_test(what_the_device_lives_on_is_refused),
        cmocka_unit_test(a_path_that_does_not_fit_is_refused),
        cmocka_unit_test(what_is_in_use_is_refused),
        cmocka_unit_test(a_place_that_cannot_be_is_refused),
        cmocka_unit_test(after_a_cut_anywhere_it_is_written_again),
        cmocka_unit_test(a_call_that_fails_is_said),
        cmocka_unit_test(blocks_that_are_or_go_bad_are_passed_over),
        cmocka_unit_test(after_a_failed_write_it_is_opened_anew),
        cmocka_unit_test(after_a_failed_sync_it_is_opened_anew),
        cmocka_unit_test(reading_passes_the_cache),
        cmocka_unit_test(a_digest_takes_a_mib_a_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
