/*
 * install_check.c -- what stands between a package and an armed device, one
 * barrier a check: each package or medium here passes all the others.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "digest.h"
#include "error.h"
#include "fixture.h"
#include "index.h"
#include "minisign.h"
#include "package.h"
#include "sim.h"
#include "source.h"
#include "tar.h"
#include "transfer.h"
#include "variants.h"
#include "world.h"

#define NEXT "/packages/next.upd"
#define KEYS "/device/keys"

static const struct world_plan plan = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};

struct stand {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    struct up_keyring *ring;
    struct up_source *source;
    struct up_package *package;
    struct up_error err;
};

static void stand_up(struct stand *s)
{
    enum up_start_action action;

    *s = (struct stand){.sim = world_new(&plan)};
    s->storage = sim_storage(s->sim);
    world_configure(&s->config);
    if (up_device_open(&s->device, s->storage, &s->config, UP_DEVICE_LOCK, &s->err) < 0 ||
        up_device_start(s->device, &action, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static void stand_free(struct stand *s)
{
    up_package_free(s->package);
    if (s->source)
        s->source->ops->close(s->source);
    up_keyring_free(s->ring);
    up_device_close(s->device);
    up_config_free(&s->config);
    assert_int_equal(sim_open_files(s->sim), 0);
    sim_free(s->sim);
}

static void put_package(struct stand *s, struct up_fixture f)
{
    f.script = true;
    f.sequence = 2;
    f.version = "1.0.2";
    f.seed = 9;
    if (f.encoding == UP_ZEROS)
        f.encoding = UP_ZSTD;
    if (up_fixture_pack(s->storage, NEXT, "/packages", &f, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* The head is read and the transaction begun. */
static void begin(struct stand *s)
{
    char spool[256];

    if (up_keyring_load(&s->ring, s->storage, KEYS, &s->err) < 0 ||
        up_source_file(&s->source, s->storage, NEXT, &s->err) < 0 ||
        up_device_spool(s->device, spool, sizeof spool, &s->err) < 0 ||
        up_package_open(&s->package, s->source, s->storage, s->ring, spool, &s->err) < 0 ||
        up_package_step(s->package, &s->err) < 0 ||
        up_device_begin(s->device, up_package_manifest(s->package), &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* A link that dies after so many bytes. It gives what the file gives, and counts. */
struct dying {
    struct up_source base;
    struct up_source *file;
    uint64_t each, left, given;
};

static long dying_read(struct up_source *source, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct dying *d = (struct dying *)source;
    long n;

    if (d->left == 0)
        return up_fail(err, UP_NETWORK, "link: died");
    n = d->file->ops->read(d->file, offset, buf, len < d->left ? len : (size_t)d->left, err);
    if (n > 0) {
        d->left -= (uint64_t)n;
        d->given += (uint64_t)n;
    }
    return n;
}

static const struct up_source_ops dying_ops = {.read = dying_read};

static struct dying dying(const struct stand *s, uint64_t each)
{
    return (struct dying){.base = {.ops = &dying_ops, .size = s->source->size, .remote = true},
                          .file = s->source,
                          .each = each};
}

static int transfer(struct stand *s)
{
    struct up_transfer *transfer;
    int rc = up_transfer_open(&transfer, s->device, s->package, s->source, &s->err);

    if (rc < 0)
        return rc;
    do
        rc = up_transfer_step(transfer, &s->err);
    while (rc == 1);
    up_transfer_close(transfer);
    return rc;
}

static int finish(struct stand *s)
{
    int rc;

    do
        rc = up_device_finish(s->device, up_package_manifest(s->package), &s->err);
    while (rc == UP_AGAIN);
    return rc;
}

static int transfer_from(struct stand *s, struct up_source *source, uint64_t *done)
{
    struct up_transfer *transfer;
    struct up_transfer_progress progress;
    int rc = up_transfer_open(&transfer, s->device, s->package, source, &s->err);

    if (rc < 0)
        return rc;
    do
        rc = up_transfer_step(transfer, &s->err);
    while (rc == 1);
    up_transfer_progress(transfer, &progress);
    *done = progress.done;
    up_transfer_close(transfer);
    return rc;
}

/* Each transfer is a new one, as after a restart: nothing but the spool is carried over. */
static void gets_through(enum up_encoding encoding)
{
    struct up_fixture f = {.script_files = 60, .encoding = encoding};
    struct stand s;
    struct dying link;
    uint64_t done = 0, before = 0, turns = 0;
    int rc;

    stand_up(&s);
    put_package(&s, f);
    begin(&s);
    link = dying(&s, 1800);
    do {
        link.left = link.each;
        before = done;
        rc = transfer_from(&s, &link.base, &done);
        turns++;
        assert_true(rc == 0 || (rc == UP_NETWORK && done >= before && turns < 1000));
    } while (rc < 0);
    /* The header before the blocks is compared each time. */
    assert_true(turns > 1 && link.given <= up_package_layout(s.package)->size + 512 * turns);
    assert_int_equal(finish(&s), 0);
    stand_free(&s);
}

static void a_link_that_dies_within_every_block_gets_through(void **state)
{
    (void)state;
    gets_through(UP_ZSTD);
    gets_through(UP_RAW); /* a block is more than a link brings */
}

/* Who arms later: everything is read back, and the phase stays installing until finish(). */
static void what_is_prepared_is_armed_by_finish_alone(void **state)
{
    struct stand s;
    int rc;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){.script_files = 5});
    begin(&s);
    assert_int_equal(transfer(&s), 0);
    do
        rc = up_device_prepare(s.device, up_package_manifest(s.package), &s.err);
    while (rc == UP_AGAIN);
    assert_int_equal(rc, 0);
    assert_int_equal(up_device_state(s.device)->phase, UP_INSTALLING);
    assert_int_equal(up_device_prepare(s.device, up_package_manifest(s.package), &s.err), 0);
    assert_int_equal(up_device_finish(s.device, up_package_manifest(s.package), &s.err), 0);
    assert_int_equal(up_device_state(s.device)->phase, UP_ARMED);
    stand_free(&s);
}

/* It may be replaced or dropped until then; the next one is read back on its own. */
static void what_is_prepared_may_be_dropped(void **state)
{
    struct stand s;
    int rc;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){.script_files = 5});
    begin(&s);
    assert_int_equal(transfer(&s), 0);
    do
        rc = up_device_prepare(s.device, up_package_manifest(s.package), &s.err);
    while (rc == UP_AGAIN);
    assert_int_equal(rc, 0);
    assert_int_equal(up_device_abandon(s.device, UP_REFUSED, "another is wanted", &s.err), 0);
    assert_int_equal(up_device_state(s.device)->phase, UP_IDLE);
    assert_int_equal(up_device_finish(s.device, up_package_manifest(s.package), &s.err), UP_NOTHING);
    stand_free(&s);
}

