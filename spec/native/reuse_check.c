/*
 * Blocks that the device has: found in the slot that runs and in the target,
 * copied instead of fetched, and fetched after all when they are not there;
 * those that an earlier try left in place, and how far that is on record.
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

#include "block_mac.h"
#include "blocks.h"
#include "codec.h"
#include "device.h"
#include "error.h"
#include "fixture.h"
#include "inventory.h"
#include "minisign.h"
#include "old_image.h"
#include "pack.h"
#include "package.h"
#include "reuse.h"
#include "sim.h"
#include "sim_flash.h"
#include "slot.h"
#include "source.h"
#include "spoiled_decoder.h"
#include "transfer.h"
#include "variants.h"
#include "world.h"

#define BLOCK UP_FIXTURE_BLOCK
#define BLOCKS 8u
#define LARGE 72u /* every second one is looked at first */
#define SLOT_A "/device/slot-a.img"
#define SLOT_B "/device/slot-b.img"
#define WANTS 64

/* A file, and what of it was asked for and read. */
struct remote {
    struct up_source base;
    struct up_source *file;
    uint64_t begin[WANTS], end[WANTS]; /* ranges that were announced */
    unsigned wants;
    uint64_t data_at, data_end, data_read; /* of the core's blocks */
    uint64_t ends;                         /* reading ends here, whatever its size; 0: it does not */
};

struct bench {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    struct up_package *package;
    struct up_keyring *ring;
    struct remote source;
    struct up_transfer *transfer;
    uint8_t old[LARGE * BLOCK], fresh[LARGE * BLOCK];
    size_t size;
};

static void must(int rc, const struct up_error *err)
{
    if (rc != 0)
        fail_msg("%s", err->message);
}

static long remote_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct remote *r = (struct remote *)s;
    long n;

    if (r->ends && offset >= r->ends)
        return 0;
    if (r->ends && len > r->ends - offset)
        len = (size_t)(r->ends - offset);
    n = r->file->ops->read(r->file, offset, buf, len, err);
    if (n > 0 && offset >= r->data_at && offset < r->data_end)
        r->data_read += (uint64_t)n;
    return n;
}

static void remote_want(struct up_source *s, uint64_t offset, uint64_t len)
{
    struct remote *r = (struct remote *)s;

    assert_true(len > 0);
    if (r->wants < WANTS) {
        r->begin[r->wants] = offset;
        r->end[r->wants++] = offset + len;
    }
}

static const struct up_source_ops remote_ops = {remote_read, remote_want, NULL};

#define TEXT 100 /* a block that takes few bytes as stored */

/* Block of noise number n, of which there are as many as you like. */
static void fill(uint8_t *block, unsigned n)
{
    uint32_t seed = n * 2654435761u + 1;

    for (size_t i = 0; i < BLOCK && n == TEXT; i++)
        block[i] = (uint8_t)("what is the same all over, "[i % 27]);
    for (size_t i = 0; i < BLOCK && n != TEXT; i++) {
        seed = seed * 1664525u + 1013904223u;
        block[i] = (uint8_t)(seed >> 24);
    }
}

/* Images by the numbers of their blocks; -1 is zeros. */
static void make_image(uint8_t *image, const int *blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (blocks[i] < 0)
            memset(image + (size_t)i * BLOCK, 0, BLOCK);
        else
            fill(image + (size_t)i * BLOCK, (unsigned)blocks[i]);
    }
}

static void put_package(struct bench *b, const char *path, unsigned sequence, const uint8_t *image,
                        size_t size)
{
    struct up_fixture f = {.script = sequence == 1,
                           .core = true,
                           .sequence = sequence,
                           .core_version = sequence,
                           .encoding = UP_ZSTD,
                           .image = image,
                           .image_size = size};
    struct up_error err;

    must(up_fixture_pack(b->storage, path, "/packages", &f, &err), &err);
}

static const int old_blocks[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7};

/* A device with the one image, and a package of the other, `size` bytes of it. */
static struct bench *bench_with(const int *old, const int *fresh, unsigned count, size_t size)
{
    struct bench *b = calloc(1, sizeof *b);
    struct up_error err;

    b->sim = sim_new();
    b->storage = sim_storage(b->sim);
    b->size = size;
    make_image(b->old, old, count);
    make_image(b->fresh, fresh, count);
    sim_put_dir(b->sim, "/device", 0755);
    sim_put_dir(b->sim, "/packages", 0755);
    world_configure(&b->config);
    variant_put_key(b->sim, b->config.keys);
    put_package(b, "/packages/old.upd", 1, b->old, (size_t)count * BLOCK);
    put_package(b, "/packages/new.upd", 2, b->fresh, size);
    must(up_device_provision(&b->device, b->storage, &b->config, &err), &err);
    must(world_install(b->device, b->storage, "/packages/old.upd", &err), &err);
    must(up_keyring_load(&b->ring, b->storage, b->config.keys, &err), &err);
    sim_settle(b->sim);
    return b;
}

static struct bench *bench_new(const int fresh[BLOCKS], size_t size)
{
    return bench_with(old_blocks, fresh, BLOCKS, size);
}

static void close_transfer(struct bench *b)
{
    up_transfer_close(b->transfer);
    b->transfer = NULL;
    up_package_free(b->package);
    b->package = NULL;
    b->source.file->ops->close(b->source.file);
}

static void bench_free(struct bench *b)
{
    up_device_close(b->device);
    up_keyring_free(b->ring);
    assert_int_equal(sim_open_files(b->sim), 0);
    up_config_free(&b->config);
    sim_free(b->sim);
    free(b);
}

static void open_head(struct bench *b)
{
    struct up_error err;
    char spool[256];

    memset(&b->source, 0, sizeof b->source);
    must(up_source_file(&b->source.file, b->storage, "/packages/new.upd", &err), &err);
    b->source.base = (struct up_source){.ops = &remote_ops, .size = b->source.file->size};
    must(up_device_spool(b->device, spool, sizeof spool, &err), &err);
    must(up_package_open(&b->package, &b->source.base, b->storage, b->ring, spool, &err), &err);
    must(up_package_step(b->package, &err), &err);
}

