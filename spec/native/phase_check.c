/*
 * phase_check.c -- what does not fit the phase of a device is refused in words
 * and changes nothing; phases that a caller finds half done go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "device_private.h"
#include "fixture.h"
#include "history.h"
#include "stand.h"
#include "variants.h"
#include "world_files.h"

#define SCRIPT "/packages/script.upd"
#define CORE "/packages/core.upd"

#define NEXT "/packages/next.upd"
#define SLOT_A "/device/slot-a.img"

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
static const struct world_plan by_core = {.name = "core", .provisioned = true, .package = WORLD_CORE};

static struct up_manifest manifest_of(struct sim *sim, const char *path)
{
    struct up_manifest m;
    struct up_error err;
    char *bytes = sim_get(sim, path, NULL);

    if (up_manifest_parse(&m, bytes + 512, strtoul(bytes + 124, NULL, 8), &err) < 0)
        fail_msg("%s", err.message);
    free(bytes);
    return m;
}

static enum up_phase phase_of(const struct stand *s)
{
    return up_device_state(s->device)->phase;
}

static void put_package(struct stand *s, const char *path, struct up_fixture f)
{
    if (up_fixture_pack(s->storage, path, "/packages", &f, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static struct up_boot_state boot_state(struct stand *s)
{
    struct up_boot_state b;
    struct up_boot *boot;

    assert_int_equal(up_boot_open(&boot, s->storage, up_config_boot(&s->config), &s->err), 0);
    assert_int_equal(up_boot_read(boot, &b, &s->err), 0);
    up_boot_close(boot);
    return b;
}

static void set_boot_state(struct stand *s, const struct up_boot_state *b)
{
    struct up_boot *boot;

    assert_int_equal(up_boot_open(&boot, s->storage, up_config_boot(&s->config), &s->err), 0);
    assert_int_equal(up_boot_write(boot, b, &s->err), 0);
    up_boot_close(boot);
}

/* The power goes and comes: the loader has chosen, the device has not looked. */
static void reopen(struct stand *s)
{
    up_device_close(s->device);
    assert_int_equal(up_device_open(&s->device, s->storage, &s->config, UP_DEVICE_LOCK, &s->err), 0);
}

/* A call that is refused with this code and words, and writes nothing. */
#define assert_refused(s, call, wanted, fragment)                   \
    do {                                                            \
        enum up_phase before_ = phase_of(s);                        \
        unsigned ops_ = sim_ops((s)->sim);                          \
        int rc_ = (call);                                           \
        if (rc_ != (wanted) || !strstr((s)->err.message, fragment)) \
            fail_msg("%s: %d: %s", #call, rc_, (s)->err.message);   \
        assert_int_equal(phase_of(s), before_);                     \
        assert_int_equal(sim_ops((s)->sim), ops_);                  \
    } while (0)

/* The names of what is on record after the factory, in order, with the code of what is no success. */
static const char *history_of(struct stand *s)
{
    static struct up_event events[UP_HISTORY_RECORDS];
    static char names[2000];
    int n = up_history_read(s->storage, s->config.state, events, &s->err);

    names[0] = '\0';
    for (int i = 0; i < n; i++)
        if (events[i].sequence > 1) {
            strcat(names, events[i].name);
            if (events[i].code != UP_OK)
                strcat(strcat(names, "="), up_code_word(events[i].code));
            strcat(names, " ");
        }
    return names;
}

static const char *last_said(struct stand *s)
{
    static struct up_event events[UP_HISTORY_RECORDS];
    int n = up_history_read(s->storage, s->config.state, events, &s->err);

    assert_true(n > 0);
    return events[n - 1].message;
}

/* Of each root, by its path: how many bytes are free. */
static struct {
    const char *small;
    uint64_t bytes;
    int error; /* of the question */
} rooms;

static int room_of(struct up_storage *s, const char *path, uint64_t *bytes)
{
    bool is_small = strcmp(path, rooms.small) == 0;

    (void)s;
    *bytes = is_small ? rooms.bytes : 1 << 30;
    errno = rooms.error;
    return is_small && rooms.error ? -1 : 0;
}

/* A release with files needs it in each root. */
static void the_root_with_the_least_room_counts(void **state)
{
    static const struct world_plan by_files = {.name = "files", .provisioned = true, .package = WORLD_FILES};
    static const char *const roots[] = {"/app", "/card"};
    struct up_storage_ops ops;
    struct stand s;
    struct up_manifest m;

    (void)state;
    stand_up(&s, world_new(&by_files));
    world_files_configure(&s.config, false);
    m = manifest_of(s.sim, "/packages/files.upd");
    ops = *s.storage->ops;
    ops.space = room_of;
    s.storage->ops = &ops;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        struct up_gate_report report;

        rooms.small = roots[i];
        rooms.bytes = up_manifest_part(&m, UP_FILES)->size - 1;
        assert_int_equal(up_device_gates(s.device, &m, &report, &s.err), UP_NOSPACE);
        if (!strstr(s.err.message, roots[i]))
            fail_msg("not of %s: %s", roots[i], s.err.message);
        rooms.bytes++;
        assert_int_equal(up_device_gates(s.device, &m, &report, &s.err), 0);
        rooms.error = EIO;
        assert_int_equal(up_device_gates(s.device, &m, &report, &s.err), UP_WRITE);
        if (!strstr(s.err.message, roots[i]))
            fail_msg("not of %s: %s", roots[i], s.err.message);
        rooms.error = ENOENT;
        assert_int_equal(up_device_gates(s.device, &m, &report, &s.err), UP_MISSING);
        rooms.error = 0;
    }
    stand_free(&s);
}

static int (*open_all)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);

