/*
 * status_check.c -- how far an open transaction is, block by block, and which
 * pair counts as the device's in every phase.
 */
#include "status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocks.h"
#include "minisign.h"
#include "package.h"
#include "records.h"
#include "source.h"
#include "world.h"

static struct sim *sim;
static struct up_storage *storage;
static struct up_config config;
static struct up_device *device;
static struct up_error err;

static void must(int rc)
{
    if (rc < 0)
        fail_msg("%s", err.message);
}

static void power_on(void)
{
    enum up_start_action action;

    must(up_device_open(&device, storage, &config, UP_DEVICE_LOCK, &err));
    must(up_device_start(device, &action, &err));
}

static int set_up(void **state)
{
    (void)state;
    sim = world_new(&(struct world_plan){.name = "both", .provisioned = true, .package = WORLD_BOTH});
    storage = sim_storage(sim);
    world_configure(&config);
    power_on();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    up_device_close(device);
    up_config_free(&config);
    sim_free(sim);
    return 0;
}

/* What the agent does until the first block comes. */
static void begin(struct up_manifest *m)
{
    struct up_package *package;
    struct up_keyring *ring;
    struct up_source *source;
    char spool[256];

    must(up_keyring_load(&ring, storage, config.keys, &err));
    must(up_source_file(&source, storage, "/packages/both.upd", &err));
    must(up_device_spool(device, spool, sizeof spool, &err));
    must(up_package_open(&package, source, storage, ring, spool, &err));
    must(up_package_step(package, &err));
    must(up_device_begin(device, up_package_manifest(package), &err));
    *m = *up_package_manifest(package);
    up_package_free(package);
    source->ops->close(source);
    up_keyring_free(ring);
}

/* How many bytes are stored of each block of a part. */
static uint32_t stored_sizes(const struct up_part *part, uint64_t *sizes, uint32_t at)
{
    struct up_blocks *blocks;
    struct up_block block;
    char spool[256];

    up_device_path(device, "tx", spool, sizeof spool);
    must(up_blocks_open(&blocks, storage, spool, part, &err));
    for (uint32_t i = 0; i < up_blocks_count(blocks); i++) {
        assert_true(at < 100);
        must(up_blocks_get(blocks, i, &block, &err));
        sizes[at++] = block.stored;
    }
    up_blocks_close(blocks);
    return at;
}

static void progress_counts_the_blocks_that_are_in_place(void **state)
{
    struct up_status_progress p;
    struct up_manifest m;
    uint64_t sizes[100], done = 0, total = 0;
    uint32_t first, count;

    (void)state;
    assert_int_equal(up_status_progress(device, &p, &err), UP_NOTHING);
    assert_string_equal(err.message, "no transaction is open");
    begin(&m);
    assert_int_equal(m.part_count, 2);
    first = stored_sizes(&m.part[0], sizes, 0);
    count = stored_sizes(&m.part[1], sizes, first);
    assert_true(first > 0 && count > first);
    for (uint32_t i = 0; i < count; i++)
        total += sizes[i];
    for (uint32_t n = 0; n <= count; n++) {
        must(up_device_hint(device, n, &err));
        must(up_status_progress(device, &p, &err));
        assert_int_equal(p.done, done);
        assert_int_equal(p.total, total);
        assert_int_equal(p.part, m.part[n > first].kind);
        done += n < count ? sizes[n] : 0;
    }
    must(up_device_hint(device, count + 5, &err)); /* no more than there is */
    must(up_status_progress(device, &p, &err));
    assert_int_equal(p.done, total);
}

/* The transfer neither counts nor fetches it, so the hint is about the other part alone. */
static void progress_is_that_of_the_parts_that_are_taken(void **state)
{
    struct up_journal_state *journal = (struct up_journal_state *)up_device_state(device);
    struct up_status_progress p;
    struct up_manifest m;
    uint64_t sizes[100], done, total;

    (void)state;
    begin(&m);
    for (unsigned i = 0; i < m.part_count; i++) {
        uint32_t count = stored_sizes(&m.part[i], sizes, 0);

        journal->tx.parts = (uint8_t)(1u << m.part[i].kind);
        done = total = 0;
        for (uint32_t n = 0; n < count; n++)
            total += sizes[n];
        for (uint32_t n = 0; n <= count; n++) {
            journal->tx.hint = n;
            must(up_status_progress(device, &p, &err));
            assert_int_equal(p.done, done);
            assert_int_equal(p.total, total);
            assert_int_equal(p.part, m.part[i].kind);
            done += n < count ? sizes[n] : 0;
        }
    }
}

static void progress_that_cannot_be_told_says_why(void **state)
{
    struct up_status_progress p;
    struct up_manifest m;
    char path[256];

    (void)state;
    begin(&m);
    must(up_device_hint(device, 1, &err));
    for (unsigned n = 1;; n++) { /* whatever cannot be read */
        int rc;

        sim_reset_counters(sim);
        sim_fail(sim, SIM_PREAD, n, EIO, true);
        rc = up_status_progress(device, &p, &err);
        sim_fail(sim, SIM_OPS, 0, 0, false);
        assert_int_equal(sim_open_files(sim), 1); /* the lock */
        if (rc == 0) {
            assert_true(n > 3);
            break;
        }
        assert_int_equal(rc, err.code);
        if (rc != UP_WRITE && rc != UP_UNTRUSTED)
            fail_msg("read %u failed: %d %s", n, rc, err.message);
    }
    up_device_path(device, "tx/script.idx", path, sizeof path);
    assert_int_equal(storage->ops->unlink(storage, path), 0);
    assert_int_equal(up_status_progress(device, &p, &err), UP_MISSING);
}