/* One transfer over many links: what came, or was compared, is not asked for again. */
static void a_transfer_goes_on_over_another_link(void **state)
{
    struct up_transfer *transfer;
    struct up_fixture f = {.script_files = 60};
    struct dying link[2];
    struct stand s;
    unsigned turns = 0;
    int rc;

    (void)state;
    stand_up(&s);
    put_package(&s, f);
    begin(&s);
    link[0] = link[1] = dying(&s, 1800);
    assert_int_equal(up_transfer_open(&transfer, s.device, s.package, &link[0].base, &s.err), 0);
    do {
        struct dying *l = &link[turns++ % 2];

        l->left = l->each;
        up_transfer_go_on(transfer, &l->base);
        do
            rc = up_transfer_step(transfer, &s.err);
        while (rc == 1);
        assert_true(rc == 0 || (rc == UP_NETWORK && turns < 1000));
    } while (rc < 0);
    up_transfer_close(transfer);
    assert_true(turns > 2);
    assert_int_equal(link[0].given + link[1].given,
                     up_package_layout(s.package)->size - up_package_layout(s.package)->head_size);
    assert_int_equal(finish(&s), 0);
    stand_free(&s);
}

/* Also within a block: each link brings the whole on. */
static void progress_tells_what_came_and_of_which_part(void **state)
{
    struct up_transfer_progress progress = {0};
    struct up_transfer *transfer;
    struct dying link;
    struct stand s;
    uint64_t first;
    int rc;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){.core = true, .core_version = 2, .encoding = UP_RAW});
    begin(&s);
    first = up_package_manifest(s.package)->part[0].data_size;
    link = dying(&s, 1800);
    assert_int_equal(up_transfer_open(&transfer, s.device, s.package, &link.base, &s.err), 0);
    do {
        struct up_transfer_progress before = progress;

        link.left = link.each;
        up_transfer_go_on(transfer, &link.base);
        do {
            up_transfer_progress(transfer, &progress);
            if (progress.done != first)
                assert_int_equal(progress.part, progress.done < first ? UP_SCRIPT : UP_CORE);
            rc = up_transfer_step(transfer, &s.err);
        } while (rc == 1);
        up_transfer_progress(transfer, &progress);
        assert_true(progress.done > before.done || progress.done == progress.total);
    } while (rc == UP_NETWORK);
    assert_int_equal(rc, 0);
    assert_int_equal(progress.done, progress.total);
    up_transfer_close(transfer);
    stand_free(&s);
}