static int open_all_but_boot(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    errno = EIO;
    return strncmp(path, "/device/state/boot", 18) == 0 ? -1 : open_all(s, path, flags, mode);
}

/* Nobody knows which slot it starts next; it is told again. */
static void a_loader_that_can_be_neither_told_nor_asked_is_told_later(void **state)
{
    const struct up_storage_ops *all;
    struct up_storage_ops ops;
    enum up_start_action action;
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_core));
    install(&s, CORE);
    all = s.storage->ops;
    ops = *all;
    open_all = all->open;
    ops.open = open_all_but_boot;
    s.storage->ops = &ops;
    assert_int_equal(up_device_rollback(s.device, false, "no", &action, &s.err), UP_STATELOST);
    assert_int_equal(phase_of(&s), UP_ROLLING_BACK);
    s.storage->ops = all;
    assert_int_equal(up_device_retry(s.device, &action, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(boot_state(&s).order[0], 0);
    stand_free(&s);
}

/* It starts the old slot by itself, and cannot be told anything. */
static void a_loader_that_starts_the_old_slot_needs_not_be_told(void **state)
{
    enum up_start_action action;
    struct up_boot_state b;
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_core));
    install(&s, CORE);
    b = boot_state(&s);
    assert_int_equal(b.order[0], 1);
    b.order[0] = 0;
    b.order[1] = 1;
    set_boot_state(&s, &b);
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(s.sim, "/device/state/boot");
    assert_int_equal(up_device_rollback(s.device, false, "no", &action, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(s.device->boot_state.order[0], 0);
    stand_free(&s);
}

/* Also when the same release was dropped before, for something else. */
static void the_last_reason_is_what_status_shows(void **state)
{
    static const char *const reasons[] = {"first", "second"};
    enum up_start_action action;
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    for (int i = 0; i < 2; i++) {
        install(&s, SCRIPT);
        assert_int_equal(up_device_rollback(s.device, false, reasons[i], &action, &s.err), 0);
        assert_string_equal(up_device_state(s.device)->last.message, reasons[i]);
        assert_int_equal(up_device_state(s.device)->last.code, UP_OK);
    }
    stand_free(&s);
}

static void a_life_is_on_record(void **state)
{
    enum up_start_action action;
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    assert_string_equal(history_of(&s), "begun armed trial confirmed ");
    stand_free(&s);
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    assert_int_equal(up_device_rollback(s.device, true, "no", &action, &s.err), 0);
    assert_string_equal(history_of(&s), "begun armed trial rolledback=rolledback ");
    assert_string_equal(last_said(&s), "no");
    stand_free(&s);
    stand_up(&s, world_new(&by_script));
    install(&s, SCRIPT);
    assert_int_equal(up_device_rollback(s.device, false, "no", &action, &s.err), 0);
    assert_string_equal(history_of(&s), "begun armed disarmed ");
    stand_free(&s);
}

static void nothing_can_be_done_to_an_idle_device(void **state)
{
    struct stand s;
    struct up_manifest m;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&by_script));
    m = manifest_of(s.sim, SCRIPT);
    assert_refused(&s, up_device_begin_trial(s.device, &s.err), UP_NOTHING,
                   "nothing is armed: the device is idle");
    assert_refused(&s, up_device_trial_start(s.device, &action, &s.err), UP_NOTHING, "no trial");
    assert_refused(&s, up_device_trial_failed(s.device, "x", &s.err), UP_NOTHING, "no trial");
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_rollback(s.device, true, "x", &action, &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_abandon(s.device, UP_REFUSED, "x", &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_finish(s.device, &m, &s.err), UP_NOTHING, "no open transaction to finish");
    stand_free(&s);
}

/* Provision with one call of `op` that fails, each in turn: how many failures
 * were told with `part` in the message. Without a device nothing stays open. */
static unsigned told_in_the_factory(enum sim_op op, int error, const char *part, unsigned *met)
{
    static const struct world_plan empty = {.name = "provision", .package = WORLD_FACTORY};
    struct sim *base = world_new(&empty);
    unsigned told = 0;

    *met = 0;
    for (bool more = true; more;) {
        struct sim *sim = sim_clone(base);
        struct up_device *device = NULL;
        struct up_config config;
        struct up_error err;

        world_configure(&config);
        config.journal_dir = strdup("/second");
        sim_reset_counters(sim);
        sim_fail(sim, op, *met + 1, error, false);
        if (up_device_provision(&device, sim_storage(sim), &config, &err) == 0) {
            assert_int_equal(up_device_state(device)->next_generation, 1);
            assert_int_equal(up_device_state(device)->next_transaction, 1);
            assert_int_equal(up_device_running(device), 0);
            up_device_close(device);
        } else if (strstr(err.message, part) && strstr(err.message, strerror(error)))
            told++;
        more = sim_fault_hits(sim) > 0;
        *met += more;
        assert_int_equal(sim_open_files(sim), 0);
        up_config_free(&config);
        sim_free(sim);
    }
    sim_free(base);
    return told;
}

static void what_fails_in_the_factory_is_told(void **state)
{
    unsigned met, told = told_in_the_factory(SIM_CHANGES, EIO, "/", &met);

    (void)state;
    assert_true(met > 5);
    assert_int_equal(told, met); /* none of them is optional */
    assert_int_equal(told_in_the_factory(SIM_LOCK, EIO, "/device/state", &met), 1);
    assert_int_equal(told_in_the_factory(SIM_SYNC_DIR, EIO, "/device: ", &met),
                     2); /* the state, and the second directory */
    assert_int_equal(told_in_the_factory(SIM_MKDIR, EIO, "/device/state", &met), 1);
    assert_int_equal(told_in_the_factory(SIM_MKDIR, EIO, "/second", &met), 1);
    assert_int_equal(told_in_the_factory(SIM_STAT, EIO, "state /device/state: ", &met), 2);
    /* Whether a device is there already cannot be told. */
    assert_true(told_in_the_factory(SIM_OPEN, EACCES, "/device/state/journal.0", &met) > 0);
    assert_true(told_in_the_factory(SIM_OPEN, EACCES, "/second/journal.1", &met) > 0);
}