/* Up to where blocks are carried. */
static int try_transfer(struct bench *b, struct up_error *err)
{
    const struct up_package_layout *layout;

    open_head(b);
    must(up_device_begin(b->device, up_package_manifest(b->package), err), err);
    layout = up_package_layout(b->package);
    b->source.data_at = layout->data_offset[0];
    b->source.data_end = b->source.data_at + up_package_manifest(b->package)->part[0].data_size;
    b->source.wants = 0;
    return up_transfer_open(&b->transfer, b->device, b->package, &b->source.base, err);
}

static void open_transfer(struct bench *b)
{
    struct up_error err;

    must(try_transfer(b, &err), &err);
}

static int steps(struct bench *b, unsigned most, struct up_error *err)
{
    int rc = 1;

    while (most-- > 0 && rc == 1)
        rc = up_transfer_step(b->transfer, err);
    return rc;
}

/* To the end: how many blocks were fetched, the rest being told as reused. */
static unsigned fetch_all(struct bench *b)
{
    struct up_transfer_progress progress;
    struct up_error err;

    must(steps(b, UINT32_MAX, &err), &err);
    up_transfer_progress(b->transfer, &progress);
    assert_int_equal(progress.done, progress.total);
    assert_int_equal(progress.done - progress.reused + progress.wasted, b->source.data_read);
    return (unsigned)((b->source.data_read + BLOCK - 1) / BLOCK);
}

static int try_finish(struct bench *b, struct up_error *err)
{
    int rc;

    do
        rc = up_device_finish(b->device, up_package_manifest(b->package), err);
    while (rc == UP_AGAIN);
    return rc;
}

static void finish(struct bench *b)
{
    struct up_error err;
    size_t len;
    char *slot;

    must(try_finish(b, &err), &err);
    slot = sim_get(b->sim, SLOT_B, &len);
    assert_int_equal(len, b->size);
    assert_memory_equal(slot, b->fresh, len);
    free(slot);
}

struct reuse_case {
    const char *what;
    int fresh[BLOCKS], target[BLOCKS]; /* what slot b holds before; first -2: no slot b yet */
    unsigned fetched;
    bool off;
};

#define NO_TARGET               \
    {                           \
        -2, 0, 0, 0, 0, 0, 0, 0 \
    }

static const struct reuse_case cases[] = {
    {"the same image", {0, 1, 2, 3, 4, 5, 6, 7}, NO_TARGET, 0, false},
    {"switched off", {0, 1, 2, 3, 4, 5, 6, 7}, NO_TARGET, 8, true},
    {"shuffled", {7, 6, 5, 4, 3, 2, 1, 0}, NO_TARGET, 0, false},
    {"one of them new", {0, 1, 2, 20, 4, 5, 6, 7}, NO_TARGET, 1, false},
    {"all new", {20, 21, 22, 23, 24, 25, 26, 27}, NO_TARGET, 8, false},
    {"zeros need nothing", {-1, 21, -1, 3, 3, 3, 3, -1}, NO_TARGET, 1, false},
    {"the same block again and again", {20, 21, 20, 20, 21, 0, 21, 20}, NO_TARGET, 2, false},
    {"in the target where they belong",
     {20, 21, 22, 23, 4, 5, 6, 27},
     {20, 21, 22, 23, 0, 0, 0, 27},
     0,
     false},
    {"in the target farther on", {20, 21, 22, 23, 4, 5, 6, 7}, {30, 31, 32, 33, 20, 21, 22, 23}, 0, false},
    /* Block 1 of the target is overwritten before block 4 is made. */
    {"in the target, but overwritten", {0, 1, 2, 3, 21, 5, 6, 7}, {30, 21, 32, 33, 34, 35, 36, 37}, 1, false},
    {"less is missing than looking is worth",
     {-1, -1, -1, -1, -1, -1, -1, TEXT},
     {-1, -1, -1, -1, -1, -1, -1, TEXT},
     1,
     false},
    {"switched off with a target", {20, 21, 2, 3, 4, 5, 6, 7}, {20, 21, 2, 3, 4, 5, 6, 7}, 8, true},
};

