/*
 * files_mixed_check.c -- a device whose tree of files is neither old nor new, and cannot be put
 * back: a package that names every path of it makes it whole, wherever the power goes meanwhile;
 * if that one fails, the tree is as it was, and still known to be mixed; other packages are
 * refused, and the owner may take the tree as it is.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "note.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOTS 10
#define FOLDER "/device/state/files"
#define NEXT "/packages/next.upd"

static const struct world_plan plan = {.name = "files", .provisioned = true, .package = WORLD_FILES};
static const struct sim_choice all = {SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS};

/* As world_files_ini, but that it leaves one line out. */
static const char names_less[] = "conf\t/app/etc\t4\t4\n"
                                 "gone\t/app\t2\t4\n"
                                 "data\t/app\t2\t1\n"
                                 "new\t/app\t1\t1\n"
                                 "x\t/app/new\t1\t4\n"
                                 "image\t/card\t4\t4\n";

struct flow {
    const char *name;
    bool confirm; /* the package that comes next; else it is rolled back */
    bool
        root_fails; /* the way back misses a root, which is there again in the end; else what was found is lost */
};

static const struct flow flows[] = {
    {"confirmed", .confirm = true},
    {"rolled back", .confirm = false},
    {"confirmed, a root fails", .confirm = true, .root_fails = true},
    {"rolled back, a root fails", .confirm = false, .root_fails = true},
};

struct life {
    struct sim *sim;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
    const char *mixed; /* the tree when it got stuck */
    bool accepted;     /* by the owner */
    bool decided;      /* a verdict over the next package is on record */
    char bad[256];
};

#define bad(life, ...) note_bad((life)->bad, sizeof(life)->bad, __VA_ARGS__)

static int open_device(struct life *l)
{
    return up_device_open(&l->device, sim_storage(l->sim), &l->config, UP_DEVICE_LOCK, &l->err);
}

static void begin(struct life *l, struct sim *sim)
{
    *l = (struct life){.sim = sim};
    world_configure(&l->config);
    world_files_configure(&l->config, false);
}

static void put_next(struct sim *sim, const char *ini)
{
    size_t len;
    void *bytes = variant_files(3, 0, 0, ini, &len);

    sim_put(sim, NEXT, bytes, len, 0644);
    free(bytes);
}

/* Those that end so go, or get another name. */
struct removal {
    struct up_storage *storage;
    const char *folder, *begins, *ends, *to;
};