static void an_open_transaction_is_dropped_and_remembered(void **state)
{
    struct stand s;
    struct up_manifest script, core;
    const struct up_journal_state *j;

    (void)state;
    stand_up(&s, world_new(&by_script));
    script = manifest_of(s.sim, SCRIPT);
    core = manifest_of(s.sim, CORE);
    assert_int_equal(up_device_begin(s.device, &script, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_FETCHING);
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "fetching");
    assert_refused(&s, up_device_finish(s.device, &core, &s.err), UP_NOTHING,
                   "no open transaction to finish");
    assert_int_equal(up_device_abandon(s.device, UP_REFUSED, "told to", &s.err), 0);
    j = up_device_state(s.device);
    assert_int_equal(j->phase, UP_IDLE);
    assert_int_equal(j->last.code, UP_REFUSED);
    assert_string_equal(j->last.message, "told to");
    /* Another one takes its place at any time before it is armed. */
    assert_int_equal(up_device_begin(s.device, &script, &s.err), 0);
    assert_int_equal(up_device_begin(s.device, &core, &s.err), 0);
    assert_memory_equal(up_device_state(s.device)->tx.pair.digest, core.digest, sizeof core.digest);
    power_off(&s);
    power_on(&s);
    assert_memory_equal(up_device_state(s.device)->tx.pair.digest, core.digest, sizeof core.digest);
    stand_free(&s);
}

/* Blocks count as in place only in the boot in which they were written, so a hint
 * that cannot name it is none. */
static void a_hint_needs_the_boot_that_it_is_of(void **state)
{
    struct stand s;
    struct up_manifest core;

    (void)state;
    stand_up(&s, world_new(&by_core));
    core = manifest_of(s.sim, CORE);
    assert_int_equal(up_device_begin(s.device, &core, &s.err), 0);
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_BOOT_ID, 1, EIO, true);
    assert_refused(&s, up_device_hint(s.device, 1, &s.err), UP_INTERNAL, "boot id");
    assert_int_equal(up_device_state(s.device)->tx.hint, 0);
    sim_fail(s.sim, SIM_BOOT_ID, 0, 0, false);
    assert_int_equal(up_device_hint(s.device, 1, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->tx.hint, 1);
    stand_free(&s);
}

static void what_is_armed_stays_until_it_is_decided(void **state)
{
    struct stand s;
    struct up_manifest script;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&(struct world_plan){.name = "core", .provisioned = true, .package = WORLD_CORE}));
    script = manifest_of(s.sim, SCRIPT);
    if (world_install(s.device, s.storage, CORE, &s.err) < 0)
        fail_msg("%s", s.err.message);
    assert_int_equal(phase_of(&s), UP_ARMED);
    assert_refused(&s, up_device_begin(s.device, &script, &s.err), UP_BUSY, "confirm it or roll it back");
    assert_refused(&s, up_device_begin_trial(s.device, &s.err), UP_RESTART, "starts with the next restart");
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "armed");
    assert_refused(&s, up_device_abandon(s.device, UP_REFUSED, "x", &s.err), UP_NOTHING, "armed");
    assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

/* The first package makes the whole device. */
static void a_factory_package_has_all_parts(void **state)
{
    struct sim *sim = world_new(&(struct world_plan){.name = "factory"});
    static const struct {
        const char *path, *fragment;
    } cases[] = {{CORE, "has no script"}, {SCRIPT, "has no core"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct up_manifest m = manifest_of(sim, cases[i].path);
        struct up_config config;
        struct up_device *d;
        struct up_error err;

        world_configure(&config);
        assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), 0);
        assert_int_equal(up_device_begin(d, &m, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, cases[i].fragment));
        up_device_close(d);
        up_config_free(&config);
        assert_false(sim_exists(sim, "/device/state/journal.0"));
    }
    sim_free(sim);
}

/* The name of the state survives, also of one that an earlier try made and could not sync. */
static void the_name_of_a_new_state_is_durable(void **state)
{
    static const struct sim_choice nothing_more = {SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS};
    static const struct {
        enum sim_op op;
        unsigned n;
    } cases[] = {{SIM_SYNC_DIR, 1}, {SIM_MKDIR, 1}, {SIM_STAT, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim *sim = world_new(&(struct world_plan){.name = "factory"}), *after;
        struct up_config config;
        struct up_device *d;
        struct up_error err;

        world_configure(&config);
        for (int try = 0; try < 2 && cases[i].n > 0; try++) {
            sim_reset_counters(sim);
            sim_fail(sim, cases[i].op, cases[i].n, EIO, false);
            assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), UP_WRITE);
            assert_false(sim_exists(sim, "/device/state/provisioning"));
        }
        assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), 0);
        up_device_close(d);
        after = sim_reboot(sim, &nothing_more);
        assert_true(sim_exists(after, "/device/state"));
        sim_free(after);
        up_config_free(&config);
        sim_free(sim);
    }
}

