/*
 * alloc_check.c -- memory runs out at the n-th allocation, for every n of
 * every flow: the failure is said as what it is, nothing leaks, and the next
 * try succeeds.
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

#include "codec.h"
#include "error.h"
#include "failing.h"
#include "fixture.h"
#include "json_load.h"
#include "keys.h"
#include "minisign.h"
#include "patch.h"
#include "sim_flash.h"
#include "slot.h"
#include "source.h"
#include "variants.h"
#include "verify.h"
#include "world.h"

static unsigned long failed_allocations;

static void done_with(const char *what, unsigned long n)
{
    if (failing_live() > 0)
        fail_msg("%s, allocation %lu failed: %zu blocks leaked", what, n, failing_live());
    failed_allocations++;
}

/* A shortage is an internal error, and no word about package or medium, but for
 * a key or a signature that could not be looked at: that is not trusted, and in
 * the copy of a head that was verified before it is the medium's (UP_WRITE). A
 * verdict may be put off (UP_DEFERRED). What the flow itself answers (a trial that
 * failed, a release in quarantine) may come too. */
static bool may_say(const struct world_plan *plan, int code)
{
    bool fails = plan->verdict != WORLD_CONFIRM;

    return code == UP_OK || code == UP_INTERNAL || code == UP_UNTRUSTED || code == UP_WRITE ||
           code == UP_DEFERRED || (fails && (code == UP_ROLLEDBACK || code == UP_INCOMPATIBLE));
}

static void run_out(const struct world_plan *plan)
{
    struct sim *start = world_new(plan);
    bool met = true;

    for (unsigned long n = 1; met; n++) {
        struct sim *sim = sim_clone(start);
        struct world_log log = {.tampered = true};
        enum world_result result = WORLD_RESTART;

        failing_start(n);
        for (unsigned i = 0; i < 20 && result == WORLD_RESTART; i++) {
            result = world_boot(sim, plan, true, &log);
            if (!may_say(plan, log.code))
                fail_msg("%s, allocation %lu failed: %s (%s)", plan->name, n, up_code_word(log.code),
                         log.bad);
        }
        met = failing_stop() >= n;
        done_with(plan->name, n);
        if (strstr(log.bad, "would start"))
            fail_msg("%s, allocation %lu failed: %s", plan->name, n, log.bad);
        log = (struct world_log){.slot = log.slot};
        world_live(sim, plan, true, &log);
        if (!log.bad[0])
            world_check(sim, plan, true, &log);
        if (log.bad[0] || sim_open_files(sim) > 0)
            fail_msg("%s, allocation %lu failed: then %s, %u files left open", plan->name, n, log.bad,
                     sim_open_files(sim));
        sim_free(sim);
    }
    sim_free(start);
}

