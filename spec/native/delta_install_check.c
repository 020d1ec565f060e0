/*
 * Cores by delta on a device: every pair of images from the packer to the
 * armed slot; what is no source is refused before anything is written; what
 * goes wrong while it is read ends the transaction and nothing else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "delta_images.h"
#include "device.h"
#include "digest.h"
#include "error.h"
#include "fixture.h"
#include "minisign.h"
#include "package.h"
#include "sim.h"
#include "source.h"
#include "transfer.h"
#include "variants.h"
#include "world.h"

#define FULL "/packages/full.upd"
#define DELTA "/packages/delta.upd"
#define SLOT_A "/device/slot-a.img"
#define SLOT_B "/device/slot-b.img"

struct bench {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    struct delta_images images;
};

static void must(int rc, const struct up_error *err)
{
    if (rc != 0)
        fail_msg("%s", err->message);
}

static void put_package(struct bench *b, const char *path, struct up_fixture f)
{
    struct up_error err;

    f.product_key = "k-123";
    f.encoding = UP_ZSTD;
    must(up_fixture_pack(b->storage, path, "/packages", &f, &err), &err);
}

/* The full package of the old image, with a script, and the delta to the new one. */
static void put_packages(struct bench *b)
{
    put_package(b, FULL,
                (struct up_fixture){.script = true,
                                    .core = true,
                                    .sequence = 1,
                                    .image = b->images.old,
                                    .image_size = b->images.old_size});
    put_package(b, DELTA,
                (struct up_fixture){.core = true,
                                    .sequence = 2,
                                    .core_version = 2,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size});
}

/* A device with the old core in slot a, and the delta at hand; takes the images over. */
static struct bench *bench_with(const struct delta_images *images, enum up_node_kind kind)
{
    struct bench *b = calloc(1, sizeof *b);
    struct up_error err;

    b->images = *images;
    b->sim = sim_new();
    b->storage = sim_storage(b->sim);
    sim_put_dir(b->sim, "/device", 0755);
    sim_put_dir(b->sim, "/packages", 0755);
    for (int i = 0; i < UP_SLOTS && kind == UP_NODE_BLOCK; i++)
        sim_put_block(b->sim, i ? SLOT_B : SLOT_A, 65536);
    world_configure(&b->config);
    variant_put_key(b->sim, b->config.keys);
    put_packages(b);
    must(up_device_provision(&b->device, b->storage, &b->config, &err), &err);
    must(world_install(b->device, b->storage, FULL, &err), &err);
    sim_settle(b->sim);
    return b;
}

static struct bench *bench_new(enum delta_case which, enum up_node_kind kind)
{
    struct delta_images images;

    delta_images_make(&images, which);
    return bench_with(&images, kind);
}

static void bench_free(struct bench *b)
{
    up_device_close(b->device);
    assert_int_equal(sim_open_files(b->sim), 0);
    up_config_free(&b->config);
    sim_free(b->sim);
    delta_images_free(&b->images);
    free(b);
}

static bool slot_holds(const struct bench *b, const char *slot, const uint8_t *image, size_t size)
{
    size_t len = 0;
    char *content = sim_get(b->sim, slot, &len);
    bool same = content && len >= size && memcmp(content, image, size) == 0;

    free(content);
    return same;
}

static void every_pair_of_images_is_installed(void **state)
{
    static const enum up_node_kind kinds[] = {UP_NODE_FILE, UP_NODE_BLOCK};

    (void)state;
    for (int k = 0; k < 2; k++)
        for (enum delta_case which = 0; which < DELTA_CASES; which++) {
            struct bench *b = bench_new(which, kinds[k]);
            struct up_error err;
            int rc = world_install(b->device, b->storage, DELTA, &err);

            if (rc != 0)
                fail_msg("%s: %s", b->images.name, err.message);
            assert_int_equal(up_device_state(b->device)->phase, UP_ARMED);
            if (!slot_holds(b, SLOT_B, b->images.fresh, b->images.fresh_size) ||
                !slot_holds(b, SLOT_A, b->images.old, b->images.old_size))
                fail_msg("%s: not what was packed", b->images.name);
            bench_free(b);
        }
}