/* Without its history or its boot record there is no device, and that is said. */
static void a_factory_that_cannot_write_makes_no_device(void **state)
{
    static const char *const paths[] = {"/device/state/history", "/device/state/boot"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct sim *sim = world_new(&(struct world_plan){.name = "factory"});
        struct up_config config;
        struct up_device *d;
        struct up_error err;

        world_configure(&config);
        assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), 0);
        sim_reset_counters(sim);
        sim_fail(sim, SIM_CHANGES, 1, EIO, true);
        sim_fail_below(sim, paths[i]);
        assert_int_equal(world_install(d, sim_storage(sim), "/packages/factory.upd", &err), UP_WRITE);
        assert_false(sim_exists(sim, "/device/state/journal.0"));
        up_device_close(d);
        up_config_free(&config);
        sim_free(sim);
    }
}

/* Whether it lies there can be told when the state is there. */
static void a_slot_in_a_state_that_is_made_only_now_is_refused(void **state)
{
    struct sim *sim = world_new(&(struct world_plan){.name = "factory"});
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    world_configure(&config);
    free(config.slot[1]);
    config.slot[1] = strdup("/device/state/b.img");
    assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "slot b: /device/state/b.img is inside"));
    assert_false(sim_exists(sim, "/device/state/provisioning"));
    assert_int_equal(sim_open_files(sim), 0);
    up_config_free(&config);
    sim_free(sim);
}

static void a_state_with_too_long_a_path_is_refused(void **state)
{
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_journal *j;
    struct up_device *d;
    struct up_error err;
    char path[4200];

    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    world_configure(&config);
    free(config.state);
    config.state = strdup(path);
    assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_USAGE);
    assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), UP_USAGE);
    assert_int_equal(up_journal_open(&j, sim_storage(sim), path, &err), UP_USAGE);
    up_config_free(&config);
    sim_free(sim);
}

static void a_slot_with_too_long_a_path_is_refused(void **state)
{
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_device *d;
    struct up_error err;
    char path[UP_PATH_SIZE + 1];

    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[UP_PATH_SIZE - 1] = '\0';
    world_configure(&config);
    free(config.slot[1]);
    config.slot[1] = strdup(path);
    assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "no such directory; run moult provision"));
    free(config.slot[1]);
    path[UP_PATH_SIZE - 1] = 'x';
    path[UP_PATH_SIZE] = '\0';
    config.slot[1] = strdup(path);
    assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "slot b: path too long"));
    assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), UP_USAGE);
    up_config_free(&config);
    sim_free(sim);
}

/* The loader prefers a slot of which the journal knows nothing: disarmed, and
 * the other one started. */
static void a_slot_without_a_pair_is_not_run(void **state)
{
    struct stand s;
    enum up_start_action action;
    struct up_boot_state b;

    (void)state;
    stand_up(&s, world_new(&by_script));
    b = boot_state(&s);
    b.order[0] = 1;
    b.order[1] = 0;
    b.count = 2;
    b.good[1] = 0;
    b.tries[1] = 3;
    set_boot_state(&s, &b);
    /* The first write is the loader's, which counts a try down. */
    reopen(&s);
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_PWRITE, 2, EIO, false);
    assert_int_equal(up_device_start(s.device, &action, &s.err), UP_WRITE);
    assert_int_equal(boot_state(&s).order[0], 1);
    sim_fail(s.sim, SIM_PWRITE, 0, 0, false);
    reopen(&s);
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RESTART);
    reopen(&s);
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(up_device_running(s.device), 0);
    stand_free(&s);
}

/* Power lost at each start of a trial: nobody saw it fail. */
static void spent_starts_that_nobody_saw_fail_roll_back(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&by_script));
    if (world_install(s.device, s.storage, SCRIPT, &s.err) < 0 || up_device_begin_trial(s.device, &s.err) < 0)
        fail_msg("%s", s.err.message);
    for (int i = 0; i < UP_TRIAL_STARTS; i++) {
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
        power_off(&s);
        power_on(&s);
    }
    assert_int_equal(up_device_trial_start(s.device, &action, &s.err), UP_ROLLEDBACK);
    assert_non_null(strstr(s.err.message, "power was lost, or the core hung"));
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

static void roll_back(struct up_journal_state *j)
{
    j->phase = UP_ROLLING_BACK;
}

/* One that was cut while it rolled back, and is told to again. */
static void a_rollback_goes_on_when_it_is_asked_for_again(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    change(&s, roll_back);
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "rolling_back");
    assert_int_equal(up_device_rollback(s.device, true, "again", &action, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

/* A permit that comes when the transaction is open already takes the place of
 * the one that it began with. */
static void a_permit_may_be_given_again(void **state)
{
    struct stand s;
    struct up_manifest m;

    (void)state;
    stand_up(&s, world_new(&(struct world_plan){
                     .name = "permit", .provisioned = true, .package = WORLD_SCRIPT, .permit = true}));
    m = manifest_of(s.sim, SCRIPT);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), UP_INCOMPATIBLE);
    assert_int_equal(up_device_permit(s.device, WORLD_PERMIT, &s.err), 0);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->tx.permit.not_after, 4000000000u);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_FETCHING);
    power_off(&s);
    power_on(&s);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    stand_free(&s);
}

/* A confirmation of two records, cut between them: the new release runs, and is
 * confirmed when that is asked for again. */
static void a_confirmation_goes_on_when_it_is_asked_for_again(void **state)
{
    struct stand s;
    uint32_t generation;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    generation = up_device_state(s.device)->tx.generation;
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_PWRITE, 2, EIO, false);
    assert_int_equal(up_device_confirm(s.device, &s.err), UP_WRITE);
    sim_fail(s.sim, SIM_PWRITE, 0, 0, false);
    reopen(&s);
    assert_int_equal(phase_of(&s), UP_CONFIRMING);
    assert_true(up_device_on_trial(s.device));
    assert_int_equal(up_device_generation(s.device), generation);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_false(up_device_on_trial(s.device));
    assert_int_equal(up_device_generation(s.device), generation);
    assert_int_equal(up_device_state(s.device)->floor[UP_SCRIPT], 2);
    stand_free(&s);
}