/* As policy may say. */
static void whoever_is_told_fetches_all(void **state)
{
    static const int fresh[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct bench *b = bench_new(fresh, (size_t)BLOCKS * BLOCK);

    (void)state;
    open_transfer(b);
    up_transfer_fetch_all(b->transfer);
    assert_int_equal(fetch_all(b), BLOCKS);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

static void what_the_device_has_is_not_fetched(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct reuse_case *c = &cases[i];
        struct bench *b = bench_new(c->fresh, BLOCKS * BLOCK);
        uint8_t target[BLOCKS * BLOCK];
        unsigned fetched;

        if (c->target[0] != -2) {
            make_image(target, c->target, BLOCKS);
            sim_put(b->sim, SLOT_B, target, sizeof target, 0600);
            sim_settle(b->sim);
        }
        b->config.reuse = !c->off;
        open_transfer(b);
        fetched = fetch_all(b);
        if (fetched != c->fetched)
            fail_msg("%s: %u blocks fetched, not %u", c->what, fetched, c->fetched);
        finish(b);
        close_transfer(b);
        bench_free(b);
    }
}

/* The last block is shorter than the old one at its place, or lies there in full. */
static void the_last_block_may_be_short(void **state)
{
    for (int shorter = 0; shorter < 2; shorter++) {
        struct bench *b = bench_new(old_blocks, BLOCKS * BLOCK - (shorter ? 1000 : 0));

        (void)state;
        open_transfer(b);
        assert_int_equal(fetch_all(b), shorter);
        finish(b);
        close_transfer(b);
        bench_free(b);
    }
}

/* A run of missing blocks is asked for as one range, with what frames it; four
 * blocks that are there, 16 KiB, are read over, and five of them are not. */
static void ranges_are_those_of_what_is_missing(void **state)
{
    static const struct {
        int fresh[BLOCKS];
        unsigned missing, end;
    } runs[] = {{{20, 1, 22, 3, 4, 5, 6, 7}, 2, 3},
                {{20, 1, 2, 3, 4, 25, 6, 7}, 2, 0}, /* and over the last ones, to the end */
                {{20, 1, 2, 3, 4, 5, 26, 7}, 2, 1}};

    (void)state;
    for (size_t n = 0; n < sizeof runs / sizeof *runs; n++) {
        struct bench *b = bench_new(runs[n].fresh, (size_t)BLOCKS * BLOCK);

        open_transfer(b);
        assert_int_equal(fetch_all(b), runs[n].missing);
        assert_int_equal(b->source.begin[0], b->source.data_at - 512); /* with its header */
        assert_int_equal(b->source.end[0],
                         runs[n].end ? b->source.data_at + runs[n].end * BLOCK : b->source.base.size);
        for (unsigned i = 1; n == 0 && i < b->source.wants; i++) {
            bool tail = b->source.begin[i] >= b->source.data_end && b->source.end[i] == b->source.base.size;

            assert_true(tail || b->source.end[i] == b->source.end[0]);
        }
        finish(b);
        close_transfer(b);
        bench_free(b);
    }
}

/* What changed, or cannot be read, after it was seen is fetched. */
static void what_is_gone_is_fetched(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct bench *b = bench_new(old_blocks, (size_t)BLOCKS * BLOCK);
        struct up_error err;
        char *slot;
        size_t len;

        (void)state;
        open_transfer(b);
        assert_int_equal(steps(b, 5, &err), 1); /* looked through, and the first blocks are made */
        slot = sim_get(b->sim, SLOT_A, &len);
        slot[6 * BLOCK + 5] ^= 1;
        if (how == 0) {
            int file = b->storage->ops->open(b->storage, SLOT_A, UP_UPDATE, 0);

            assert_int_equal(b->storage->ops->pwrite(b->storage, file, slot, len, 0), 0);
            b->storage->ops->close(b->storage, file);
        }
        free(slot);
        if (how == 1) {
            sim_reset_counters(b->sim);
            sim_fail(b->sim, SIM_PREAD, 1, EIO, false);
        }
        assert_int_equal(fetch_all(b), 1);
        finish(b);
        close_transfer(b);
        bench_free(b);
    }
}