/* A refusal before anything: not a byte of the device is another than before. */
static void refused(struct bench *b, const char *message)
{
    char *before = sim_dump(b->sim, "/device"), *after;
    struct up_error err;
    int rc;

    sim_reset_counters(b->sim);
    rc = world_install(b->device, b->storage, DELTA, &err);
    if (rc != UP_INCOMPATIBLE || !strstr(err.message, message))
        fail_msg("%s: code %d, %s", message, rc, err.message);
    assert_int_equal(up_device_state(b->device)->phase, UP_IDLE);
    assert_false(sim_exists(b->sim, SLOT_B));
    up_device_clean(b->device); /* the head in <state>/tx */
    after = sim_dump(b->sim, "/device");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void change_slot(struct bench *b, size_t at)
{
    size_t len;
    char *content = sim_get(b->sim, SLOT_A, &len);

    content[at] ^= 1;
    sim_put(b->sim, SLOT_A, content, len, 0600);
    free(content);
    sim_settle(b->sim);
}

static void what_is_no_source_is_refused(void **state)
{
    struct bench *b;
    size_t len;
    char *content;

    (void)state;
    for (size_t at = 0; at < DELTA_IMAGE; at += at < DELTA_IMAGE - 1 && at + 6000 > DELTA_IMAGE ? 1 : 6000) {
        b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
        change_slot(b, at);
        refused(b, "against another core");
        bench_free(b);
        if (at + 6000 > DELTA_IMAGE)
            break;
    }
    b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    content = sim_get(b->sim, SLOT_A, &len);
    sim_put(b->sim, SLOT_A, content, len - 1, 0600);
    free(content);
    refused(b, "ends at byte");
    bench_free(b);

    b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    sim_set_mounted(b->sim, SLOT_A, UP_MOUNTED_WRITABLE);
    refused(b, "mounted read-write");
    bench_free(b);

    b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE); /* of a source of another size */
    put_package(b, DELTA,
                (struct up_fixture){.core = true,
                                    .sequence = 2,
                                    .core_version = 2,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size - 1});
    sim_settle(b->sim);
    refused(b, "against a core of 19999 bytes");
    bench_free(b);
}

/* Mounted read-only is what a root file system of images is. */
static void what_is_mounted_read_only_is_a_source(void **state)
{
    struct bench *b = bench_new(DELTA_SHUFFLED, UP_NODE_BLOCK);
    struct up_error err;

    (void)state;
    sim_set_mounted(b->sim, SLOT_A, UP_MOUNTED);
    must(world_install(b->device, b->storage, DELTA, &err), &err);
    assert_true(slot_holds(b, SLOT_B, b->images.fresh, b->images.fresh_size));
    bench_free(b);
}

/* The factory has no old core. */
static void a_device_is_not_provisioned_by_delta(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    struct up_config config;
    struct up_device *device;
    struct up_error err;

    (void)state;
    put_package(b, DELTA,
                (struct up_fixture){.script = true,
                                    .core = true,
                                    .sequence = 2,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size});
    world_configure(&config);
    free(config.state);
    config.state = strdup("/device/other");
    must(up_device_provision(&device, b->storage, &config, &err), &err);
    assert_int_equal(world_install(device, b->storage, DELTA, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "no old core"));
    up_device_close(device);
    up_config_free(&config);
    bench_free(b);
}

/* No second slot to write to: never in place, and a clear word. */
static void a_device_without_two_slots_refuses_a_delta(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    struct up_config config;
    struct up_device *device;
    struct up_error err;
    char *before, *after;

    (void)state;
    put_package(b, FULL, (struct up_fixture){.script = true, .sequence = 1});
    world_configure(&config);
    for (int i = 0; i < UP_SLOTS; i++) {
        free(config.slot[i]);
        config.slot[i] = NULL;
    }
    config.boot = UP_BOOT_NONE;
    free(config.state);
    config.state = strdup("/device/other");
    must(up_device_provision(&device, b->storage, &config, &err), &err);
    must(world_install(device, b->storage, FULL, &err), &err);
    before = sim_dump(b->sim, "/device");
    assert_int_equal(up_device_source_mounted(device), UP_NOT_MOUNTED);
    assert_int_equal(world_install(device, b->storage, DELTA, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "no core slots"));
    up_device_clean(device);
    after = sim_dump(b->sim, "/device");
    assert_string_equal(before, after);
    free(before);
    free(after);
    up_device_close(device);
    up_config_free(&config);
    bench_free(b);
}

/* Every call that can fail, once and for ever; then the fault is gone. Nothing
 * is ever armed but the new image, and the old slot is never written. */
