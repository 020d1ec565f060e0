/*
 * roots_check.c -- a root of files is refused by what it is, whatever its name.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "roots.h"
#include "sim.h"

struct world {
    struct sim *sim;
    struct up_config config;
    struct up_error err;
};

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.sim = sim_new()};
    up_config_init(&w.config);
    w.config.state = (char *)"/device/state";
    w.config.keys = (char *)"/device/keys";
    w.config.path = (char *)"/etc/moult/config.lua";
    w.config.slot[0] = (char *)"/slots/a.img";
    w.config.slot[1] = (char *)"/slots/b.img";
    w.config.files.root_count = 1;
    sim_put_dir(w.sim, "/device/state", 0700);
    sim_put_dir(w.sim, "/device/keys", 0700);
    sim_put_dir(w.sim, "/mnt/app/data", 0755);
    sim_put_text(w.sim, "/etc/moult/config.lua", "return {}");
    sim_put_text(w.sim, "/slots/a.img", "a");
    sim_put_text(w.sim, "/slots/b.img", "b");
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sim_free(w->sim);
    return 0;
}

static int ask(struct world *w, const char *root)
{
    w->config.files.root[0].path = root;
    return up_roots_check(&w->config, sim_storage(w->sim), &w->err);
}

static void refused(struct world *w, const char *root, const char *fragment)
{
    assert_int_equal(ask(w, root), UP_INCOMPATIBLE);
    if (!strstr(w->err.message, fragment))
        fail_msg("%s: %s", root, w->err.message);
}

static void a_root_apart_is_taken(void **state)
{
    struct world *w = *state;

    assert_int_equal(ask(w, "/mnt/app"), 0);
    assert_int_equal(ask(w, "/mnt/late"), 0); /* not mounted yet */
    w->config.files.root_count = 2;
    w->config.files.root[1].path = "/device/app";
    sim_put_dir(w->sim, "/device/app", 0755);
    assert_int_equal(ask(w, "/mnt/app"), 0);
    w->config.files.root_count = 0;
    refused(w, "/mnt/app", "names no files.roots");
}

static void what_the_device_lives_on_is_refused(void **state)
{
    struct world *w = *state;

    refused(w, "/", "the root / holds the state directory, /device/state");
    refused(w, "/device", "holds the state directory");
    refused(w, "/device/state", "the state directory");
    sim_put_dir(w->sim, "/device/keys/app", 0755);
    refused(w, "/device/keys/app", "is in the directory of keys, /device/keys");
    refused(w, "/etc", "holds the configuration, /etc/moult/config.lua");
    refused(w, "/slots", "holds the slot, /slots/a.img");
    w->config.fw_env = (char *)"/env/fw_env.config";
    sim_put_text(w->sim, "/env/fw_env.config", "");
    refused(w, "/env", "holds the file fw_env");
    w->config.journal_dir = (char *)"/second/journal"; /* not made yet */
    sim_put_dir(w->sim, "/second", 0755);
    refused(w, "/second", "holds the directory of the journal");
}

static void another_name_of_it_is_refused(void **state)
{
    struct world *w = *state;

    sim_put_link(w->sim, "/mnt/link", "/device/state");
    refused(w, "/mnt/link", "the state directory");
    sim_put_dir(w->sim, "/device/state/app", 0755);
    refused(w, "/mnt/link/app", "is in the state directory");
    sim_put_link(w->sim, "/data", "/mnt/big/data");
    sim_put_dir(w->sim, "/mnt/big/data/state", 0700);
    w->config.state = (char *)"/data/state";
    refused(w, "/mnt/big", "holds the state directory, /data/state");
}

static void roots_are_apart_from_one_another(void **state)
{
    struct world *w = *state;

    w->config.files.root_count = 2;
    w->config.files.root[1].path = "/mnt/app/data";
    refused(w, "/mnt/app", "the root /mnt/app holds another one, /mnt/app/data");
    w->config.files.root[1].path = "/mnt/app";
    refused(w, "/mnt/app/data", "the root /mnt/app holds another one, /mnt/app/data");
    sim_put_link(w->sim, "/app", "/mnt/app");
    refused(w, "/app", "holds another one, /mnt/app");
}

static void a_root_on_a_slot_is_refused(void **state)
{
    struct world *w = *state;

    sim_put_block(w->sim, "/dev/slot", 4096);
    sim_put_block(w->sim, "/dev/disk", 4096);
    sim_set_medium(w->sim, "/mnt/app", "/dev/slot", NULL);
    w->config.slot[0] = (char *)"/dev/disk";
    assert_int_equal(ask(w, "/mnt/app"), 0);
    w->config.slot[1] = (char *)"/dev/slot";
    refused(w, "/mnt/app", "the root /mnt/app is on the slot, /dev/slot");
}

static void what_cannot_be_looked_at_is_not_taken(void **state)
{
    struct world *w = *state;
    unsigned calls;

    assert_int_equal(ask(w, "/mnt/app"), 0);
    calls = sim_calls(w->sim, SIM_STAT);
    assert_true(calls > 4);
    for (unsigned n = 1; n <= calls; n++) {
        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_STAT, n, EIO, false);
        assert_int_equal(ask(w, "/mnt/app"), UP_WRITE);
    }
}

static void this_program_is_in_no_root(void **state)
{
    struct up_storage *s = up_storage_system();
    struct world *w = *state;
    char here[UP_PATH_SIZE], folder[] = "/tmp/rootsXXXXXX", *slash;
    int rc;
    ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);

    assert_true(n > 0);
    here[n] = '\0';
    slash = strrchr(here, '/');
    *slash = '\0';
    w->config = (struct up_config){
        .state = (char *)"/nowhere/state", .keys = (char *)"/nowhere/keys", .files.root_count = 1};
    w->config.files.root[0].path = here;
    assert_int_equal(up_roots_check(&w->config, s, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, "holds this program or a library of it"));
    w->config.files.root[0].path = "/lib";
    assert_int_equal(up_roots_check(&w->config, s, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, ".so"));
    assert_non_null(mkdtemp(folder));
    w->config.files.root[0].path = folder;
    rc = up_roots_check(&w->config, s, &w->err);
    rmdir(folder);
    assert_int_equal(rc, 0);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_root_apart_is_taken),         CHECK(what_the_device_lives_on_is_refused),
        CHECK(another_name_of_it_is_refused), CHECK(roots_are_apart_from_one_another),
        CHECK(a_root_on_a_slot_is_refused),   CHECK(what_cannot_be_looked_at_is_not_taken),
        CHECK(this_program_is_in_no_root),
    };

    return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