/* The spool was cut: that is no failed read. */
static void progress_by_half_an_index_is_not_told(void **state)
{
    static const uint64_t sizes[] = {UP_INDEX_HEAD + 1, UP_INDEX_HEAD, UP_INDEX_HEAD - 1, 0};
    struct up_status_progress p;
    struct up_manifest m;
    char path[256];
    int file;

    (void)state;
    begin(&m);
    must(up_device_hint(device, 1, &err));
    up_device_path(device, "tx/script.idx", path, sizeof path);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        file = storage->ops->open(storage, path, UP_UPDATE, 0);
        assert_int_equal(storage->ops->truncate(storage, file, sizes[i]), 0);
        storage->ops->close(storage, file);
        assert_int_equal(up_status_progress(device, &p, &err), UP_UNTRUSTED);
    }
}

static void the_confirmed_pair_stays_until_another_is(void **state)
{
    const struct up_pair *old = up_status_confirmed(device), *pair;
    char release[sizeof old->release];
    struct up_status_progress p;

    (void)state;
    strcpy(release, old->release);
    assert_string_equal(up_status_running(device)->release, release);
    must(world_install(device, storage, "/packages/both.upd", &err));
    assert_string_equal(up_status_confirmed(device)->release, release); /* armed */
    assert_string_equal(up_status_running(device)->release, release);
    must(up_status_progress(device, &p, &err));
    assert_true(p.done == p.total && p.total > 0 && p.part == UP_CORE);
    up_device_close(device);
    power_on(); /* the new core runs, on trial */
    assert_string_equal(up_status_confirmed(device)->release, release);
    pair = up_status_running(device);
    assert_string_not_equal(pair->release, release);
    strcpy(release, pair->release);
    must(up_device_confirm(device, &err));
    assert_string_equal(up_status_confirmed(device)->release, release);
    assert_string_equal(up_status_running(device)->release, release);
}

static void replace(char **setting, const char *value)
{
    free(*setting);
    *setting = strdup(value);
}

static void the_records_are_told(void **state)
{
    struct up_records_view view[UP_RECORDS];
    struct up_keyset set = {.serial = 1};
    char lost[256];
    char far[5000];

    (void)state;
    assert_int_equal(up_records_inspect(view, storage, &config, &err), config.boot == UP_BOOT_FILE ? 2 : 1);
    assert_string_equal(view[0].name, "journal");
    assert_string_equal(view[0].file[0].state, "whole");
    assert_string_equal(view[0].file[1].state, "whole");
    if (config.boot == UP_BOOT_FILE) {
        assert_string_equal(view[1].name, "boot");
        assert_string_equal(view[1].file[0].state, "whole");
        assert_string_equal(view[1].file[1].state, "whole");
    }
    if (config.boot == UP_BOOT_FILE) { /* a list of keys came, and one file of it was lost */
        must(up_keyset_write(&set, storage, config.keys, &err));
        snprintf(lost, sizeof lost, "%s/set.1", config.keys);
        assert_int_equal(storage->ops->unlink(storage, lost), 0);
        assert_int_equal(up_records_inspect(view, storage, &config, &err), 3);
        assert_string_equal(view[2].file[1].state, "absent");
    }
    replace(&config.journal_dir, "/elsewhere");
    assert_true(up_records_inspect(view, storage, &config, &err) > 0);
    assert_non_null(strstr(view[0].file[1].path, "/elsewhere"));
    memset(far, 'x', sizeof far - 1);
    far[0] = '/';
    far[sizeof far - 1] = '\0';
    replace(&config.keys, far);
    assert_true(up_records_inspect(view, storage, &config, &err) < 0);
    replace(&config.keys, "/keys");
    replace(&config.state, far);
    config.boot = UP_BOOT_NONE;
    assert_true(up_records_inspect(view, storage, &config, &err) < 0);
}

/* Whatever of the records could not be opened for want of descriptors, says so. */
static void records_that_cannot_be_opened_are_no_lost_ones(void **state)
{
    struct up_records_view view[UP_RECORDS];
    unsigned hits = 1;

    (void)state;
    for (unsigned n = 1; hits > 0; n++) {
        int rc;

        sim_reset_counters(sim);
        sim_fail(sim, SIM_OPEN, n, EMFILE, false);
        rc = up_records_inspect(view, storage, &config, &err);
        hits = sim_fault_hits(sim);
        assert_int_equal(rc<0, hits> 0);
    }
    sim_fail(sim, SIM_OPEN, 0, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(progress_counts_the_blocks_that_are_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_is_that_of_the_parts_that_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_that_cannot_be_told_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_by_half_an_index_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_confirmed_pair_stays_until_another_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_records_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_that_cannot_be_opened_are_no_lost_ones, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