/* The loader was told to leave it, as when a start could not be counted, and it runs
 * on: both slots are in the order again, whichever it is in. */
static void what_was_left_and_is_confirmed_comes_first_again(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_core));
    put_package(&s, NEXT, (struct up_fixture){.core = true, .sequence = 3, .core_version = 3});
    for (unsigned target = 1; target < 2; target--) {
        struct up_boot_state b = {.order = {!target}, .count = 1, .running = (uint8_t)target};

        install(&s, target == 1 ? CORE : NEXT);
        power_off(&s);
        power_on(&s);
        assert_int_equal(phase_of(&s), UP_TRIAL);
        b.good[!target] = true;
        set_boot_state(&s, &b);
        reopen(&s);
        assert_int_equal(up_device_confirm(s.device, &s.err), 0);
        b = boot_state(&s);
        assert_int_equal(b.count, 2);
        assert_int_equal(b.order[0], target);
        assert_int_equal(b.order[1], !target);
        assert_true(b.good[0] && b.good[1]);
    }
    stand_free(&s);
}

static void a_release_may_say_how_long_its_trial_may_take(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    put_package(&s, NEXT,
                (struct up_fixture){.script = true, .sequence = 2, .version = "1.0.2", .deadline = 77});
    enter_trial(&s, NEXT);
    assert_int_equal(up_device_state(s.device)->tx.deadline, 77);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    put_package(&s, NEXT, (struct up_fixture){.script = true, .sequence = 3, .version = "1.0.3"});
    enter_trial(&s, NEXT);
    assert_int_equal(up_device_state(s.device)->tx.deadline, up_device_config(s.device)->deadline);
    stand_free(&s);
}

/* Nothing failed: the release may come again. */
/* One of many blocks is read back block by block. */
static void a_large_script_is_read_back_whole(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    put_package(&s, NEXT,
                (struct up_fixture){.script = true, .sequence = 3, .version = "1.0.3", .script_files = 40});
    install(&s, NEXT);
    assert_int_equal(phase_of(&s), UP_ARMED);
    stand_free(&s);
}

static void a_trial_taken_back_by_hand_leaves_no_mark(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_state(s.device)->last.code, UP_OK);
    assert_string_equal(up_device_state(s.device)->last.message, "by hand");
    assert_int_equal(up_device_state(s.device)->quarantine[0].sequence, 0);
    enter_trial(&s, SCRIPT);
    stand_free(&s);
}

static void no_room_for_failures(struct up_journal_state *j)
{
    j->tx.failures = UINT8_MAX;
}

/* Counted round to 0, they would look like lost power. */
static void failures_are_counted_up_to_the_most_there_can_be(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, world_new(&by_script));
    enter_trial(&s, SCRIPT);
    change(&s, no_room_for_failures);
    assert_int_equal(up_device_trial_failed(s.device, "once more", &s.err), 0);
    assert_int_equal(up_device_state(s.device)->tx.failures, UINT8_MAX);
    assert_string_equal(up_device_state(s.device)->tx.why, "once more");
    stand_free(&s);
}

static void quarantine_its_kin(struct up_journal_state *j)
{
    j->quarantine[0] = (struct up_quarantined){.sequence = 2, .parts = 1u << UP_CORE, .strikes = 1};
    j->quarantine[1] = (struct up_quarantined){.sequence = 2, .parts = 1u << UP_SCRIPT, .strikes = 1};
    j->quarantine[2] = (struct up_quarantined){.sequence = 3, .parts = 1u << UP_SCRIPT, .strikes = 1};
    strcpy(j->quarantine[0].project, VARIANT_PROJECT);
    strcpy(j->quarantine[1].project, "PUMP");
    strcpy(j->quarantine[2].project, VARIANT_PROJECT);
}

/* Other parts, another project or another number: another release. */
static void a_strike_counts_for_the_same_release_alone(void **state)
{
    struct stand s;
    const struct up_quarantined *q;
    enum up_start_action action;

    (void)state;
    stand_up(&s, world_new(&by_script));
    change(&s, quarantine_its_kin);
    enter_trial(&s, SCRIPT);
    for (int i = 1; i < UP_TRIAL_STARTS; i++)
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
    assert_int_equal(up_device_trial_start(s.device, &action, &s.err), UP_ROLLEDBACK);
    q = up_device_state(s.device)->quarantine;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(q[i].sequence, i == 3 ? 3 : 2);
        assert_int_equal(q[i].strikes, 1);
    }
    assert_int_equal(q[0].parts, 1u << UP_SCRIPT);
    assert_string_equal(q[0].project, VARIANT_PROJECT);
    assert_int_equal(q[1].parts, 1u << UP_CORE);
    assert_string_equal(q[2].project, "PUMP");
    assert_int_equal(q[4].sequence, 0);
    stand_free(&s);
}

/* A new core that ran and was not confirmed, until its tries were spent. */
static void a_core_on_trial_that_does_not_run_is_given_up(void **state)
{
    struct stand s;
    enum up_start_action action;
    struct up_boot_state b;
    struct up_boot *boot;

    (void)state;
    stand_up(&s, world_new(&by_core));
    install(&s, CORE);
    assert_int_equal(up_device_tries(s.device), 0); /* it is not on trial yet */
    power_off(&s);
    power_on(&s);
    assert_int_equal(phase_of(&s), UP_TRIAL);
    assert_int_equal(up_device_running(s.device), 1);
    assert_int_equal(up_device_tries(s.device), UP_BOOT_TRIES - 1);
    assert_int_equal(up_boot_open(&boot, s.storage, up_config_boot(&s.config), &s.err), 0);
    do
        assert_int_equal(up_boot_select(boot, &b, &s.err), 0);
    while (b.running == 1);
    up_boot_close(boot);
    reopen(&s);
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "release 2 is not what runs");
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_state(s.device)->last.code, UP_ROLLEDBACK);
    assert_string_equal(up_device_state(s.device)->last.message,
                        "the boot loader fell back: the new core did not start");
    assert_int_equal(up_device_state(s.device)->quarantine[0].sequence, 2);
    assert_false(up_device_state(s.device)->slot[1].present);
    stand_free(&s);
}