/* A slot that cannot be opened or read at all is as good as none. */
static void a_slot_that_cannot_be_read_is_no_obstacle(void **state)
{
    struct bench *b = bench_new(old_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;

    (void)state;
    must(b->storage->ops->unlink(b->storage, SLOT_A) == 0 ? 0 : up_fail(&err, UP_WRITE, "unlink"), &err);
    open_transfer(b);
    assert_int_equal(fetch_all(b), BLOCKS);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* What is wanted is not guessed; the next try goes on. */
static void an_index_that_cannot_be_read_ends_the_try(void **state)
{
    struct bench *b = bench_new(old_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;

    (void)state;
    open_transfer(b);
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_PREAD, 1, EIO, false);
    assert_int_equal(up_transfer_step(b->transfer, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "index"));
    fetch_all(b);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* The next transfer of the same process does not look again. */
static void what_was_seen_is_kept_for_the_next_try(void **state)
{
    static const int fresh[BLOCKS] = {0, 1, 2, 3, 24, 5, 6, 7};
    struct bench *b = bench_new(fresh, (size_t)BLOCKS * BLOCK);
    struct up_error err;
    unsigned first, second;

    (void)state;
    open_transfer(b);
    sim_reset_counters(b->sim);
    assert_int_equal(steps(b, 6, &err), 1);
    first = sim_calls(b->sim, SIM_PREAD);
    close_transfer(b);
    open_transfer(b);
    sim_reset_counters(b->sim);
    assert_int_equal(fetch_all(b), 1);
    second = sim_calls(b->sim, SIM_PREAD);
    assert_true(first >= BLOCKS);
    assert_true(second <= BLOCKS);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* Every second block of the old image is looked at; the others only when one of
 * those is of use. */
static void of_a_large_image_a_part_is_looked_at_first(void **state)
{
    static const struct {
        unsigned from, to; /* blocks that the images share */
        unsigned fetched;
    } large[] = {
        {0, 0, LARGE},
        {0, LARGE, 0},
        {40, 42, LARGE - 2},
        {40, 41, LARGE - 1},
        {41, 42, LARGE}, /* which is missed */
        {LARGE - 2, LARGE, LARGE - 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        int old[LARGE], fresh[LARGE];
        struct bench *b;

        for (unsigned k = 0; k < LARGE; k++) {
            old[k] = (int)k + 200;
            fresh[k] = old[k] + (k >= large[i].from && k < large[i].to ? 0 : 400);
        }
        b = bench_with(old, fresh, LARGE, (size_t)LARGE * BLOCK);
        open_transfer(b);
        assert_int_equal(fetch_all(b), large[i].fetched);
        finish(b);
        close_transfer(b);
        bench_free(b);
    }
}

/* Reads of all that is made of a package over a target of blocks `at`; -1 is zeros. */
static unsigned reads_over(const int *old, const int *fresh, const int *at)
{
    uint8_t *target = malloc((size_t)LARGE * BLOCK);
    struct bench *b = bench_with(old, fresh, LARGE, (size_t)LARGE * BLOCK);
    unsigned reads;

    make_image(target, at, LARGE);
    sim_put(b->sim, SLOT_B, target, (size_t)LARGE * BLOCK, 0600);
    free(target);
    open_transfer(b);
    sim_reset_counters(b->sim);
    fetch_all(b);
    reads = sim_calls(b->sim, SIM_PREAD);
    finish(b);
    close_transfer(b);
    bench_free(b);
    return reads;
}

/* A blank target holds the zeros of every image, and nothing else of it. */
static void a_blank_target_is_looked_at_in_part(void **state)
{
    int old[LARGE], fresh[LARGE], noise[LARGE], blank[LARGE];
    unsigned of_noise, of_blank;

    (void)state;
    for (unsigned k = 0; k < LARGE; k++) {
        old[k] = (int)k + 200;
        fresh[k] = k % 4 < 2 ? -1 : (int)k + 600;
        noise[k] = (int)k + 1000;
        blank[k] = -1;
    }
    of_noise = reads_over(old, fresh, noise);
    of_blank = reads_over(old, fresh, blank);
    print_message("reuse: %u reads over a blank target, %u over noise\n", of_blank, of_noise);
    assert_true(of_blank <= of_noise);
}

static const int new_blocks[BLOCKS] = {20, 21, 22, 23, 24, 25, 26, 27};

/* None, that of another release, and one that is being installed already. */
static void a_transfer_needs_its_transaction(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_manifest other;
    struct up_error err;

    (void)state;
    open_head(b);
    other = *up_package_manifest(b->package);
    other.digest[0] ^= 1;
    for (int begun = 0; begun < 2; begun++) {
        if (begun)
            must(up_device_begin(b->device, &other, &err), &err);
        assert_int_equal(up_transfer_open(&b->transfer, b->device, b->package, &b->source.base, &err),
                         UP_NOTHING);
        assert_non_null(strstr(err.message, "no transaction is open for it"));
    }
    close_transfer(b);
    open_transfer(b);
    close_transfer(b);
    open_head(b);
    assert_int_equal(try_finish(b, &err), UP_WRITE); /* nothing is there */
    assert_int_equal(up_device_state(b->device)->phase, UP_INSTALLING);
    close_transfer(b);
    open_transfer(b);
    assert_int_equal(fetch_all(b), BLOCKS);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* A source that has the right size, and less in it. What came stays. */
static void a_source_that_ends_early_is_noticed(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    uint64_t at = 0;
    struct up_error err;
    char where[64];

    (void)state;
    open_transfer(b);
    for (uint64_t next = b->source.data_at - 512; next < b->source.base.size; next += 511) {
        at = next;
        b->source.ends = at;
        assert_int_equal(steps(b, UINT32_MAX, &err), UP_CORRUPT);
        snprintf(where, sizeof where, "ends at byte %llu, short", (unsigned long long)at);
        assert_non_null(strstr(err.message, where));
        close_transfer(b);
        open_transfer(b);
    }
    assert_true(at > b->source.data_end);
    must(steps(b, UINT32_MAX, &err), &err);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* The index in the state directory, which is read again and again. */
static void an_index_that_cannot_be_read_ends_the_transfer(void **state)
{
    int fresh[LARGE], old[LARGE];
    struct up_error err;
    struct bench *b;
    unsigned failed = 0, opened = 0;
    int rc;

    (void)state;
    for (int k = 0; k < (int)LARGE; k++) {
        old[k] = k + 200;
        fresh[k] = k + 600;
    }
    b = bench_with(old, fresh, LARGE, (size_t)LARGE * BLOCK);
    b->config.reuse = false;
    do {
        open_transfer(b);
        sim_reset_counters(b->sim);
        sim_fail(b->sim, SIM_PREAD, failed + 1, EIO, false);
        rc = steps(b, UINT32_MAX, &err);
        sim_fail(b->sim, SIM_PREAD, 0, 0, false);
        failed += rc < 0;
        if (rc < 0 && strcmp(err.message, "/packages/new.upd: Input/output error") != 0 &&
            (rc != UP_WRITE || !strstr(err.message, "core index: read")))
            fail_msg("%s: %s", up_code_word(rc), err.message);
        close_transfer(b);
    } while (rc < 0);
    assert_true(failed > 14);
    /* Nor does one begin with it. */
    for (unsigned n = 1;; n++) {
        open_head(b);
        must(up_device_begin(b->device, up_package_manifest(b->package), &err), &err);
        sim_reset_counters(b->sim);
        sim_fail(b->sim, SIM_PREAD, n, EIO, false);
        rc = up_transfer_open(&b->transfer, b->device, b->package, &b->source.base, &err);
        sim_fail(b->sim, SIM_PREAD, 0, 0, false);
        if (rc == 0)
            break;
        assert_true(rc == UP_CORRUPT || rc == UP_WRITE);
        opened++;
        close_transfer(b);
    }
    assert_true(opened > LARGE);
    must(steps(b, UINT32_MAX, &err), &err);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

enum { MIB = 1 << 20, SCRIPT_MIB = 9, CORE_MIB = 12, SCRIPT_BLOCKS = SCRIPT_MIB + 1 };

/* A script and a core in blocks of a MiB each, none of which the device has. */
static void put_large_package(struct bench *b)
{
    struct up_pack_part script = {.path = "/large/app", .encoding = UP_RAW, .block_size = MIB},
                        core = {.path = "/large/core.img", .encoding = UP_RAW, .block_size = MIB};
    struct up_manifest m = {.sequence = 2, .core_version = 2};
    struct up_pack_options options = {.manifest = &m, .script = &script, .core = &core};
    uint8_t *noise = malloc((size_t)CORE_MIB * MIB);
    struct up_secret *key;
    struct up_pack *pack;
    struct up_error err;
    int rc;

    for (unsigned i = 0; i < CORE_MIB * MIB / BLOCK; i++)
        fill(noise + (size_t)i * BLOCK, i + 1000);
    sim_put(b->sim, "/large/core.img", noise, (size_t)CORE_MIB * MIB, 0644);
    sim_put(b->sim, "/large/app/data", noise, (size_t)SCRIPT_MIB * MIB, 0644);
    sim_put_text(b->sim, "/large/app/main.lua",
                 "PROJECT, VERSION, PRODUCT_KEY = \"METER\", \"1.0.2\", \"k-123\"\nreturn 1\n");
    free(noise);
    strcpy(m.project, VARIANT_PROJECT);
    strcpy(m.product_key, variant_product_key());
    strcpy(m.release, "2");
    strcpy(m.script_version, "1.0.2");
    strcpy(m.core_name, "Luat_RDA8910");
    must(up_fixture_keys(b->storage, "/large", false, &err), &err);
    must(up_signing_key_load(&key, b->storage, "/large/fixture.key", &err), &err);
    options.key = key;
    must(up_pack_open(&pack, b->storage, &options, "/packages/new.upd", &err), &err);
    do
        rc = up_pack_step(pack, &err);
    while (rc == UP_AGAIN);
    must(rc, &err);
    up_pack_close(pack);
    up_signing_key_free(key);
    sim_settle(b->sim);
}

static uint64_t hint(const struct bench *b)
{
    return up_device_state(b->device)->tx.hint;
}

static unsigned in_place(const struct bench *b)
{
    struct up_transfer_progress p;

    up_transfer_progress(b->transfer, &p);
    return (unsigned)((p.done + MIB - 1) / MIB);
}

/* Step until so many blocks of the large package are there. */
static int until(struct bench *b, unsigned blocks, struct up_error *err)
{
    int rc = 1;

    while (rc == 1 && in_place(b) < blocks)
        rc = up_transfer_step(b->transfer, err);
    return rc;
}

/* How many reads of a MiB or less opening takes, what is in place being `blocks`. */
static unsigned reads_to_open(struct bench *b, unsigned blocks)
{
    struct up_error err;
    unsigned before;

    open_head(b);
    must(up_device_begin(b->device, up_package_manifest(b->package), &err), &err);
    before = sim_calls(b->sim, SIM_PREAD);
    must(up_transfer_open(&b->transfer, b->device, b->package, &b->source.base, &err), &err);
    assert_int_equal(in_place(b), blocks);
    return sim_calls(b->sim, SIM_PREAD) - before;
}

/* What one source was told another does not know. */
static void a_new_source_is_told_what_is_wanted(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;
    unsigned told;

    (void)state;
    put_large_package(b);
    b->config.reuse = false;
    open_transfer(b);
    assert_int_equal(until(b, 2, &err), 1);
    told = b->source.wants;
    assert_int_equal(until(b, 3, &err), 1);
    assert_int_equal(b->source.wants, told);
    up_transfer_go_on(b->transfer, &b->source.base);
    assert_int_equal(until(b, 4, &err), 1);
    assert_int_equal(b->source.wants, told + 1);
    close_transfer(b);
    bench_free(b);
}

/* 8 MiB from where it reads, header and blocks, and again when only 4 MiB of
 * those are left; but what follows a part is told when it begins. */
static void a_source_is_told_ahead(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    const uint64_t *begin = b->source.begin, *end = b->source.end;
    unsigned core = 1, wants;
    struct up_error err;

    (void)state;
    put_large_package(b);
    b->config.reuse = false;
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    wants = b->source.wants;
    while (core < wants && begin[core] < end[1])
        core++;
    assert_true(core > 2 && core + 2 < wants && wants < WANTS);
    assert_int_equal(end[0] - begin[0], 8 * MIB + 512);
    assert_int_equal(begin[1], end[0] - 4 * MIB);
    assert_int_equal(begin[core], end[1]);
    assert_int_equal(end[core] - begin[core], 8 * MIB);
    assert_int_equal(begin[core + 1], end[core] - 4 * MIB);
    for (unsigned i = 1; i < wants; i++) {
        assert_true(begin[i] > begin[i - 1]);
        assert_int_equal(end[i], i <= core ? end[i < core ? 1 : core] : b->source.base.size);
    }
    close_transfer(b);
    bench_free(b);
}

/* Each 8 MiB it is put on record how far all is in place: in the same boot that
 * is not read again. */
static void what_is_in_place_is_on_record(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    unsigned all, hinted;
    struct up_error err;

    (void)state;
    put_large_package(b);
    b->config.reuse = false;
    open_transfer(b);
    assert_int_equal(until(b, 7, &err), 1);
    assert_int_equal(hint(b), 0);
    /* What cannot be put on record ends the transfer, and the block is there. */
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_BOOT_ID, 1, EIO, false);
    assert_int_equal(until(b, 8, &err), UP_INTERNAL);
    assert_non_null(strstr(err.message, "boot id"));
    assert_int_equal(hint(b), 0);
    close_transfer(b);

    /* Found by reading, it counts; nothing is looked for so far ahead as the core. */
    reads_to_open(b, 8);
    assert_int_equal(until(b, 9, &err), 1);
    assert_int_equal(hint(b), 9);
    close_transfer(b);
    hinted = reads_to_open(b, 9);
    close_transfer(b);
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_BOOT_ID, 1, EIO, true);
    all = reads_to_open(b, 9);
    sim_fail(b->sim, SIM_BOOT_ID, 0, 0, false);
    assert_true(all >= hinted + 8);
    assert_int_equal(until(b, SCRIPT_BLOCKS + 1, &err), 1);
    assert_int_equal(hint(b), 9);
    close_transfer(b);

    /* Beyond the record it is read, in both parts; then told from a MiB ahead. */
    reads_to_open(b, SCRIPT_BLOCKS + 1);
    assert_int_equal(until(b, SCRIPT_BLOCKS + 7, &err), 1);
    assert_int_equal(hint(b), SCRIPT_BLOCKS + 7);
    close_transfer(b);
    hinted = reads_to_open(b, SCRIPT_BLOCKS + 7);
    close_transfer(b);

    /* In a boot that cannot be told, as in another one, all of it is read, past the cache. */
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_BOOT_ID, 1, EIO, true);
    all = reads_to_open(b, SCRIPT_BLOCKS + 7);
    sim_fail(b->sim, SIM_BOOT_ID, 0, 0, false);
    assert_true(all >= hinted + SCRIPT_BLOCKS + 5);
    assert_int_equal(sim_calls(b->sim, SIM_DROP_CACHE), 2);
    close_transfer(b);
    reads_to_open(b, SCRIPT_BLOCKS + 7);
    assert_int_equal(sim_calls(b->sim, SIM_DROP_CACHE), 2);
    close_transfer(b);
    bench_free(b);
}

/* A cache that cannot be dropped would be believed in place of the medium. */
static void a_cache_that_stays_ends_the_transfer(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;

    (void)state;
    open_transfer(b);
    assert_int_equal(steps(b, 5, &err), 1);
    close_transfer(b);
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_DROP_CACHE, 1, EIO, false);
    assert_int_equal(try_transfer(b, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "drop cache"));
    close_transfer(b);
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* What was stored has its signed digest, and what it becomes is compared all the
 * same: a decoder, or the memory below it, may be wrong. */
static void what_decodes_to_something_else_is_not_written(void **state)
{
    static const int fresh[BLOCKS] = {20, TEXT, 22, 23, 24, 25, 26, 27};
    struct bench *b = bench_new(fresh, (size_t)BLOCKS * BLOCK);
    struct up_transfer_progress progress;
    struct up_error err;

    (void)state;
    open_transfer(b);
    spoiled = 2; /* and asked for once more */
    assert_int_equal(steps(b, UINT32_MAX, &err), UP_CORRUPT);
    assert_string_equal(err.message, "core: block 1 decodes to something else than was signed");
    close_transfer(b);
    open_transfer(b);
    spoiled = 1;
    must(steps(b, UINT32_MAX, &err), &err);
    up_transfer_progress(b->transfer, &progress);
    assert_true(progress.wasted > 0);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* The cache has each block right, and the medium one of them wrong: read back is
 * what the medium has. */
static void what_the_medium_alone_has_wrong_is_not_armed(void **state)
{
    unsigned noticed = 0;

    (void)state;
    for (unsigned n = 1; n <= BLOCKS + 4; n++) {
        struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
        struct up_error err;

        open_transfer(b);
        sim_reset_counters(b->sim);
        sim_flip_medium(b->sim, n);
        must(steps(b, UINT32_MAX, &err), &err);
        if (try_finish(b, &err) == UP_WRITE && strstr(err.message, "core: block"))
            noticed++;
        close_transfer(b);
        bench_free(b);
    }
    assert_int_equal(noticed, BLOCKS);
}

#define MANY 1000 /* blocks, more than any package here has */

static struct up_block_mac *keep_one(struct bench *b, enum up_part_kind kind)
{
    struct up_block_mac *macs;
    struct up_error err;

    must(up_block_mac_new(&macs, b->storage, MANY, &err), &err);
    up_device_keep_macs(b->device, kind, macs);
    return macs;
}

/* A medium that does not give back what it was given: the record of what is in
 * place is taken back with it. */
static void read_back_wrong(bool with_macs)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;
    int file;

    put_large_package(b);
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    assert_true(hint(b) >= 16);
    /* A source is told some MiB ahead, and not at each read. */
    assert_true(b->source.wants < SCRIPT_BLOCKS + CORE_MIB - 4);
    if (with_macs) { /* what it wrote is known by MACs then */
        up_transfer_close(b->transfer);
        b->transfer = NULL;
    }
    file = b->storage->ops->open(b->storage, SLOT_B, UP_UPDATE, 0);
    assert_int_equal(b->storage->ops->pwrite(b->storage, file, "wrong", 5, 3 * MIB), 0);
    b->storage->ops->close(b->storage, file);
    assert_int_equal(try_finish(b, &err), UP_WRITE);
    assert_string_equal(err.message, "core: block 3 reads back differently from what was written");
    assert_int_equal(hint(b), 0);
    close_transfer(b);
    open_transfer(b);
    assert_int_equal(in_place(b), 8 + 1); /* as far as is looked ahead of nothing on record */
    must(steps(b, UINT32_MAX, &err), &err);
    must(try_finish(b, &err), &err);
    assert_int_equal(up_device_state(b->device)->phase, UP_ARMED);
    close_transfer(b);
    bench_free(b);
}

static void what_reads_back_wrong_is_not_on_record(void **state)
{
    (void)state;
    read_back_wrong(false);
    read_back_wrong(true);
}

/* What a transfer knew vouches for nothing any more, of no part. */
static void what_reads_back_wrong_ends_all_that_was_known(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_block_mac *other;
    struct up_error err;

    (void)state;
    put_large_package(b);
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    up_transfer_close(b->transfer);
    b->transfer = NULL;
    other = keep_one(b, UP_SCRIPT);
    for (uint32_t i = 0; i < MANY; i++)
        up_block_mac_put(other, i, "other", 5);
    assert_int_equal(try_finish(b, &err), UP_WRITE);
    assert_null(up_device_take_macs(b->device, UP_CORE));
    close_transfer(b);
    bench_free(b);
}

/* Of flash what was read after a restart is on record at once; a script of the
 * version that runs is not in it. */
static void what_is_found_on_flash_is_on_record(void **state)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_error err;

    (void)state;
    must(up_fixture_pack(b->storage, "/packages/new.upd", "/packages",
                         &(struct up_fixture){.script = true,
                                              .core = true,
                                              .sequence = 2,
                                              .core_version = 2,
                                              .image = b->fresh,
                                              .image_size = b->size},
                         &err),
         &err);
    sim_settle(b->sim);
    sim_put_flash(b->sim, SLOT_B, UP_FLASH_NOR, 4, 2 * BLOCK, 1);
    b->config.reuse = false;
    open_transfer(b);
    assert_int_equal(up_device_state(b->device)->tx.parts, 1u << UP_CORE);
    for (struct up_transfer_progress p = {.done = 0}; p.done < 6 * BLOCK;) {
        assert_int_equal(up_transfer_step(b->transfer, &err), 1);
        up_transfer_progress(b->transfer, &p);
    }
    close_transfer(b);
    assert_int_equal(hint(b), 0);
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_BOOT_ID, 1, EIO, true);
    assert_int_equal(try_transfer(b, &err), UP_INTERNAL);
    assert_non_null(strstr(err.message, "boot id"));
    assert_int_equal(hint(b), 0);
    close_transfer(b);
    sim_fail(b->sim, SIM_BOOT_ID, 0, 0, false);
    open_transfer(b);
    assert_true(hint(b) > 0 && hint(b) <= 6);
    must(steps(b, UINT32_MAX, &err), &err);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* A package whose core goes to flash that holds the first three of its blocks in
 * an image of another release. */
static struct bench *bench_on(enum up_flash_kind kind)
{
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_slot *slot;
    struct up_error err;

    sim_settle(b->sim);
    sim_put_flash(b->sim, SLOT_B, kind, 4, 2 * BLOCK, kind == UP_FLASH_NAND ? 2048 : 1);
    must(up_slot_open(&slot, b->storage, SLOT_B, UP_SLOT_WRITE, b->size, &err), &err);
    must(up_slot_write(slot, b->fresh, 3 * BLOCK, 0, &err), &err);
    must(up_slot_write(slot, b->old, b->size - 3 * BLOCK, 3 * BLOCK, &err), &err);
    must(up_slot_sync(slot, &err), &err);
    up_slot_close(slot);
    b->config.reuse = false;
    return b;
}

/* The transfer ends when so many blocks were written, and begins again. How
 * many blocks are fetched in all; everything is right at the end. */
static unsigned fetched_in_all(enum up_flash_kind kind, unsigned blocks)
{
    struct bench *b = bench_on(kind);
    struct up_transfer_progress p = {.done = 0};
    struct up_error err;
    uint64_t first;

    open_transfer(b);
    while (p.done < blocks * BLOCK) {
        assert_true(up_transfer_step(b->transfer, &err) >= 0);
        up_transfer_progress(b->transfer, &p);
    }
    first = b->source.data_read;
    close_transfer(b);
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    first += b->source.data_read;
    finish(b);
    close_transfer(b);
    bench_free(b);
    return (unsigned)(first / BLOCK);
}

/* A volume is replaced as a whole, so that only a whole one counts; of raw flash
 * the erase block that was being filled, of two, is written again. */
static void of_flash_what_is_whole_is_not_fetched_again(void **state)
{
    (void)state;
    assert_int_equal(fetched_in_all(UP_FLASH_UBI, 0), BLOCKS);
    assert_int_equal(fetched_in_all(UP_FLASH_UBI, 5), BLOCKS + 5);
    assert_int_equal(fetched_in_all(UP_FLASH_UBI, BLOCKS), BLOCKS);
    assert_int_equal(fetched_in_all(UP_FLASH_NOR, 0), BLOCKS - 3);
    assert_in_range(fetched_in_all(UP_FLASH_NOR, 5), BLOCKS, BLOCKS + 2);
    assert_int_equal(fetched_in_all(UP_FLASH_NOR, BLOCKS), BLOCKS);
    assert_in_range(fetched_in_all(UP_FLASH_NAND, 5), BLOCKS, BLOCKS + 2);
    assert_int_equal(fetched_in_all(UP_FLASH_NAND, BLOCKS), BLOCKS);
}

static int no_erasing(void *user, enum sim_op op)
{
    (void)user;
    return op == SIM_FLASH_ERASE || op == SIM_FLASH_MARK_BAD ? EIO : 0;
}

/* The erase block that was being filled is erased first: flash that refuses that
 * ends the try, and the next one goes on. */
static void flash_that_cannot_be_gone_on_with_ends_the_try(void **state)
{
    struct bench *b = bench_on(UP_FLASH_NAND);
    struct up_transfer_progress p = {.done = 0};
    struct up_error err;

    (void)state;
    open_transfer(b);
    while (p.done < 5 * BLOCK) {
        assert_true(up_transfer_step(b->transfer, &err) >= 0);
        up_transfer_progress(b->transfer, &p);
    }
    close_transfer(b);
    sim_watch_calls(b->sim, no_erasing, NULL);
    assert_int_equal(try_transfer(b, &err), UP_NOSPACE); /* no block of it is good */
    assert_non_null(strstr(err.message, SLOT_B));
    sim_watch_calls(b->sim, NULL, NULL);
    close_transfer(b);
    open_transfer(b);
    must(steps(b, UINT32_MAX, &err), &err);
    finish(b);
    close_transfer(b);
    bench_free(b);
}

/* As another process does when a person wants another release; then a new one begins. */
static void end_and_begin(struct bench *b)
{
    struct up_device *other;
    struct up_error err;

    must(up_device_open(&other, b->storage, &b->config, UP_DEVICE_CHILD, &err), &err);
    must(up_device_abandon(other, UP_OK, "another is better", &err), &err);
    up_device_close(other);
    must(up_device_reload(b->device, &err), &err);
    open_head(b);
    must(up_device_begin(b->device, up_package_manifest(b->package), &err), &err);
    close_transfer(b);
}

static void what_was_kept_is_of_its_transaction_alone(void **state)
{
    static const int fresh[BLOCKS] = {0, 1, 2, 3, 24, 5, 6, 7};
    struct bench *b = bench_new(fresh, (size_t)BLOCKS * BLOCK);
    struct up_block_mac *macs;
    struct up_error err;

    (void)state;
    open_transfer(b);
    assert_int_equal(steps(b, 6, &err), 1);
    close_transfer(b);
    end_and_begin(b);
    assert_null(up_device_take_reuse(b->device));
    keep_one(b, UP_CORE);
    end_and_begin(b);
    assert_null(up_device_take_macs(b->device, UP_CORE));
    keep_one(b, UP_CORE);
    end_and_begin(b);
    macs = keep_one(b, UP_SCRIPT);
    assert_null(up_device_take_macs(b->device, UP_CORE));
    assert_ptr_equal(up_device_take_macs(b->device, UP_SCRIPT), macs);
    up_block_mac_free(macs);
    bench_free(b);
}

/* What is told of an index: cut short, it is not the one that was fetched. */
static void an_index_that_cannot_be_used_is_told(void **state)
{
    static const struct {
        enum sim_op fails;
        int error, code;
        const char *part;
    } ways[] = {
        {SIM_OPEN, EIO, UP_WRITE, "core.idx: open: "},
        {SIM_OPEN, ENOENT, UP_MISSING, "core.idx: open: "},
        {SIM_PREAD, EIO, UP_WRITE, "core.idx: read: "},
        {SIM_OPS, 0, UP_CORRUPT, "core.idx: shorter than its head"},
    };
    struct bench *b = bench_new(new_blocks, (size_t)BLOCKS * BLOCK);
    struct up_blocks *blocks;
    struct up_error err = {0};
    char spool[256];

    (void)state;
    open_transfer(b);
    must(up_device_spool(b->device, spool, sizeof spool, &err), &err);
    sim_settle(b->sim);
    sim_put(b->sim, "/device/state/tx/core.idx", "short", 5, 0600);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        sim_reset_counters(b->sim);
        sim_fail(b->sim, ways[i].fails, ways[i].error ? 1 : 0, ways[i].error, false);
        assert_int_equal(
            up_blocks_open(&blocks, b->storage, spool, up_package_manifest(b->package)->part, &err),
            ways[i].code);
        assert_non_null(strstr(err.message, ways[i].part));
    }
    close_transfer(b);
    bench_free(b);
}

/* Look through the target with the n-th read failing; whether what lies where it belongs is known then. */
static int look_through(struct bench *b, const char *spool, unsigned n, bool has[BLOCKS],
                        struct up_error *err)
{
    const struct up_part *part = up_package_manifest(b->package)->part;
    struct up_blocks *wanted, *blocks; /* the second one has read nothing of the index yet */
    struct up_inventory *in_place;
    struct up_old_image *image;
    struct up_reuse *reuse;
    uint8_t buffer[BLOCK];
    int rc;

    must(up_blocks_open(&wanted, b->storage, spool, part, err), err);
    must(up_blocks_open(&blocks, b->storage, spool, part, err), err);
    must(up_inventory_new(&in_place, BLOCKS, err), err);
    must(up_reuse_new(&reuse, wanted, in_place, err), err);
    must(up_old_image_open(&image, b->storage, SLOT_B, BLOCKS * BLOCK, err), err);
    sim_reset_counters(b->sim);
    sim_fail(b->sim, SIM_PREAD, n, EIO, false);
    do
        rc = up_reuse_step(reuse, UP_REUSE_TARGET, image, blocks, in_place, buffer, err);
    while (rc > 0);
    sim_fail(b->sim, SIM_PREAD, 0, 0, false);
    for (uint32_t i = 0; i < BLOCKS; i++)
        has[i] = up_inventory_has(in_place, i);
    up_old_image_close(image);
    up_reuse_free(reuse);
    up_inventory_free(in_place);
    up_blocks_close(wanted);
    up_blocks_close(blocks);
    return rc;
}

/* A read of the slot that fails ends the look, one of the index the transfer. */
static void what_lies_where_it_belongs_is_known(void **state)
{
    static const int fresh[BLOCKS] = {20, 21, 22, 23, 24, 25, 26, 27},
                     there[BLOCKS] = {30, 21, 22, 33, 24, 21, 36, 27};
    struct bench *b = bench_new(fresh, (size_t)BLOCKS * BLOCK);
    uint8_t target[BLOCKS * BLOCK];
    unsigned refused = 0;
    struct up_error err;
    char spool[256];
    bool has[BLOCKS];

    (void)state;
    make_image(target, there, BLOCKS);
    sim_put(b->sim, SLOT_B, target, sizeof target, 0600);
    open_transfer(b);
    must(up_device_spool(b->device, spool, sizeof spool, &err), &err);
    must(look_through(b, spool, 0, has, &err), &err);
    for (unsigned i = 0; i < BLOCKS; i++)
        assert_int_equal(has[i], fresh[i] == there[i]);
    for (unsigned n = 1; n <= 2 * BLOCKS; n++) {
        int rc = look_through(b, spool, n, has, &err);

        assert_true(rc == 0 || (rc == UP_WRITE && strstr(err.message, "core index: read")));
        refused += rc < 0;
    }
    assert_int_equal(refused, 1);
    close_transfer(b);
    bench_free(b);
}

#define CHECK(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(what_the_device_has_is_not_fetched),
        CHECK(whoever_is_told_fetches_all),
        CHECK(the_last_block_may_be_short),
        CHECK(what_lies_where_it_belongs_is_known),
        CHECK(ranges_are_those_of_what_is_missing),
        CHECK(what_is_gone_is_fetched),
        CHECK(a_slot_that_cannot_be_read_is_no_obstacle),
        CHECK(an_index_that_cannot_be_read_ends_the_try),
        CHECK(what_was_seen_is_kept_for_the_next_try),
        CHECK(of_a_large_image_a_part_is_looked_at_first),
        CHECK(a_blank_target_is_looked_at_in_part),
        CHECK(a_transfer_needs_its_transaction),
        CHECK(a_source_that_ends_early_is_noticed),
        CHECK(an_index_that_cannot_be_read_ends_the_transfer),
        CHECK(what_is_in_place_is_on_record),
        CHECK(a_new_source_is_told_what_is_wanted),
        CHECK(a_source_is_told_ahead),
        CHECK(a_cache_that_stays_ends_the_transfer),
        CHECK(what_decodes_to_something_else_is_not_written),
        CHECK(what_the_medium_alone_has_wrong_is_not_armed),
        CHECK(what_reads_back_wrong_is_not_on_record),
        CHECK(what_reads_back_wrong_ends_all_that_was_known),
        CHECK(what_is_found_on_flash_is_on_record),
        CHECK(of_flash_what_is_whole_is_not_fetched_again),
        CHECK(flash_that_cannot_be_gone_on_with_ends_the_try),
        CHECK(an_index_that_cannot_be_used_is_told),
        CHECK(what_was_kept_is_of_its_transaction_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