static int remove_one(void *user, const char *name, enum up_node_kind kind)
{
    const struct removal *r = user;
    size_t len = strlen(name), ends = strlen(r->ends);
    char path[256], to[256];

    (void)kind;
    if (strncmp(name, r->begins, strlen(r->begins)) != 0 || len < ends ||
        strcmp(name + len - ends, r->ends) != 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    if (!r->to)
        return r->storage->ops->unlink(r->storage, path);
    snprintf(to, sizeof to, "%s/%.*s%s", r->folder, (int)(len - ends), name, r->to);
    return r->storage->ops->rename(r->storage, path, to);
}

static void remove_all(struct sim *sim, const char *folder, const char *begins, const char *ends,
                       const char *to)
{
    struct removal r = {sim_storage(sim), folder, begins, ends, to};

    assert_int_equal(r.storage->ops->list(r.storage, folder, remove_one, &r), 0);
    sim_settle(sim);
}

static void lose_found(struct sim *sim)
{
    char hex[2 * UP_SHA256_SIZE + 1];
    struct up_files f;
    struct up_error err;

    assert_int_equal(up_files_open(&f, sim_storage(sim), "/device/state", &err), 0);
    assert_true(up_files_stage_is_between(f.stage.step));
    up_hex(f.stage.found, UP_SHA256_SIZE, hex);
    up_files_close(&f);
    remove_all(sim, FOLDER, hex, "", NULL);
}

/* Neither that before, nor that of the first package, nor that of the next. */
static bool is_mixture(const struct sim *sim)
{
    static char *next;
    char *now;
    bool is;

    if (world_files_tree(sim, false) != WORLD_TREE_NEITHER)
        return false;
    if (!next) {
        struct sim *expected = sim_new();

        world_files_after(expected, 3);
        next = world_files_dump(expected, true);
        sim_free(expected);
    }
    now = world_files_dump(sim, false);
    is = strcmp(now, next) != 0;
    free(now);
    return is;
}

/* A trial whose switch was cut in the middle, and that cannot be put back. */
static struct sim *stuck(const struct flow *flow)
{
    struct sim *armed = world_new(&plan), *cut = NULL, *medium = NULL;
    enum up_start_action action;
    struct life l;

    begin(&l, armed);
    assert_int_equal(open_device(&l), 0);
    assert_int_equal(world_install(l.device, sim_storage(armed), "/packages/files.upd", &l.err), 0);
    assert_int_equal(up_device_begin_trial(l.device, &l.err), 0);
    up_device_close(l.device);
    sim_settle(armed);
    for (unsigned k = 1; !medium || !is_mixture(medium); k++) {
        sim_free(medium);
        cut = sim_clone(armed);
        l.sim = cut;
        sim_cut_at(cut, k);
        if (open_device(&l) == 0)
            (void)!up_device_trial_start(l.device, &action, &l.err), up_device_close(l.device);
        assert_true(sim_is_cut(cut));
        medium = sim_reboot(cut, &all);
        sim_free(cut);
    }
    if (flow->root_fails)
        remove_all(medium, "/card", ".moult-", ".here", ".away");
    else
        lose_found(medium);
    up_config_free(&l.config);
    sim_free(armed);
    put_next(medium, world_files_ini);
    sim_settle(medium);
    return medium;
}

/* The next package, from where it is to its verdict. */
static int go_on(struct life *l, const struct flow *flow)
{
    enum up_start_action action;
    enum up_phase phase = up_device_state(l->device)->phase;

    if (phase < UP_ARMING && !l->decided) {
        if (world_install(l->device, sim_storage(l->sim), NEXT, &l->err) < 0)
            return -1;
        phase = UP_ARMED;
    }
    if (phase == UP_ARMED && up_device_begin_trial(l->device, &l->err) < 0)
        return -1;
    if (up_device_state(l->device)->phase != UP_TRIAL)
        return 0;
    if (up_device_trial_start(l->device, &action, &l->err) < 0)
        return up_device_state(l->device)->phase == UP_IDLE ? 0 : -1;
    if (!sim_is_cut(l->sim) && (is_mixture(l->sim) || up_device_mixed(l->device)))
        bad(l, "on trial on a mixture");
    if (flow->confirm)
        return up_device_confirm(l->device, &l->err);
    if (up_device_rollback(l->device, true, "bad", &action, &l->err) < 0 && !up_device_mixed(l->device))
        return -1;
    return 0;
}

/* Whether the history of the device has the verdict over the next package. */
static bool has_verdict(const struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);

    return s->phase == UP_IDLE && s->has_last && s->last.sequence == 3;
}

static void live(struct life *l, const struct flow *flow)
{
    enum up_start_action action;
    enum up_settled settled;

    for (unsigned i = 0; i < BOOTS && !sim_is_cut(l->sim) && !l->bad[0]; i++) {
        if (i % 2 && up_device_settle(&settled, sim_storage(l->sim), &l->config, &l->err) == 0 &&
            is_mixture(l->sim) && !l->accepted)
            bad(l, "settle says %s, and the tree is mixed", up_device_settled_name(settled));
        if (open_device(l) < 0)
            continue;
        (void)!up_device_start(l->device, &action, &l->err); /* what is stuck is told again */
        if (!l->accepted && !sim_is_cut(l->sim) && is_mixture(l->sim) && !up_device_mixed(l->device))
            bad(l, "the tree is mixed, and nobody knows");
        l->decided = has_verdict(l);
        if (go_on(l, flow) < 0 && !sim_is_cut(l->sim))
            bad(l, "boot %u: %s", i, l->err.message);
        l->decided = l->decided || has_verdict(l);
        up_device_close(l->device);
        if (l->decided && i > 1)
            return;
        sim_shutdown(l->sim);
    }
}