/* Flash is not written at each death of a link, but before a long silence. */
static void an_unfinished_block_is_kept_once_a_link_brings_nothing(void **state)
{
    struct up_transfer *transfer;
    struct dying link;
    struct stand s;
    char path[256];

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){0});
    begin(&s);
    assert_int_equal(up_device_spool(s.device, path, sizeof path, &s.err), 0);
    strcat(path, "/unfinished");
    link = dying(&s, 700);
    link.left = 700;
    assert_int_equal(up_transfer_open(&transfer, s.device, s.package, &link.base, &s.err), 0);
    assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
    up_transfer_go_on(transfer, &link.base);
    assert_false(sim_exists(s.sim, path));
    assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
    up_transfer_go_on(transfer, &link.base);
    assert_true(sim_exists(s.sim, path));
    link.left = 1 << 20;
    while (up_transfer_step(transfer, &s.err) == 1)
        ;
    assert_false(sim_exists(s.sim, path)); /* of no more use */
    up_transfer_close(transfer);
    assert_int_equal(finish(&s), 0);
    stand_free(&s);
}

/* Of a file that is there after a power cut, however little of the rest is. */
static size_t durable_size(const struct sim *sim, const char *path)
{
    struct sim *after = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    size_t size;

    free(sim_get(after, path, &size));
    sim_free(after);
    return size;
}

/* What is kept of a link so slow that a block takes long, and no more than that of a fast one. */
static void an_unfinished_block_of_a_slow_link_is_kept_as_it_grows(void **state)
{
    struct up_transfer *transfer;
    struct dying link;
    struct stand s;
    char path[256], *text;
    size_t len;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){0});
    begin(&s);
    assert_int_equal(up_device_spool(s.device, path, sizeof path, &s.err), 0);
    strcat(path, "/unfinished");
    link = dying(&s, 0);
    assert_int_equal(up_transfer_open(&transfer, s.device, s.package, &link.base, &s.err), 0);
    for (unsigned i = 0; i < 4; i++) {
        link.left = i ? 10 : 700; /* the header comes first */
        assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
        assert_int_equal(sim_exists(s.sim, path), i > 1);
        sim_advance(s.sim, 3000);
    }
    assert_int_equal(up_storage_read_file(s.storage, path, 1 << 20, &text, &len, &s.err), 0);
    assert_int_equal(len, 32 + link.given - 512 - 2 * 10); /* of the last two not yet */
    free(text);
    up_transfer_close(transfer);
    assert_int_equal(durable_size(s.sim, path), 32 + link.given - 512);
    link.left = 1 << 20;
    link.given = 0;
    assert_int_equal(transfer_from(&s, &link.base, &(uint64_t){0}), 0);
    assert_int_equal(link.given, up_package_layout(s.package)->size -
                                     up_package_layout(s.package)->head_size - (700 + 3 * 10 - 512));
    assert_false(sim_exists(s.sim, path)); /* of no more use */
    assert_int_equal(finish(&s), 0);
    stand_free(&s);
}

static void it_is_kept_once_in_five_seconds(void **state)
{
    static const uint64_t waits[] = {4999, 5000};
    struct up_transfer *transfer;
    struct dying link;
    struct stand s;
    char path[256];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        stand_up(&s);
        put_package(&s, (struct up_fixture){0});
        begin(&s);
        assert_int_equal(up_device_spool(s.device, path, sizeof path, &s.err), 0);
        strcat(path, "/unfinished");
        link = dying(&s, 0);
        assert_int_equal(up_transfer_open(&transfer, s.device, s.package, &link.base, &s.err), 0);
        link.left = 700; /* the header comes first */
        assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
        sim_advance(s.sim, waits[i]);
        link.left = 10;
        assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
        assert_int_equal(sim_exists(s.sim, path), waits[i] >= 5000);
        sim_advance(s.sim, 5000);
        sim_fail(s.sim, SIM_PWRITE, 1, ENOSPC, true);
        link.left = 10;
        assert_int_equal(up_transfer_step(transfer, &s.err), UP_NETWORK);
        assert_false(sim_exists(s.sim, path)); /* half a file takes room for nothing */
        up_transfer_close(transfer);
        stand_free(&s);
    }
}