static void a_device_survives_running_out_of_memory(void **state)
{
    static const struct world_plan plans[] = {
        {.name = "both", .provisioned = true, .package = WORLD_BOTH},
        {.name = "script crashes", .provisioned = true, .package = WORLD_SCRIPT, .verdict = WORLD_CRASH},
        {.name = "both fails", .provisioned = true, .package = WORLD_BOTH, .verdict = WORLD_FAIL},
        {.name = "slot disarmed", .provisioned = true, .package = WORLD_CORE, .verdict = WORLD_DISARM},
        {.name = "slot dead", .provisioned = true, .package = WORLD_CORE, .verdict = WORLD_DEAD},
        {.name = "both by delta", .provisioned = true, .package = WORLD_BOTH_DELTA},
        {.name = "remote", .provisioned = true, .package = WORLD_REMOTE},
        {.name = "both, U-Boot", .provisioned = true, .package = WORLD_BOTH, .loader = WORLD_UBOOT},
        {.name = "script by permit", .provisioned = true, .package = WORLD_SCRIPT, .permit = true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        run_out(&plans[i]);
}

/* What is tried again and again, one failing allocation after the other. */
struct attempt {
    const char *what;
    int (*make)(struct sim *sim, struct up_error *err);
};

static int make_keys(struct sim *sim, struct up_error *err)
{
    return up_fixture_keys(sim_storage(sim), "/work", true, err);
}

/* A key, a list that adds it, signed by a root key, and the list carried out:
 * each time anew, in a device of its own. */
static int change_keys(struct sim *start, struct up_error *err)
{
    static const char form[] = "{\"format\":\"moult-keys-1\",\"serial\":1,\"add\":"
                               "[{\"name\":\"a\",\"key\":\"%.56s\"}],\"revoke\":[\"0123456789ABCDEF\"]}";
    struct sim *sim = sim_clone(start);
    struct up_storage *s = sim_storage(sim);
    char sig[UP_MINISIG_MAX], text[256], *public;
    struct up_secret *root = NULL;
    uint64_t serial;
    size_t len;
    int rc;

    sim_put_dir(sim, "/work/keys/root", 0755);
    rc = up_signing_key_generate(s, "/work/fresh", err);
    if (rc == 0)
        rc = up_fixture_keys(s, "/work", false, err);
    if (rc == 0)
        rc = up_fixture_keys(s, "/work/keys/root", false, err);
    if (rc == 0)
        rc = up_signing_key_load(&root, s, "/work/fixture.key", err);
    if (rc == 0) {
        public = sim_get(sim, "/work/fresh.pub", NULL);
        snprintf(text, sizeof text, form, strchr(public, '\n') + 1);
        free(public);
        rc = up_signing_key_sign(root, text, strlen(text), "moult keys serial 1", sig, &len, err);
    }
    up_signing_key_free(root);
    if (rc == 0) {
        sim_settle(sim);
        sim_put_text(sim, "/list", text);
        sim_put(sim, "/list.minisig", sig, len, 0644);
        rc = up_keys_apply(&serial, s, "/work/keys", "/list", err);
    }
    if (rc == 0)
        rc = up_keys_settle(s, "/work/keys", err);
    if (rc == 0)
        assert_true(sim_exists(sim, "/work/keys/a.pub") && serial == 1);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return rc;
}

/* Opened for writing and closed again, each kind of flash. */
static int open_flash_slots(struct sim *start, struct up_error *err)
{
    static const enum up_flash_kind kinds[] = {UP_FLASH_NOR, UP_FLASH_NAND, UP_FLASH_UBI};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sim *sim = sim_clone(start);
        struct up_slot *slot = NULL;

        sim_put_flash(sim, "/work/flash", kinds[i], 4, 4096, kinds[i] == UP_FLASH_NAND ? 512 : 1);
        rc = up_slot_open(&slot, sim_storage(sim), "/work/flash", UP_SLOT_WRITE, 10000, err);
        up_slot_close(slot);
        assert_int_equal(sim_open_files(sim), 0);
        sim_free(sim);
    }
    return rc;
}

static int make_package(struct sim *sim, const struct up_fixture *fixture, struct up_error *err)
{
    return up_fixture_pack(sim_storage(sim), "/work/p.upd", "/work", fixture, err);
}

static int make_raw_package(struct sim *sim, struct up_error *err)
{
    return make_package(sim, &(struct up_fixture){.script = true, .core = true}, err);
}

static int make_zstd_package(struct sim *sim, struct up_error *err)
{
    return make_package(sim, &(struct up_fixture){.core = true, .encoding = UP_ZSTD}, err);
}

static int make_lzma_package(struct sim *sim, struct up_error *err)
{
    return make_package(sim, &(struct up_fixture){.core = true, .encoding = UP_LZMA}, err);
}

static int make_delta_package(struct sim *sim, struct up_error *err)
{
    struct up_fixture f = {.core = true, .encoding = UP_LZMA};

    f.image = variant_core(VARIANT_KIN, &f.image_size);
    f.old = variant_core(1, &f.old_size);
    return make_package(sim, &f, err);
}

static int run_patch(struct up_patch *patch, int rc, struct up_error *err)
{
    if (rc == 0)
        do
            rc = up_patch_step(patch, err);
        while (rc == UP_AGAIN);
    up_patch_close(patch);
    return rc;
}

static int make_patch(struct sim *sim, struct up_error *err)
{
    struct up_patch *patch = NULL;
    int rc = up_patch_make(&patch, sim_storage(sim), "/work/old", "/work/new", "/work/patch", UP_LZMA, err);

    return run_patch(patch, rc, err);
}

static int apply_patch(struct sim *sim, struct up_error *err)
{
    struct up_patch *patch = NULL;
    int rc = up_patch_apply(&patch, sim_storage(sim), "/work/old", "/work/patch", "/work/out", err);

    return run_patch(patch, rc, err);
}

static int verify_package(struct sim *sim, struct up_error *err)
{
    struct up_keyring *ring = NULL;
    struct up_source *source = NULL;
    struct up_verify *verify = NULL;
    int rc = up_keyring_load_file(&ring, sim_storage(sim), "/work/fixture.pub", err);

    if (rc == 0)
        rc = up_source_file(&source, sim_storage(sim), "/work/p.upd", err);
    if (rc == 0)
        rc = up_verify_open(&verify, source, sim_storage(sim), ring, err);
    if (rc == 0)
        do
            rc = up_verify_step(verify, err);
        while (rc == UP_AGAIN);
    up_verify_close(verify);
    if (source)
        source->ops->close(source);
    up_keyring_free(ring);
    return rc;
}

static void authoring_survives_running_out_of_memory(void **state)
{
    static const struct attempt attempts[] = {
        {"keys", make_keys},
        {"key list", change_keys},
        {"flash", open_flash_slots},
        {"pack raw", make_raw_package},
        {"verify raw", verify_package},
        {"pack zstd", make_zstd_package},
        {"verify zstd", verify_package},
        {"pack lzma", make_lzma_package},
        {"verify lzma", verify_package},
        {"pack by delta", make_delta_package},
        {"verify by delta", verify_package},
        {"make a patch", make_patch},
        {"apply a patch", apply_patch},
    };
    struct sim *sim = sim_new();
    const void *image;
    size_t size;

    (void)state;
    sim_put_dir(sim, "/work", 0755);
    image = variant_core(1, &size);
    sim_put(sim, "/work/old", image, size, 0644);
    image = variant_core(VARIANT_KIN, &size);
    sim_put(sim, "/work/new", image, size, 0644);
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        bool met = true;

        sim_settle(sim);
        variant_put_key(sim, "/work"); /* packing a fixture takes its keys away */
        for (unsigned long n = 1; met; n++) {
            struct up_error err = {.code = UP_OK};
            int rc;

            failing_start(n);
            rc = attempts[i].make(sim, &err);
            met = failing_stop() >= n;
            done_with(attempts[i].what, n);
            if (rc != 0 && ((rc != UP_INTERNAL && rc != UP_UNTRUSTED) || !met))
                fail_msg("%s, allocation %lu failed: %s (%s)", attempts[i].what, n, err.message,
                         up_code_word(rc));
            assert_int_equal(sim_open_files(sim), 0);
        }
    }
    sim_free(sim);
    print_message("fail-nth-malloc: %lu allocations failed, 0 bad\n", failed_allocations);
}