static void spend_restarts(struct up_journal_state *j)
{
    j->phase = UP_ROLLING_BACK;
    j->tx.failed = true;
    j->tx.restarts = 3;
}

/* A device that started a new core. */
static void stand_on_new_core(struct stand *s)
{
    stand_up(s, world_new(&by_core));
    install(s, CORE);
    power_off(s);
    power_on(s);
}

/* Its restarts were spent while the loader could not be told what to forget. */
static void a_loader_that_is_told_at_last_is_asked_once_more(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_on_new_core(&s);
    change(&s, spend_restarts);
    assert_int_equal(up_device_retry(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RESTART);
    assert_int_equal(boot_state(&s).order[0], 0);
    assert_int_equal(up_device_retry(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN); /* it was told, and starts it all the same */
    power_off(&s);
    power_on(&s);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_running(s.device), 0);
    stand_free(&s);
}

/* However often it is ordered until the device restarts, that is one restart that the loader may miss. */
static void orders_to_roll_back_use_up_no_restarts(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_on_new_core(&s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
        assert_int_equal(action, UP_START_RESTART);
        assert_int_equal(phase_of(&s), UP_ROLLING_BACK);
    }
    assert_int_equal(up_device_state(s.device)->tx.restarts, 1);
    stand_free(&s);
}

static void forget_all_pairs(struct up_journal_state *j)
{
    memset(j->slot, 0, sizeof j->slot);
}

/* There is no other slot that would be better. */
static void a_device_that_knows_no_pair_runs_on(void **state)
{
    struct stand s;
    enum up_start_action action;
    struct up_boot_state before, after;

    (void)state;
    stand_up(&s, world_new(&by_script));
    change(&s, forget_all_pairs);
    before = boot_state(&s);
    reopen(&s);
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    after = boot_state(&s);
    assert_int_equal(after.boots, before.boots + 1);
    after.boots = before.boots;
    assert_memory_equal(&after, &before, sizeof before);
    stand_free(&s);
}

/* Whatever the loader still knows of a slot, it forgets before that is written. */
static void the_loader_forgets_what_is_to_be_overwritten(void **state)
{
    static const struct up_boot_state known[] = {
        {.order = {0, 1}, .count = 2, .good = {true, false}},
        {.order = {1, 0}, .count = 1, .good = {true, false}},
        {.order = {0, 1}, .count = 1, .good = {true, true}},
        {.order = {0, 1}, .count = 1, .good = {true, false}, .tries = {0, 1}},
        {.order = {0, 1}, .count = 1, .good = {true, false}},
    };
    struct stand s;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct up_manifest m;
        struct up_boot_state b;

        stand_up(&s, world_new(&by_core));
        m = manifest_of(s.sim, CORE);
        set_boot_state(&s, &known[i]);
        reopen(&s);
        assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
        b = boot_state(&s);
        assert_int_equal(b.count, 1);
        assert_int_equal(b.order[0], 0);
        assert_true(b.good[0]);
        assert_false(b.good[1]);
        assert_int_equal(b.tries[1], 0);
        stand_free(&s);
    }
}

/* The core after the next takes the place of the first, which loader and journal
 * forget before it is written: whichever write of that fails, the second core
 * runs on, and the first stays as it was. */
static void a_slot_is_forgotten_before_it_is_written(void **state)
{
    struct stand s;
    struct sim *base;
    struct up_manifest m;
    bool met = true;

    (void)state;
    stand_up(&s, world_new(&by_core));
    put_package(&s, NEXT, (struct up_fixture){.core = true, .sequence = 3, .core_version = 3});
    install(&s, CORE);
    power_off(&s);
    power_on(&s);
    assert_true(up_device_has_core(s.device));
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    /* What the record still says of it is not meant any more. */
    assert_int_equal(up_device_state(s.device)->tx.parts, 1u << UP_CORE);
    assert_false(up_device_has_core(s.device));
    m = manifest_of(s.sim, NEXT);
    power_off(&s);
    base = s.sim;
    for (unsigned n = 1; met; n++) {
        struct up_device *other = NULL;
        struct up_boot_state b;
        int rc;

        s.sim = sim_clone(base);
        s.storage = sim_storage(s.sim);
        power_on(&s);
        sim_reset_counters(s.sim);
        sim_fail(s.sim, SIM_CHANGES, n, EIO, false);
        rc = up_device_begin(s.device, &m, &s.err);
        met = sim_calls(s.sim, SIM_CHANGES) >= n;
        sim_fail(s.sim, SIM_CHANGES, 0, 0, false);
        b = boot_state(&s);
        assert_int_equal(b.order[0], 1);
        assert_true(b.good[1]);
        assert_true(variant_is_core(s.sim, SLOT_A, 1));
        if (rc < 0 && b.count == 2)
            assert_true(up_device_state(s.device)->slot[0].present);
        assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
        assert_false(up_device_state(s.device)->slot[0].present);
        assert_int_equal(boot_state(&s).count, 1);
        up_device_close(s.device);
        assert_int_equal(up_device_provision(&other, s.storage, &s.config, &s.err), UP_USAGE);
        assert_non_null(strstr(s.err.message, "with release 2"));
        up_config_free(&s.config);
        power_on(&s);
        install(&s, NEXT);
        assert_int_equal(phase_of(&s), UP_ARMED);
        assert_int_equal(up_device_state(s.device)->slot[0].core_version, 3);
        stand_free(&s);
    }
    sim_free(base);
}