static void check_end(struct life *l, const struct flow *flow)
{
    struct sim *expected = sim_new();
    char *now, *want;
    enum up_settled settled;
    int rc;

    if (!flow->confirm && flow->root_fails) { /* the root is there again */
        now = world_files_dump(l->sim, false);
        if (strcmp(now, l->mixed) != 0)
            bad(l, "the failed package left another tree:\n%s", now);
        free(now);
        remove_all(l->sim, "/card", ".moult-", ".away", ".here");
    }
    rc = up_device_settle(&settled, sim_storage(l->sim), &l->config, &l->err);
    if (flow->confirm)
        world_files_after(expected, 3);
    else if (flow->root_fails)
        world_files_put(expected, false);
    want = flow->confirm || flow->root_fails ? world_files_dump(expected, true) : strdup(l->mixed);
    now = world_files_dump(l->sim, flow->confirm && !flow->root_fails);
    if ((rc == 0) != (flow->confirm || flow->root_fails))
        bad(l, "settle: %d: %s", rc, l->err.message);
    if (strcmp(now, want) != 0)
        bad(l, "the tree is\n%s", now);
    if (rc == 0 && open_device(l) == 0) {
        up_device_see_tree(l->device);
        if (up_device_mixed(l->device) || up_device_state(l->device)->phase != UP_IDLE)
            bad(l, "it has not ended");
        up_device_close(l->device);
    }
    free(now);
    free(want);
    sim_free(expected);
}

struct totals {
    unsigned long states, bad;
};

static void judge(struct totals *t, struct sim *medium, const struct flow *flow, const char *mixed,
                  unsigned cut)
{
    struct life l;

    begin(&l, medium);
    l.mixed = mixed;
    live(&l, flow);
    if (!l.bad[0])
        check_end(&l, flow);
    if (sim_open_files(medium) > 0)
        bad(&l, "files stayed open");
    t->states++;
    if (l.bad[0] && ++t->bad <= 5)
        print_message("bad: %s, cut %u: %s\n", flow->name, cut, l.bad);
    up_config_free(&l.config);
    sim_free(medium);
}

/* Every cut on the way to the verdict, some of what the power leaves; and a kill. */
static void cut_everywhere(struct totals *t, const struct flow *flow)
{
    struct sim *start = stuck(flow);
    char *mixed = world_files_dump(start, false);
    bool finished = false;

    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = sim_clone(start);
        struct life l;
        unsigned choices;

        begin(&l, sim);
        l.mixed = mixed;
        sim_cut_at(sim, k);
        live(&l, flow);
        finished = !sim_is_cut(sim);
        if (l.bad[0] && ++t->bad <= 5)
            print_message("bad: %s, before cut %u: %s\n", flow->name, k, l.bad);
        choices = sim_choices(sim);
        for (unsigned i = 0; i < 3; i++) {
            struct sim_choice choice = sim_choice(sim, (i * choices / 3 + k) % choices);

            judge(t, sim_reboot(sim, &choice), flow, mixed, k);
        }
        judge(t, sim_respawn(sim), flow, mixed, k);
        up_config_free(&l.config);
        sim_free(sim);
    }
    free(mixed);
    sim_free(start);
}

static void a_package_that_names_all_of_it_makes_it_whole(void **state)
{
    struct totals t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        unsigned long before = t.states;

        cut_everywhere(&t, &flows[i]);
        print_message("  %s: %lu states\n", flows[i].name, t.states - before);
    }
    print_message("files-mixed: %lu states, %lu bad\n", t.states, t.bad);
    assert_true(t.states > 1000);
    assert_int_equal(t.bad, 0);
}