static void faults_of_the_old_slot_end_the_transaction(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN, SIM_PREAD, SIM_STAT, SIM_MOUNTED, SIM_DROP_CACHE};
    unsigned long failed = 0, went_on = 0, old_slot = 0;

    (void)state;
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++)
        for (int forever = 0; forever < 2; forever++)
            for (unsigned n = 1;; n++) {
                struct bench *b = bench_new(DELTA_SHUFFLED, UP_NODE_FILE);
                struct up_error err = {0};
                unsigned calls;
                int rc;

                sim_reset_counters(b->sim);
                sim_fail(b->sim, ops[o], n, EIO, forever);
                rc = world_install(b->device, b->storage, DELTA, &err);
                calls = sim_calls(b->sim, ops[o]);
                sim_fail(b->sim, ops[o], 0, 0, false);
                if (rc == UP_INTERNAL ||
                    (rc < 0 && strstr(err.message, "old image") && rc != UP_INCOMPATIBLE))
                    fail_msg("%s, call %u: %s: %s", sim_op_name(ops[o]), n, up_code_word(rc), err.message);
                failed += rc < 0;
                old_slot += rc == UP_INCOMPATIBLE;
                went_on += rc == 0 && calls >= n;
                if (rc < 0)
                    must(world_install(b->device, b->storage, DELTA, &err), &err);
                assert_true(slot_holds(b, SLOT_B, b->images.fresh, b->images.fresh_size));
                assert_true(slot_holds(b, SLOT_A, b->images.old, b->images.old_size));
                for (int q = 0; q < UP_QUARANTINE_MAX; q++)
                    assert_int_equal(up_device_state(b->device)->quarantine[q].sequence, 0);
                bench_free(b);
                if (calls < n)
                    break;
            }
    assert_true(failed > 20 && old_slot > 10);
    print_message(
        "delta: %lu calls failed while installing, %lu of the old slot, %lu made no difference, 0 bad\n",
        failed + went_on, old_slot, went_on);
}

/* Up to where blocks are carried; drop() ends it. */
struct carry {
    struct up_source *source;
    struct up_keyring *ring;
    struct up_package *package;
    struct up_transfer *transfer;
};

static void open_head(struct bench *b, struct carry *c)
{
    struct up_error err;
    char spool[256];

    memset(c, 0, sizeof *c);
    must(up_source_file(&c->source, b->storage, DELTA, &err), &err);
    must(up_keyring_load(&c->ring, b->storage, b->config.keys, &err), &err);
    must(up_device_spool(b->device, spool, sizeof spool, &err), &err);
    must(up_package_open(&c->package, c->source, b->storage, c->ring, spool, &err), &err);
    must(up_package_step(c->package, &err), &err);
}

static void drop(struct carry *c)
{
    up_transfer_close(c->transfer);
    up_package_free(c->package);
    up_keyring_free(c->ring);
    c->source->ops->close(c->source);
}