/* Its last byte, or what says of which block it is; then nothing of it is taken. */
static void an_unfinished_block_that_changed_is_fetched_again(void **state)
{
    struct stand s;
    struct dying link;
    uint64_t done;
    char path[256], *text;
    size_t len;

    (void)state;
    for (int of_another = 0; of_another < 2; of_another++) {
        stand_up(&s);
        put_package(&s, (struct up_fixture){0});
        begin(&s);
        link = dying(&s, 700);
        link.left = 700;
        assert_int_equal(transfer_from(&s, &link.base, &done), UP_NETWORK);
        assert_int_equal(up_device_spool(s.device, path, sizeof path, &s.err), 0);
        strcat(path, "/unfinished");
        assert_int_equal(up_storage_read_file(s.storage, path, 1 << 20, &text, &len, &s.err), 0);
        /* A link that brings the header before it, and nothing of it, costs no write. */
        sim_reset_counters(s.sim);
        link.left = 512;
        assert_int_equal(transfer_from(&s, &link.base, &done), UP_NETWORK);
        assert_int_equal(sim_ops(s.sim), 0);
        text[of_another ? 0 : len - 1] ^= 1;
        assert_int_equal(up_storage_write_file(s.storage, path, text, len, 0600, &s.err), 0);
        free(text);
        link.left = 1 << 20;
        link.given = 0;
        assert_int_equal(transfer_from(&s, &link.base, &done), 0);
        if (of_another)
            assert_int_equal(link.given,
                             up_package_layout(s.package)->size - up_package_layout(s.package)->head_size);
        assert_int_equal(finish(&s), 0);
        stand_free(&s);
    }
}

/* Fetching may take days. */
static void gates_are_asked_again_before_anything_is_armed(void **state)
{
    struct stand s;

    (void)state;
    for (int late = 0; late < 2; late++) {
        stand_up(&s);
        put_package(&s, (struct up_fixture){.not_after = up_device_time(s.device) + 1000});
        begin(&s);
        assert_int_equal(transfer(&s), 0);
        sim_set_now(s.sim, up_device_time(s.device) + (late ? 2000 : 500));
        assert_int_equal(finish(&s), late ? UP_INCOMPATIBLE : 0);
        assert_int_equal(up_device_state(s.device)->phase, late ? UP_INSTALLING : UP_ARMED);
        if (late)
            assert_non_null(strstr(s.err.message, "gate not_after"));
        stand_free(&s);
    }
}

/* Before anything is made of it. */
static void a_spool_that_the_medium_spoiled_is_not_extracted(void **state)
{
    struct stand s;
    int file;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){.script_files = 2});
    begin(&s);
    assert_int_equal(transfer(&s), 0);
    file = s.storage->ops->open(s.storage, "/device/state/tx/script.tar", UP_UPDATE, 0);
    assert_int_equal(s.storage->ops->pwrite(s.storage, file, "~", 1, 600), 0);
    s.storage->ops->close(s.storage, file);
    assert_int_equal(finish(&s), UP_WRITE);
    assert_string_equal(s.err.message, "script: block 0 reads back differently from what was written");
    assert_false(sim_exists(s.sim, "/device/state/script/2"));
    stand_free(&s);
}

/* What was made of it, or is kept beside it, reads back differently: the next try makes it anew, and
 * nothing is said against who signed it. */