static void other_packages_are_refused(void **state)
{
    struct sim *sim = stuck(&flows[0]);
    enum up_start_action action;
    struct life l;
    size_t len;
    void *bytes = variant_package(4, 2, 0, &len);
    char *before = world_files_dump(sim, true), *after;

    (void)state;
    put_next(sim, names_less);
    sim_put(sim, "/packages/script.upd", bytes, len, 0644);
    free(bytes);
    begin(&l, sim);
    assert_int_equal(open_device(&l), 0);
    assert_int_equal(up_device_start(l.device, &action, &l.err), 0); /* updates go on */
    assert_true(up_device_mixed(l.device));
    assert_int_equal(world_install(l.device, sim_storage(sim), "/packages/script.upd", &l.err), UP_BUSY);
    assert_non_null(strstr(l.err.message, "names every path"));
    assert_int_equal(world_install(l.device, sim_storage(sim), NEXT, &l.err), UP_INCOMPATIBLE);
    assert_non_null(strstr(l.err.message, "does not name /card/fresh"));
    after = world_files_dump(sim, true);
    assert_string_equal(after, before); /* the way back is as it was */
    free(before);
    free(after);
    up_device_close(l.device);
    up_config_free(&l.config);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* With the operations of the plan unreadable, no package can be known to name all of them. */
static void lose_plan(struct sim *sim)
{
    char hex[2 * UP_SHA256_SIZE + 1];
    struct up_files f;
    struct up_error err;

    assert_int_equal(up_files_open(&f, sim_storage(sim), "/device/state", &err), 0);
    up_hex(f.stage.plan, UP_SHA256_SIZE, hex);
    up_files_close(&f);
    remove_all(sim, FOLDER, hex, "", NULL);
}

static void the_owner_takes_the_tree_as_it_is(void **state)
{
    for (unsigned lost = 0; lost < 2; lost++) {
        struct sim *sim = stuck(&flows[0]);
        char *before = world_files_dump(sim, false), *after;
        enum up_start_action action;
        enum up_settled settled;
        struct life l;

        (void)state;
        if (lost)
            lose_plan(sim);
        begin(&l, sim);
        assert_int_equal(up_device_settle(&settled, sim_storage(sim), &l.config, &l.err), UP_STATELOST);
        assert_non_null(strstr(l.err.message, "settle --accept"));
        assert_int_equal(open_device(&l), 0);
        assert_int_equal(up_device_start(l.device, &action, &l.err), lost ? UP_STATELOST : 0);
        if (lost)
            assert_int_equal(world_install(l.device, sim_storage(sim), NEXT, &l.err), UP_STATELOST);
        up_device_close(l.device);
        assert_int_equal(up_device_settle_accepting(&settled, sim_storage(sim), &l.config, &l.err), 0);
        assert_string_equal(up_device_settled_name(settled), "accepted");
        assert_int_equal(up_device_settle_accepting(&settled, sim_storage(sim), &l.config, &l.err), 0);
        assert_string_equal(up_device_settled_name(settled), "whole");
        after = world_files_dump(sim, !lost);
        assert_string_equal(after, before); /* without the plan the temporary names stay */
        l.accepted = true;
        live(&l, &flows[0]);
        assert_string_equal(l.bad, "");
        assert_int_equal(up_device_settle(&settled, sim_storage(sim), &l.config, &l.err), 0);
        assert_false(is_mixture(sim));
        free(before);
        free(after);
        up_config_free(&l.config);
        assert_int_equal(sim_open_files(sim), 0);
        sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_packages_are_refused),
        cmocka_unit_test(the_owner_takes_the_tree_as_it_is),
        cmocka_unit_test(a_package_that_names_all_of_it_makes_it_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