/* Write into a slot that runs, as nobody should. */
static void spoil(struct bench *b, const char *slot, size_t at)
{
    int file = b->storage->ops->open(b->storage, slot, UP_UPDATE, 0);
    char byte;

    assert_int_equal(b->storage->ops->pread(b->storage, file, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(b->storage->ops->pwrite(b->storage, file, &byte, 1, at), 0);
    b->storage->ops->close(b->storage, file);
}

/* The slot changes after its digest was compared: wherever, what is written is
 * signed, and the transaction ends as incompatible; a full package installs. */
static void a_source_that_changes_is_noticed_by_the_block(void **state)
{
    static const enum delta_case pairs[] = {DELTA_IDENTICAL, DELTA_MOVED, DELTA_SHUFFLED};
    unsigned noticed = 0;

    (void)state;
    for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; n++)
        for (size_t at = 100; at < DELTA_IMAGE; at += 487) {
            struct bench *b = bench_new(pairs[n], UP_NODE_FILE);
            struct up_error err;
            struct carry c;
            size_t len;
            char *slot;
            int rc;

            open_head(b, &c);
            must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
            must(up_transfer_open(&c.transfer, b->device, c.package, c.source, &err), &err);
            spoil(b, SLOT_A, at);
            do
                rc = up_transfer_step(c.transfer, &err);
            while (rc == 1);
            drop(&c);
            if (rc != UP_INCOMPATIBLE || !strstr(err.message, "no longer holds"))
                fail_msg("%s, byte %zu: code %d, %s", b->images.name, at, rc, err.message);
            slot = sim_get(b->sim, SLOT_B, &len);
            for (size_t i = 0; i < len; i += UP_FIXTURE_BLOCK)
                assert_memory_equal(slot + i, b->images.fresh + i,
                                    len - i < UP_FIXTURE_BLOCK ? len - i : UP_FIXTURE_BLOCK);
            free(slot);
            must(up_device_abandon(b->device, rc, err.message, &err), &err);
            for (int q = 0; q < UP_QUARANTINE_MAX; q++)
                assert_int_equal(up_device_state(b->device)->quarantine[q].sequence, 0);
            put_package(b, FULL,
                        (struct up_fixture){.core = true,
                                            .sequence = 2,
                                            .core_version = 2,
                                            .image = b->images.fresh,
                                            .image_size = b->images.fresh_size});
            must(world_install(b->device, b->storage, FULL, &err), &err);
            assert_true(slot_holds(b, SLOT_B, b->images.fresh, b->images.fresh_size));
            noticed++;
            bench_free(b);
        }
    print_message("delta: the source changed under way %u times, noticed each time\n", noticed);
}

/* A bit that only the cache has wrong costs nothing: it is read once more, past it. */
static void a_source_that_the_cache_alone_has_wrong_is_read_again(void **state)
{
    static const enum delta_case pairs[] = {DELTA_IDENTICAL, DELTA_MOVED, DELTA_SHUFFLED};

    (void)state;
    for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; n++)
        for (size_t at = 100; at < DELTA_IMAGE; at += 1487) {
            struct bench *b = bench_new(pairs[n], UP_NODE_FILE);
            struct up_error err;
            struct carry c;
            int rc;

            open_head(b, &c);
            must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
            must(up_transfer_open(&c.transfer, b->device, c.package, c.source, &err), &err);
            sim_flip_cache(b->sim, SLOT_A, at);
            do
                rc = up_transfer_step(c.transfer, &err);
            while (rc == 1);
            must(rc, &err);
            assert_true(slot_holds(b, SLOT_B, b->images.fresh, b->images.fresh_size));
            drop(&c);
            bench_free(b);
        }
}

/* What is new in a block is coded beside the old bytes: with others, the
 * decoder loses its way in what was stored and signed, which is the old image's
 * fault as well. */
static void a_delta_that_cannot_be_decoded_names_the_source(void **state)
{
    enum { FROM = 1000, TO = 2500 };
    struct delta_images images;
    struct up_error err;
    struct bench *b;
    struct carry c;
    uint32_t seed = 1;
    int rc;

    (void)state;
    delta_images_make(&images, DELTA_IDENTICAL);
    for (size_t at = FROM; at < TO; at++) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30)
            images.fresh[at] = (uint8_t)(seed >> 20);
    }
    b = bench_with(&images, UP_NODE_FILE);
    open_head(b, &c);
    must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
    must(up_transfer_open(&c.transfer, b->device, c.package, c.source, &err), &err);
    for (size_t at = FROM; at < TO; at++)
        spoil(b, SLOT_A, at);
    do
        rc = up_transfer_step(c.transfer, &err);
    while (rc == 1);
    drop(&c);
    assert_int_equal(rc, UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "block 0: slot a no longer holds"));
    bench_free(b);
}

/* The same core once more, by a full package, which then runs from slot b. */
static void run_from_b(struct bench *b)
{
    enum up_start_action action;
    struct up_error err;

    put_package(b, FULL,
                (struct up_fixture){.core = true,
                                    .sequence = 2,
                                    .core_version = 2,
                                    .image = b->images.old,
                                    .image_size = b->images.old_size});
    must(world_install(b->device, b->storage, FULL, &err), &err);
    must(up_device_start(b->device, &action, &err), &err);
    must(up_device_confirm(b->device, &err), &err);
    assert_int_equal(up_device_running(b->device), 1);
    put_package(b, DELTA,
                (struct up_fixture){.core = true,
                                    .sequence = 3,
                                    .core_version = 3,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size});
}