static void a_script_that_the_medium_spoiled_does_not_stay(void **state)
{
    unsigned spoiled = 0;
    int rc = UP_WRITE;

    (void)state;
    for (unsigned n = 1; rc < 0; n++) {
        struct stand s;

        stand_up(&s);
        put_package(&s, (struct up_fixture){.script_files = 2});
        begin(&s);
        assert_int_equal(transfer(&s), 0);
        sim_reset_counters(s.sim);
        sim_flip_medium(s.sim, n);
        rc = finish(&s);
        if (rc < 0 && rc != UP_WRITE)
            fail_msg("write %u: %s", n, s.err.message);
        if (rc < 0 && strncmp(s.err.message, "/device/state/journal", 21) != 0) {
            assert_false(sim_exists(s.sim, "/device/state/script/2"));
            spoiled++;
        }
        stand_free(&s);
    }
    assert_true(spoiled > 3);
}

/* Sign the manifest of the package again, and put it back in its place. */
static void sign_again(struct stand *s, char *bytes, size_t size)
{
    char sig[UP_MINISIG_MAX], *old = bytes + 1024 + up_tar_padded(size);
    struct sim *scratch = sim_new();
    struct up_secret *key;
    size_t len;

    sim_put_dir(scratch, "/keys", 0755);
    assert_int_equal(up_fixture_keys(sim_storage(scratch), "/keys", false, &s->err), 0);
    assert_int_equal(up_signing_key_load(&key, sim_storage(scratch), "/keys/fixture.key", &s->err), 0);
    assert_int_equal(
        up_signing_key_sign(key, bytes + 512, size, "moult manifest sequence 2", sig, &len, &s->err), 0);
    up_signing_key_free(key);
    sim_free(scratch);
    assert_int_equal(strtoul(bytes + 512 + up_tar_padded(size) + 124, NULL, 8), len);
    memcpy(old, sig, len);
}

/* A packer that is wrong, or lies: what a block decodes to is not what its index
 * says, and all of it is signed. Nothing of it is written. */
static void a_block_that_decodes_to_something_else_is_not_written(void **state)
{
    struct stand s;
    size_t len, size;
    char *bytes, *at, was[65], is[65];
    uint8_t digest[UP_SHA256_SIZE], *index;
    struct up_manifest m;
    struct up_package_layout layout;

    (void)state;
    stand_up(&s);
    put_package(&s, (struct up_fixture){.script_files = 2});
    sim_settle(s.sim);
    bytes = sim_get(s.sim, NEXT, &len);
    size = strtoul(bytes + 124, NULL, 8);
    assert_int_equal(up_manifest_parse(&m, bytes + 512, size, &s.err), 0);
    up_package_layout_of(&layout, &m, size, strtoul(bytes + 512 + up_tar_padded(size) + 124, NULL, 8));
    index = (uint8_t *)bytes + layout.index_offset[0];
    up_hex(m.part[0].index_digest, 32, was);
    index[UP_INDEX_HEAD + 48] ^= 1; /* of the decoded bytes of block 0 */
    up_sha256(index, (size_t)m.part[0].index_size, digest);
    up_hex(digest, sizeof digest, is);
    at = memmem(bytes + 512, size, was, 64);
    assert_non_null(at);
    memcpy(at, is, 64);
    sign_again(&s, bytes, size);
    sim_put(s.sim, NEXT, bytes, len, 0644);
    free(bytes);
    begin(&s);
    assert_int_equal(transfer(&s), UP_CORRUPT);
    assert_string_equal(s.err.message, "script: block 0 decodes to something else than was signed");
    bytes = sim_get(s.sim, "/device/state/tx/script.tar", &len);
    assert_int_equal(len, 0);
    free(bytes);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_dies_within_every_block_gets_through),
        cmocka_unit_test(what_is_prepared_is_armed_by_finish_alone),
        cmocka_unit_test(what_is_prepared_may_be_dropped),
        cmocka_unit_test(a_transfer_goes_on_over_another_link),
        cmocka_unit_test(progress_tells_what_came_and_of_which_part),
        cmocka_unit_test(an_unfinished_block_is_kept_once_a_link_brings_nothing),
        cmocka_unit_test(an_unfinished_block_of_a_slow_link_is_kept_as_it_grows),
        cmocka_unit_test(it_is_kept_once_in_five_seconds),
        cmocka_unit_test(an_unfinished_block_that_changed_is_fetched_again),
        cmocka_unit_test(gates_are_asked_again_before_anything_is_armed),
        cmocka_unit_test(a_spool_that_the_medium_spoiled_is_not_extracted),
        cmocka_unit_test(a_script_that_the_medium_spoiled_does_not_stay),
        cmocka_unit_test(a_block_that_decodes_to_something_else_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