static void one_that_is_being_installed_is_dropped(void **state)
{
    struct stand s;
    struct up_manifest m;

    (void)state;
    stand_up(&s, world_new(&by_script));
    m = manifest_of(s.sim, SCRIPT);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    assert_int_equal(up_device_finish(s.device, &m, &s.err), UP_MISSING); /* no block came */
    assert_int_equal(phase_of(&s), UP_INSTALLING);
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_PWRITE, 1, EIO, false);
    assert_int_equal(up_device_abandon(s.device, UP_REFUSED, "told to", &s.err), UP_WRITE);
    assert_int_equal(phase_of(&s), UP_INSTALLING);
    assert_int_equal(up_device_abandon(s.device, UP_REFUSED, "told to", &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_string_equal(up_device_state(s.device)->last.message, "told to");
    stand_free(&s);
}

/* The n-th change of an install fails; false: there was none. */
static bool stand_half_armed(struct stand *s, unsigned n)
{
    bool met;

    stand_up(s, world_new(&by_core));
    sim_reset_counters(s->sim);
    sim_fail(s->sim, SIM_CHANGES, n, EIO, false);
    world_install(s->device, s->storage, CORE, &s->err);
    met = sim_calls(s->sim, SIM_CHANGES) >= n;
    sim_fail(s->sim, SIM_CHANGES, 0, 0, false);
    return met;
}

/* What could not be armed is nobody's way: another package takes its place, and
 * whoever drops it sees it end. Once the loader was told, once it was not. */
static void what_is_half_armed_makes_way(void **state)
{
    bool met = true;
    unsigned seen = 0;

    (void)state;
    for (unsigned n = 1; met; n++) {
        for (int drop = 0; drop < 2; drop++) {
            struct stand s;
            struct up_manifest script;

            met = stand_half_armed(&s, n);
            script = manifest_of(s.sim, SCRIPT);
            if (phase_of(&s) == UP_ARMING) {
                seen++;
                if (drop)
                    assert_int_equal(up_device_abandon(s.device, UP_WRITE, "env: worn", &s.err), 0);
                else
                    assert_int_equal(up_device_begin(s.device, &script, &s.err), 0);
                assert_int_equal(phase_of(&s), drop ? UP_IDLE : UP_FETCHING);
                assert_int_equal(up_device_state(s.device)->last.code, drop ? UP_WRITE : UP_REFUSED);
                assert_false(up_device_state(s.device)->slot[1].present);
                assert_int_equal(boot_state(&s).order[0], 0);
                assert_int_equal(boot_state(&s).count, 1);
                install(&s, drop ? CORE : SCRIPT);
                assert_int_equal(phase_of(&s), UP_ARMED);
            }
            stand_free(&s);
        }
    }
    assert_true(seen >= 4);
}

/*
 * A core of which the record says that it is to be armed. The loader was told,
 * or was to be told and that failed: then it may have been told all the same.
 * It is told to forget the slot before anything is written to that again.
 */
static void what_is_half_armed_begins_again(void **state)
{
    unsigned first_of = 0;
    bool met = true;

    (void)state;
    for (unsigned n = 1; met; n++) {
        struct stand s;
        struct up_manifest core;
        uint8_t first;

        met = stand_half_armed(&s, n);
        core = manifest_of(s.sim, CORE);
        if (phase_of(&s) != UP_ARMING) {
            stand_free(&s);
            continue;
        }
        first = boot_state(&s).order[0];
        first_of |= 1u << first;
        sim_reset_counters(s.sim);
        sim_fail(s.sim, SIM_CHANGES, 1, EIO, false);
        assert_int_equal(up_device_begin(s.device, &core, &s.err), UP_WRITE);
        assert_int_equal(phase_of(&s), UP_ARMING);
        assert_true(up_device_state(s.device)->slot[1].present);
        assert_int_equal(boot_state(&s).order[0], first);
        sim_fail(s.sim, SIM_CHANGES, 0, 0, false);
        assert_int_equal(up_device_begin(s.device, &core, &s.err), 0);
        assert_int_equal(phase_of(&s), UP_INSTALLING);
        assert_false(up_device_state(s.device)->slot[1].present);
        assert_int_equal(boot_state(&s).order[0], 0);
        assert_int_equal(boot_state(&s).count, 1);
        install(&s, CORE);
        assert_int_equal(phase_of(&s), UP_ARMED);
        stand_free(&s);
    }
    assert_int_equal(first_of, 3); /* it was seen both ways */
}

static struct up_journal_state left; /* what the journal has of the boot loader's choice */

static void leave(struct up_journal_state *j)
{
    j->phase = left.phase;
    j->slot[0].present = left.slot[0].present;
    j->slot[1] = j->slot[0];
    j->slot[1].present = left.slot[1].present;
    j->tx.target = left.tx.target;
    j->tx.parts = left.tx.parts;
    j->tx.sequence = left.tx.sequence;
    j->has_last = left.has_last;
    j->last.code = left.last.code;
    j->last.sequence = left.last.sequence;
}

/* Without its record the slot of the confirmed pair is what the last transaction
 * says: its target when it succeeded, or had no core; else the other one. */
static void the_journal_knows_which_slot_is_confirmed(void **state)
{
    enum { CORE_TOO = 1u << UP_CORE | 1u << UP_SCRIPT, SCRIPT_ALONE = 1u << UP_SCRIPT };
    static const struct {
        enum up_phase phase;
        bool a, b;
        uint8_t target;
        unsigned parts;
        bool has_last;
        int code;
        uint64_t sequence; /* of the last result; the transaction's is 7 */
        int slot;
    } cases[] = {
        {UP_IDLE, true, false, 1, CORE_TOO, true, UP_OK, 7, 0},
        {UP_IDLE, false, true, 0, CORE_TOO, true, UP_OK, 7, 1},
        {UP_IDLE, true, true, 1, CORE_TOO, true, UP_OK, 7, 1},
        {UP_IDLE, true, true, 0, CORE_TOO, true, UP_OK, 7, 0},
        {UP_IDLE, true, true, 1, CORE_TOO, true, UP_ROLLEDBACK, 7, 0},
        {UP_IDLE, true, true, 0, CORE_TOO, true, UP_ROLLEDBACK, 7, 1},
        {UP_IDLE, true, true, 1, CORE_TOO, true, UP_OK, 6, 0},
        {UP_IDLE, true, true, 1, CORE_TOO, false, UP_OK, 7, 0},
        {UP_IDLE, true, true, 1, SCRIPT_ALONE, true, UP_ROLLEDBACK, 7, 1},
        {UP_IDLE, true, true, 0, SCRIPT_ALONE, false, UP_OK, 0, 0},
        {UP_INSTALLING, true, true, 1, CORE_TOO, true, UP_OK, 7, 0}, /* once more */
        {UP_INSTALLING, true, true, 0, CORE_TOO, true, UP_OK, 7, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum up_start_action action;
        struct up_trouble trouble;
        struct stand s;

        stand_up(&s, world_new(&by_core));
        memset(&left, 0, sizeof left);
        left.phase = cases[i].phase;
        left.slot[0].present = cases[i].a;
        left.slot[1].present = cases[i].b;
        left.tx.target = cases[i].target;
        left.tx.parts = cases[i].parts;
        left.tx.sequence = 7;
        left.has_last = cases[i].has_last;
        left.last.code = cases[i].code;
        left.last.sequence = cases[i].sequence;
        change(&s, leave);
        power_off(&s);
        sim_settle(s.sim);
        sim_put_text(s.sim, "/device/state/boot.0", "rubbish");
        sim_put_text(s.sim, "/device/state/boot.1", "rubbish");
        world_configure(&s.config);
        if (up_device_come_up(&s.device, s.storage, &s.config, NULL, &action, &trouble, &s.err) < 0)
            fail_msg("%s", s.err.message);
        if (up_device_running(s.device) != cases[i].slot || !boot_state(&s).good[cases[i].slot] ||
            boot_state(&s).order[0] != cases[i].slot)
            fail_msg("case %zu: slot %d", i, up_device_running(s.device));
        stand_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_with_the_least_room_counts),
        cmocka_unit_test(a_loader_that_can_be_neither_told_nor_asked_is_told_later),
        cmocka_unit_test(a_loader_that_starts_the_old_slot_needs_not_be_told),
        cmocka_unit_test(the_last_reason_is_what_status_shows),
        cmocka_unit_test(a_life_is_on_record),
        cmocka_unit_test(nothing_can_be_done_to_an_idle_device),
        cmocka_unit_test(what_fails_in_the_factory_is_told),
        cmocka_unit_test(an_open_transaction_is_dropped_and_remembered),
        cmocka_unit_test(a_hint_needs_the_boot_that_it_is_of),
        cmocka_unit_test(what_is_armed_stays_until_it_is_decided),
        cmocka_unit_test(a_factory_package_has_all_parts),
        cmocka_unit_test(the_name_of_a_new_state_is_durable),
        cmocka_unit_test(a_factory_that_cannot_write_makes_no_device),
        cmocka_unit_test(a_slot_in_a_state_that_is_made_only_now_is_refused),
        cmocka_unit_test(a_state_with_too_long_a_path_is_refused),
        cmocka_unit_test(a_slot_with_too_long_a_path_is_refused),
        cmocka_unit_test(a_slot_without_a_pair_is_not_run),
        cmocka_unit_test(spent_starts_that_nobody_saw_fail_roll_back),
        cmocka_unit_test(a_rollback_goes_on_when_it_is_asked_for_again),
        cmocka_unit_test(orders_to_roll_back_use_up_no_restarts),
        cmocka_unit_test(a_permit_may_be_given_again),
        cmocka_unit_test(a_confirmation_goes_on_when_it_is_asked_for_again),
        cmocka_unit_test(what_was_left_and_is_confirmed_comes_first_again),
        cmocka_unit_test(a_release_may_say_how_long_its_trial_may_take),
        cmocka_unit_test(a_large_script_is_read_back_whole),
        cmocka_unit_test(a_trial_taken_back_by_hand_leaves_no_mark),
        cmocka_unit_test(failures_are_counted_up_to_the_most_there_can_be),
        cmocka_unit_test(a_strike_counts_for_the_same_release_alone),
        cmocka_unit_test(a_core_on_trial_that_does_not_run_is_given_up),
        cmocka_unit_test(a_loader_that_is_told_at_last_is_asked_once_more),
        cmocka_unit_test(a_device_that_knows_no_pair_runs_on),
        cmocka_unit_test(the_loader_forgets_what_is_to_be_overwritten),
        cmocka_unit_test(what_is_half_armed_makes_way),
        cmocka_unit_test(a_slot_is_forgotten_before_it_is_written),
        cmocka_unit_test(one_that_is_being_installed_is_dropped),
        cmocka_unit_test(what_is_half_armed_begins_again),
        cmocka_unit_test(the_journal_knows_which_slot_is_confirmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