static void slot_b_is_a_source_too(void **state)
{
    struct bench *b = bench_new(DELTA_SHUFFLED, UP_NODE_FILE);
    struct up_error err;
    struct carry c;
    int rc;

    (void)state;
    run_from_b(b);
    open_head(b, &c);
    must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
    must(up_transfer_open(&c.transfer, b->device, c.package, c.source, &err), &err);
    spoil(b, SLOT_B, 100);
    do
        rc = up_transfer_step(c.transfer, &err);
    while (rc == 1);
    drop(&c);
    assert_int_equal(rc, UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "slot b no longer holds"));
    spoil(b, SLOT_B, 100); /* as it was */
    must(world_install(b->device, b->storage, DELTA, &err), &err);
    assert_true(slot_holds(b, SLOT_A, b->images.fresh, b->images.fresh_size));
    assert_true(slot_holds(b, SLOT_B, b->images.old, b->images.old_size));
    bench_free(b);
}

/* Since it began the configuration may have become another. */
static void a_delta_is_not_carried_without_its_source(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    char *slot = b->config.slot[0];
    struct up_error err;
    struct carry c;

    (void)state;
    open_head(b, &c);
    must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
    b->config.slot[0] = NULL;
    assert_int_equal(up_transfer_open(&c.transfer, b->device, c.package, c.source, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "its core is a delta, and this device has no slots"));
    b->config.slot[0] = slot;
    drop(&c);
    bench_free(b);
}

/* A large slot is read a few MiB a call, once. */
static void the_digest_of_a_large_slot_is_learned_in_pieces(void **state)
{
    enum { MIB = 1 << 20 };
    struct delta_images images = {.old_size = 9 * MIB + 1, .fresh_size = 9 * MIB + 1};
    struct up_error err;
    struct bench *b;
    struct carry c;
    unsigned calls = 0, reads;
    int rc;

    (void)state;
    images.old = calloc(1, images.old_size);
    images.fresh = calloc(1, images.fresh_size);
    b = bench_with(&images, UP_NODE_FILE);
    open_head(b, &c);
    sim_reset_counters(b->sim);
    for (rc = up_device_learn_source(b->device, up_package_manifest(c.package), &err); rc == UP_AGAIN;
         rc = up_device_learn_source(b->device, up_package_manifest(c.package), &err))
        calls++;
    must(rc, &err);
    assert_int_equal(calls, 2);
    reads = sim_calls(b->sim, SIM_PREAD);
    assert_int_equal(reads, 9 * 16 + 1); /* of 64 KiB */
    must(up_device_learn_source(b->device, up_package_manifest(c.package), &err), &err);
    assert_int_equal(sim_calls(b->sim, SIM_PREAD), reads);
    assert_int_equal(sim_calls(b->sim, SIM_PWRITE), 0);
    assert_int_equal(up_device_state(b->device)->phase, UP_IDLE);
    must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
    /* The open transaction is not compared again. */
    reads = sim_calls(b->sim, SIM_MOUNTED);
    must(up_device_learn_source(b->device, up_package_manifest(c.package), &err), &err);
    assert_int_equal(sim_calls(b->sim, SIM_MOUNTED), reads);
    /* Whoever begins without that takes as many turns by itself. */
    must(up_device_abandon(b->device, UP_REFUSED, "told to", &err), &err);
    up_device_close(b->device);
    must(up_device_open(&b->device, b->storage, &b->config, UP_DEVICE_LOCK, &err), &err);
    sim_reset_counters(b->sim);
    must(up_device_begin(b->device, up_package_manifest(c.package), &err), &err);
    assert_true(sim_calls(b->sim, SIM_PREAD) >= 9 * 16 + 1);
    drop(&c);
    bench_free(b);
}

#define CHECK(name) cmocka_unit_test(name)

/* Install a full image of the size of the old one and confirm it, by a process
 * of its own, while `b->device` stays open. */
static void update_elsewhere(struct bench *b, unsigned sequence, const uint8_t *image)
{
    enum up_start_action action;
    struct up_device *other;
    struct up_error err;

    put_package(b, "/packages/next.upd",
                (struct up_fixture){.core = true,
                                    .sequence = sequence,
                                    .core_version = sequence,
                                    .image = image,
                                    .image_size = b->images.old_size});
    must(up_device_reload(b->device, &err), &err);
    must(world_install(b->device, b->storage, "/packages/next.upd", &err), &err);
    must(up_device_open(&other, b->storage, &b->config, UP_DEVICE_CHILD, &err), &err);
    must(up_device_start(other, &action, &err), &err);
    must(up_device_trial_start(other, &action, &err), &err);
    must(up_device_confirm(other, &err), &err);
    up_device_close(other);
    must(up_device_reload(b->device, &err), &err);
}