/* Tokens that outgrow the reader's buffer again and again, one failing
 * allocation after the other: all of the text or nothing. */
static void a_text_is_read_whole_or_not_at_all(void **state)
{
    char text[4096], *at = text;
    json_t *whole, *got;
    json_error_t why;
    bool met = true;

    (void)state;
    at += sprintf(at, "{\"number\":-9223372036854775807,\"texts\":[");
    for (int len = 1; len < 1000; len = 2 * len + 3)
        at += sprintf(at, "\"%0*d\xc3\xa4\\u00e4\",", len, 7);
    sprintf(at, "true,null,1.5e10]}");
    whole = up_json_load(text, strlen(text), 0, &why);
    assert_non_null(whole);
    for (unsigned long n = 1; met; n++) {
        failing_start(n);
        got = up_json_load(text, strlen(text), 0, &why);
        met = failing_stop() >= n;
        if (got ? !json_equal(got, whole) : errno != ENOMEM || !met)
            fail_msg("allocation %lu failed: %s", n, got ? "read as something else" : why.text);
        json_decref(got);
        done_with("JSON", n);
    }
    json_decref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_survives_running_out_of_memory),
        cmocka_unit_test(a_text_is_read_whole_or_not_at_all),
        cmocka_unit_test(authoring_survives_running_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