/* What runs already is not asked for again, whatever it was made against. */
static void a_delta_of_the_core_that_runs_needs_no_source(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    struct up_error err;

    (void)state;
    update_elsewhere(b, 3, b->images.fresh); /* into slot b */
    put_package(b, DELTA,
                (struct up_fixture){.core = true,
                                    .script = true,
                                    .version = "2.0.0",
                                    .sequence = 4,
                                    .core_version = 3,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size});
    sim_settle(b->sim);
    sim_set_mounted(b->sim, SLOT_B, UP_MOUNTED_WRITABLE); /* which no source is */
    must(world_install(b->device, b->storage, DELTA, &err), &err);
    assert_int_equal(up_device_state(b->device)->phase, UP_ARMED);
    assert_int_equal(up_device_state(b->device)->tx.parts, 1u << UP_SCRIPT);
    bench_free(b);
}

/* A process that read slot a, and wrote it later, does not go by what it read. */
static void what_was_read_of_a_slot_is_forgotten_when_it_is_written(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    struct up_manifest m;
    struct up_error err;
    char *bytes = sim_get(b->sim, DELTA, NULL);
    int rc;

    (void)state;
    must(up_manifest_parse(&m, bytes + 512, strtoul(bytes + 124, NULL, 8), &err), &err);
    free(bytes);
    do
        rc = up_device_learn_source(b->device, &m, &err);
    while (rc == UP_AGAIN);
    assert_int_equal(rc, 0);
    update_elsewhere(b, 3, b->images.fresh); /* into slot b */
    update_elsewhere(b, 4, b->images.fresh); /* into slot a */
    assert_int_equal(up_device_running(b->device), 0);
    put_package(b, DELTA,
                (struct up_fixture){.core = true,
                                    .sequence = 5,
                                    .core_version = 5,
                                    .image = b->images.fresh,
                                    .image_size = b->images.fresh_size,
                                    .old = b->images.old,
                                    .old_size = b->images.old_size});
    assert_int_equal(world_install(b->device, b->storage, DELTA, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "the delta is against another core than that in slot a"));
    bench_free(b);
}

/* Whichever slot runs, its digest is learned once. */
static void what_was_read_of_the_second_slot_is_known(void **state)
{
    struct bench *b = bench_new(DELTA_ONE_BYTE, UP_NODE_FILE);
    struct up_manifest m;
    struct up_error err;
    char *bytes = sim_get(b->sim, DELTA, NULL);
    int rc;

    (void)state;
    must(up_manifest_parse(&m, bytes + 512, strtoul(bytes + 124, NULL, 8), &err), &err);
    free(bytes);
    update_elsewhere(b, 3, b->images.fresh);
    assert_int_equal(up_device_running(b->device), 1);
    sim_reset_counters(b->sim);
    do
        rc = up_device_learn_source(b->device, &m, &err);
    while (rc == UP_AGAIN);
    assert_int_equal(rc, 0);
    assert_true(sim_calls(b->sim, SIM_PREAD) > 0);
    sim_reset_counters(b->sim);
    must(up_device_learn_source(b->device, &m, &err), &err);
    assert_int_equal(sim_calls(b->sim, SIM_PREAD), 0);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(every_pair_of_images_is_installed),
        CHECK(what_is_no_source_is_refused),
        CHECK(a_delta_of_the_core_that_runs_needs_no_source),
        CHECK(what_was_read_of_a_slot_is_forgotten_when_it_is_written),
        CHECK(what_was_read_of_the_second_slot_is_known),
        CHECK(what_is_mounted_read_only_is_a_source),
        CHECK(a_device_is_not_provisioned_by_delta),
        CHECK(a_device_without_two_slots_refuses_a_delta),
        CHECK(faults_of_the_old_slot_end_the_transaction),
        CHECK(a_source_that_changes_is_noticed_by_the_block),
        CHECK(a_source_that_the_cache_alone_has_wrong_is_read_again),
        CHECK(a_delta_that_cannot_be_decoded_names_the_source),
        CHECK(slot_b_is_a_source_too),
        CHECK(a_delta_is_not_carried_without_its_source),
        CHECK(the_digest_of_a_large_slot_is_learned_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
