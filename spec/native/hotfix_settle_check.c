/*
 * hotfix_settle_check.c -- hotfixes with files go, at a start and by order, and any one call fails: what is said to
 * be done is done, for good, and what is not is told and can be done again. Power cuts are spec/crash/hotfixes.c's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "history.h"
#include "hotfix.h"
#include "hotfixes_world.h"
#include "sim.h"
#include "world.h"
#include "world_files.h"

#define STATE "/device/state"
#define OTHERS 2 /* "clock" 1 and what lies on it */

static struct up_config config;
static struct up_error err;

enum begins {
    APPLIED, /* one is */
    TWO,     /* the second one lies on it */
    ON_TEST  /* its files are in place, and then the power went */
};

/* What is to happen to the first entry, and to the one that lies on it. */
struct row {
    const char *name;
    enum begins begins;
    void (*edit)(struct sim *sim, struct up_hotfix_ledger *ledger);
    int (*act)(struct up_device *d);
    enum up_hotfix_state then[OTHERS];
    const char *why;
    bool files_stay;
    bool may_wait; /* what may only be unreadable is no reason */
};

static void spend(struct sim *sim, struct up_hotfix_ledger *ledger)
{
    (void)sim;
    ledger->entry[0].state = UP_HOTFIX_FRESH;
    ledger->entry[0].starts = UP_HOTFIX_STARTS;
}

static void lose(struct sim *sim, struct up_hotfix_ledger *ledger)
{
    struct up_storage *s = sim_storage(sim);
    char path[100];

    snprintf(path, sizeof path, STATE "/hotfix/%s", ledger->entry[0].id);
    assert_int_equal(s->ops->rename(s, path, "/device/away"), 0);
}

static void be_for_another(struct sim *sim, struct up_hotfix_ledger *ledger)
{
    (void)sim;
    strcpy(ledger->entry[0].base[UP_SCRIPT], "9");
}

static void be_ending(struct sim *sim, struct up_hotfix_ledger *ledger)
{
    (void)sim;
    ledger->entry[0].ending = true;
}

static int settle(struct up_device *d)
{
    return up_hotfix_settle(d, true, &err);
}

static int undo(struct up_device *d)
{
    int rc = up_hotfix_undo(d, "clock", false, &err);

    return rc == UP_NOTHING ? 0 : rc;
}

static int undo_all(struct up_device *d)
{
    int rc = up_hotfix_undo(d, "clock", true, &err);

    return rc == UP_NOTHING ? 0 : rc;
}

static const struct row rows[] = {
    {"spent", APPLIED, spend, settle, {UP_HOTFIX_QUARANTINED}, "failed with it three times", false, false},
    {"lost", APPLIED, lose, settle, {UP_HOTFIX_DROPPED}, "its folder is lost: the files", true, true},
    {"for another release",
     APPLIED,
     be_for_another,
     settle,
     {UP_HOTFIX_DROPPED},
     "not the one",
     false,
     false},
    {"spent below another",
     TWO,
     spend,
     settle,
     {UP_HOTFIX_QUARANTINED, UP_HOTFIX_DROPPED},
     "failed with it three times",
     false,
     false},
    {"undone", APPLIED, NULL, undo, {UP_HOTFIX_UNDONE}, "by order", false, false},
    {"undone with another",
     TWO,
     NULL,
     undo_all,
     {UP_HOTFIX_UNDONE, UP_HOTFIX_UNDONE},
     "by order",
     false,
     false},
    {"cut on test",
     ON_TEST,
     NULL,
     settle,
     {UP_HOTFIX_UNDONE},
     "the power failed during its test",
     false,
     false},
    {"cut before it was undone", APPLIED, be_ending, settle, {UP_HOTFIX_APPLIED}, "", true, false},
};

static char *without_hotfix; /* the tree */

static void read_ledger(struct sim *sim, struct up_hotfix_ledger *ledger)
{
    if (up_hotfix_ledger_read(ledger, sim_storage(sim), STATE, &err) < 0)
        fail_msg("%s", err.message);
}

static void put_on_test(struct sim *sim)
{
    char id[UP_HOTFIX_ID_SIZE];
    struct up_device *d;
    bool failed;

    hotfixes_bring(sim, "/packages/fix1.upd", false, id);
    if (up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0 ||
        up_hotfix_test(d, id, &err) < 0 || up_hotfix_switch(d, &failed, &err) < 0)
        fail_msg("%s", err.message);
    up_device_close(d);
}

static struct sim *begin(const struct row *row)
{
    static const struct hotfixes_flow flows[] = {
        [APPLIED] = {"one", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_BOTH},
        [TWO] = {"higher", .end = HOTFIXES_HIGHER, .parts = HOTFIXES_BOTH},
        [ON_TEST] = {"none", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_BOTH}};
    static struct up_hotfix_ledger ledger;
    struct sim *sim = hotfixes_new(&flows[row->begins]);
    struct hotfixes_log log = {0};

    if (row->begins == TWO)
        hotfixes_live(sim, &flows[TWO], true, &log);
    else if (row->begins == ON_TEST)
        put_on_test(sim);
    if (log.bad[0])
        fail_msg("%s", log.bad);
    read_ledger(sim, &ledger);
    assert_int_equal(ledger.count, row->begins == TWO ? 2 : 1);
    if (row->begins == TWO) { /* one of another name, on top of it */
        ledger.entry[0].state = UP_HOTFIX_APPLIED;
        strcpy(ledger.entry[1].name, "other");
        ledger.entry[1].over[0] = '\0';
    }
    if (row->edit)
        row->edit(sim, &ledger);
    assert_int_equal(up_hotfix_ledger_write_both(&ledger, sim_storage(sim), STATE, &err), 0);
    sim_settle(sim);
    return sim;
}

struct fault {
    const struct row *row;
    enum sim_op op;
    unsigned n;
    bool late;
};

static void wrong(const struct fault *f, const char *what)
{
    fail_msg("%s: %s %u failed%s: %s", f->row->name, sim_op_name(f->op), f->n, f->late ? " late" : "", what);
}

static void must_be_done(const struct fault *f, struct sim *sim, const char *before)
{
    static struct up_hotfix_ledger ledger;
    char *now = world_files_dump(sim, false);

    if (strcmp(now, f->row->files_stay ? before : without_hotfix) != 0)
        wrong(f, now);
    free(now);
    read_ledger(sim, &ledger);
    for (uint32_t i = 0; i < ledger.count; i++)
        if (ledger.entry[i].state != f->row->then[i] || ledger.entry[i].ending)
            wrong(f, up_hotfix_ledger_state_name(ledger.entry[i].state));
    if (!strstr(ledger.entry[0].why, f->row->why))
        wrong(f, ledger.entry[0].why);
}

static void must_stay(const struct fault *f, const struct sim *sim, const char *before)
{
    struct sim *then = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});

    must_be_done(f, then, before);
    sim_free(then);
}

/* The device as it is before the call fails, and when nothing fails any more. */
static struct up_device *start(const struct fault *f, struct sim *sim)
{
    enum up_start_action action;
    struct up_device *d;

    if (up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0 ||
        up_device_start(d, &action, &err) < 0)
        wrong(f, err.message);
    return d;
}

/* It could not go, and the ledger says that it is in force: so are its files, without another start. */
static void must_still_be_in_place(const struct fault *f, struct sim *sim, const char *before)
{
    static struct up_hotfix_ledger ledger;
    char *now = world_files_dump(sim, false);

    read_ledger(sim, &ledger);
    if (up_hotfix_ledger_is_in_force(&ledger.entry[0]) && !ledger.entry[0].ending && strcmp(now, before) != 0)
        wrong(f, now);
    free(now);
}

static bool works_out(const struct fault *f, const struct sim *from, const char *before)
{
    struct sim *sim = sim_clone(from);
    struct up_device *d = start(f, sim);
    bool met;
    int rc;

    err = (struct up_error){.code = 0};
    sim_reset_counters(sim);
    (f->late ? sim_fail_late : sim_fail)(sim, f->op, f->n, EIO, false);
    rc = f->row->act(d);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (rc < 0 && (rc != err.code || !strstr(err.message, strerror(EIO))))
        wrong(f, err.message);
    if (rc < 0 && !up_device_mixed(d))
        must_still_be_in_place(f, sim, before);
    /* On a mixture nothing starts, and it may wait for a package that replaces it. */
    if (rc == 0 && !(met && f->row->may_wait) && !up_device_mixed(d))
        must_stay(f, sim, before);
    up_device_close(d);
    d = start(f, sim);
    if (settle(d) < 0 || f->row->act(d) < 0 || settle(d) < 0)
        wrong(f, err.message);
    must_be_done(f, sim, before);
    up_device_close(d);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void what_goes_goes_whatever_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim *sim = begin(&rows[i]);
        char *before = world_files_dump(sim, false);
        unsigned failures = 0;

        for (int late = 0; late <= (int)(i % 2); late++)
            for (int op = SIM_OPEN; op < SIM_OPS; op++) {
                struct fault f = {&rows[i], (enum sim_op)op, 1, late};

                for (; works_out(&f, sim, before); f.n++)
                    failures++;
            }
        assert_true(failures > 30);
        free(before);
        sim_free(sim);
    }
}

/* What others left on the stack decides nothing. */
static void __attribute__((noinline)) spoil_stack(void)
{
    volatile int word[1 << 16];

    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        word[i] = UP_FILES_NOT_STARTED;
}

/* To the tree with it; what cannot be read is not taken for nothing to do. Late: and so does every call after it. */
static bool switches_or_says(const struct sim *from, const struct fault *f, char **tree)
{
    struct sim *sim = sim_clone(from);
    struct up_device *d = start(f, sim);
    bool met, failed;
    char *now;
    int rc;

    sim_reset_counters(sim);
    sim_fail(sim, f->op, f->n, EIO, f->late);
    spoil_stack();
    rc = up_hotfix_switch(d, &failed, &err);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    up_device_close(d);
    now = world_files_dump(sim, false);
    if (rc < 0 &&
        (!met || rc != err.code || rc == UP_NOTHING || (!f->late && !strstr(err.message, strerror(EIO)))))
        wrong(f, err.message);
    if (failed)
        wrong(f, "a call of ours failed, and the hotfix is blamed");
    if (rc == 0 && *tree && strcmp(now, *tree) != 0)
        wrong(f, "another tree");
    if (!met && !*tree)
        *tree = now;
    else
        free(now);
    sim_free(sim);
    return met;
}

static void a_switch_is_done_or_says_what_failed(void **state)
{
    static const struct hotfixes_flow flow = {.end = HOTFIXES_APPLIED, .parts = HOTFIXES_BOTH};
    static const struct row row = {.name = "switched"};
    struct fault f = {&row, SIM_OPS, 1, false};
    struct sim *sim = hotfixes_new(&flow);
    char id[UP_HOTFIX_ID_SIZE], *tree = NULL;
    struct up_device *d;
    (void)state;

    hotfixes_bring(sim, "/packages/fix1.upd", false, id);
    if (up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0 ||
        up_hotfix_test(d, id, &err) < 0)
        fail_msg("%s", err.message);
    up_device_close(d);
    sim_settle(sim);
    assert_false(switches_or_says(sim, &f, &tree)); /* nothing fails */
    assert_string_not_equal(tree, without_hotfix);
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (int late = 0; late <= (op == SIM_OPEN); late++) {
            f = (struct fault){&row, (enum sim_op)op, 1, late};
            for (; switches_or_says(sim, &f, &tree); f.n++)
                ;
        }
    free(tree);
    sim_free(sim);
}

/* The end of a test. */
static int pass(struct up_device *d)
{
    return up_hotfix_passed(d, false, &err);
}

static int refuse(struct up_device *d)
{
    return up_hotfix_failed(d, "it says no", &err);
}

static int put_off(struct up_device *d)
{
    return up_hotfix_not_switched(d, "it says no", &err);
}

static int cancel(struct up_device *d)
{
    return up_hotfix_cancel(d, &err);
}

static const struct row ends[] = {
    {"passes", ON_TEST, NULL, pass, {UP_HOTFIX_FRESH}, "", true, false},
    {"fails", ON_TEST, NULL, refuse, {UP_HOTFIX_QUARANTINED}, "it says no", false, false},
    {"is put off", ON_TEST, NULL, put_off, {UP_HOTFIX_DROPPED}, "it says no", false, false},
    {"is cancelled", ON_TEST, NULL, cancel, {UP_HOTFIX_UNDONE}, "stopped during", false, false},
};

/* After a start: the files are in place if it is in force, and else they are not. */
static void must_agree(const struct fault *f, struct sim *sim, const char *before)
{
    static struct up_hotfix_ledger ledger;
    struct up_device *d = start(f, sim);
    char *now;

    if (settle(d) < 0)
        wrong(f, err.message);
    up_device_close(d);
    now = world_files_dump(sim, false);
    read_ledger(sim, &ledger);
    if (strcmp(now, up_hotfix_ledger_is_in_force(&ledger.entry[0]) ? before : without_hotfix) != 0)
        wrong(f, up_hotfix_ledger_state_name(ledger.entry[0].state));
    free(now);
}

/* It is on record twice: whichever half of the ledger is lost. */
static void either_half_says_so(const struct fault *f, const struct sim *sim, const char *before)
{
    static const char *const halves[] = {STATE "/hotfix/ledger.0", STATE "/hotfix/ledger.1"};

    for (int i = 0; i < 2; i++) {
        struct sim *then = sim_clone(sim);

        if (sim_storage(then)->ops->unlink(sim_storage(then), halves[i]) < 0)
            wrong(f, halves[i]);
        must_be_done(f, then, before);
        sim_free(then);
    }
}

/* For people, and for who counts. */
static void is_in_the_history(const struct fault *f, struct sim *sim)
{
    static struct up_event event[UP_HISTORY_RECORDS];
    int count = up_history_read(sim_storage(sim), STATE, event, &err);
    const struct up_event *last = &event[count - 1];

    assert_true(count > 0);
    if (strcmp(last->name, "hotfix") != 0 || !strstr(last->message, f->row->why) ||
        last->code != (f->row->then[0] == UP_HOTFIX_QUARANTINED ? UP_ROLLEDBACK : UP_OK))
        wrong(f, last->message);
}

static bool ends_well(const struct fault *f, const struct sim *from, const char *before)
{
    struct sim *sim = sim_clone(from), *then;
    struct up_device *d = start(f, sim);
    bool met;
    int rc;

    sim_reset_counters(sim);
    (f->late ? sim_fail_late : sim_fail)(sim, f->op, f->n, EIO, false);
    rc = f->row->act(d);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (rc < 0 && (rc != err.code || !strstr(err.message, strerror(EIO))))
        wrong(f, err.message);
    if (rc == 0 && !up_device_mixed(d)) {
        then = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
        must_be_done(f, then, before);
        if (!met)
            is_in_the_history(f, then);
        if (f->row->files_stay) /* the plan is accepted, and its traces go */
            either_half_says_so(f, then, before);
        must_agree(f, then, before);
        must_be_done(f, then, before);
        sim_free(then);
    }
    up_device_close(d);
    must_agree(f, sim, before);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void a_test_ends_whatever_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sim *sim = begin(&ends[i]);
        char *before = world_files_dump(sim, false);
        unsigned failures = 0;

        for (int op = SIM_OPEN; op < SIM_OPS; op++) {
            struct fault f = {&ends[i], (enum sim_op)op, 1, false};

            for (; ends_well(&f, sim, before); f.n++)
                failures++;
        }
        assert_true(failures > 30);
        free(before);
        sim_free(sim);
    }
}

static struct up_storage_ops blind;
static int (*open_all)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);

static int open_but_stages(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    if (!strstr(path, STATE "/files/stage"))
        return open_all(s, path, flags, mode);
    errno = EIO;
    return -1;
}

/* How far a plan is cannot be read, for longer: that is not taken for none. */
static void a_plan_that_cannot_be_read_is_not_taken_for_none(void **state)
{
    const size_t count = sizeof rows / sizeof rows[0] + sizeof ends / sizeof ends[0];
    (void)state;

    for (size_t i = 0; i < count; i++) {
        const struct row *row =
            i < sizeof rows / sizeof rows[0] ? &rows[i] : &ends[i - sizeof rows / sizeof rows[0]];
        const struct fault f = {row, SIM_OPEN, 0, false};
        struct sim *sim = begin(row);
        char *before = world_files_dump(sim, false), *now;
        struct up_storage *s = sim_storage(sim);
        const struct up_storage_ops *ops = s->ops;
        struct up_device *d = start(&f, sim);

        blind = *ops;
        open_all = blind.open;
        blind.open = open_but_stages;
        s->ops = &blind;
        if (!row->files_stay && row->act(d) == 0)
            wrong(&f, "it says that it is done");
        if (row->act == pass && row->act(d) == 0)
            wrong(&f, "it says that it passed");
        now = world_files_dump(sim, false);
        assert_string_equal(now, before);
        free(now);
        s->ops = ops;
        up_device_close(d);
        if (row->begins != TWO && !row->may_wait)
            must_agree(&f, sim, before);
        free(before);
        sim_free(sim);
    }
}

/* The plan that is open, if everything is staged. */
static bool accept(struct sim *sim)
{
    static struct up_hotfix_ledger ledger;
    struct up_files f;
    bool is_staged;

    read_ledger(sim, &ledger);
    assert_int_equal(up_files_open(&f, sim_storage(sim), STATE, &err), 0);
    memcpy(ledger.plan, f.stage.plan, sizeof ledger.plan);
    is_staged = f.stage.step >= UP_FILES_STAGED;
    up_files_close(&f);
    ledger.entry[0].state = UP_HOTFIX_FRESH;
    assert_int_equal(up_hotfix_ledger_write(&ledger, sim_storage(sim), STATE, &err), 0);
    return is_staged;
}

/* Wherever the power went while they came, once they are accepted. */
static void files_that_were_accepted_come_whole(void **state)
{
    static const struct row passes = {"passes", ON_TEST, NULL, NULL, {UP_HOTFIX_FRESH}, "", true, false};
    static const struct fault none = {&passes, SIM_OPEN, 0, false};
    static const struct hotfixes_flow flow = {"none", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_BOTH};
    struct sim *on_test = begin(&passes), *staged = hotfixes_new(&flow);
    char *after = world_files_dump(on_test, false), id[UP_HOTFIX_ID_SIZE];
    struct up_device *d;
    unsigned states = 0;
    bool cut = true;

    (void)state;
    hotfixes_bring(staged, "/packages/fix1.upd", false, id);
    assert_int_equal(up_device_open(&d, sim_storage(staged), &config, UP_DEVICE_LOCK, &err), 0);
    assert_int_equal(up_hotfix_test(d, id, &err), 0);
    up_device_close(d);
    sim_settle(staged);
    for (unsigned k = 1; cut; k++) {
        struct sim *sim = sim_clone(staged), *next;
        bool failed;

        assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), 0);
        sim_reset_counters(sim);
        sim_cut_at(sim, k);
        (void)!up_hotfix_switch(d, &failed, &err);
        cut = sim_is_cut(sim);
        up_device_close(d);
        next = sim_reboot(sim, &(struct sim_choice){SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS});
        if (accept(next)) {
            must_agree(&none, next, after);
            states++;
        }
        sim_free(next);
        sim_free(sim);
    }
    assert_true(states > 10);
    sim_free(staged);
    sim_free(on_test);
    free(after);
}

static int open_but_ledgers(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    if (!strstr(path, STATE "/hotfix/ledger"))
        return open_all(s, path, flags, mode);
    errno = EIO;
    return -1;
}

/* While a release comes, and nobody can tell whose files are in place, they stay. */
static void without_a_ledger_no_files_go(void **state)
{
    static const struct row passes = {"passes", ON_TEST, NULL, NULL, {UP_HOTFIX_FRESH}, "", true, false};
    static const struct fault none = {&passes, SIM_OPEN, 0, false};
    struct sim *sim = begin(&passes);
    struct up_storage *s = sim_storage(sim);
    const struct up_storage_ops *ops = s->ops;
    char *before = world_files_dump(sim, false), *now;
    struct up_journal_state next;
    enum up_start_action action;
    struct up_device *d;

    (void)state;
    assert_true(accept(sim));
    assert_int_equal(up_device_open(&d, s, &config, UP_DEVICE_LOCK, &err), 0);
    next = d->state;
    next.phase = UP_FETCHING;
    assert_int_equal(up_device_save(d, &next, &err), 0);
    blind = *ops;
    open_all = blind.open;
    blind.open = open_but_ledgers;
    s->ops = &blind;
    (void)!up_device_start(d, &action, &err);
    now = world_files_dump(sim, false);
    assert_string_equal(now, before);
    free(now);
    s->ops = ops;
    assert_int_equal(up_device_retry(d, &action, &err), 0);
    next = d->state;
    next.phase = UP_IDLE;
    assert_int_equal(up_device_save(d, &next, &err), 0);
    up_device_close(d);
    must_agree(&none, sim, before);
    free(before);
    sim_free(sim);
}

/* Who accepted them was killed before that was durable: files stay for good only when it is. */
static void what_the_ledger_says_is_durable_before_the_files_are(void **state)
{
    static const struct row passes = {"passes", ON_TEST, NULL, NULL, {UP_HOTFIX_FRESH}, "", true, false};
    static const struct fault none = {&passes, SIM_OPEN, 0, false};
    struct sim *sim = begin(&passes), *next;
    char *before = world_files_dump(sim, false);

    (void)state;
    sim_ignore_sync_of(sim, STATE "/hotfix/*");
    assert_true(accept(sim));
    sim_ignore_sync_of(sim, NULL);
    next = sim_respawn(sim);
    up_device_close(start(&none, next));
    sim_free(sim);
    sim = sim_reboot(next, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    must_agree(&none, sim, before);
    must_be_done(&none, sim, before);
    sim_free(next);
    sim_free(sim);
    free(before);
}

/* Files that it accepted stay, and those of a test go, though no journal tells what runs. */
static void without_a_journal_the_ledger_tells(void **state)
{
    static const struct row on_test = {"on test", ON_TEST, NULL, NULL, {0}, "", false, false};
    static struct up_hotfix_ledger ledger;
    (void)state;

    for (int accepted = 0; accepted < 3; accepted++) {
        struct sim *sim = begin(&on_test);
        char *before = world_files_dump(sim, false), *now;
        enum up_settled settled;
        struct up_files f;

        read_ledger(sim, &ledger);
        assert_int_equal(up_files_open(&f, sim_storage(sim), STATE, &err), 0);
        if (accepted)
            memcpy(ledger.plan, f.stage.plan, sizeof ledger.plan);
        up_files_close(&f);
        assert_int_equal(up_hotfix_ledger_write_both(&ledger, sim_storage(sim), STATE, &err), 0);
        sim_settle(sim);
        sim_put_text(sim, STATE "/journal.0", "damaged");
        sim_put_text(sim, STATE "/journal.1", "damaged");
        if (accepted == 2) /* nor anything what was there before */
            assert_int_equal(world_files_lose_found(sim), 0);
        if (up_device_settle(&settled, sim_storage(sim), &config, &err) < 0)
            fail_msg("%s", err.message);
        now = world_files_dump(sim, false);
        assert_string_equal(now, accepted ? before : without_hotfix);
        free(now);
        free(before);
        sim_free(sim);
    }
}

/* Nor is a tree whose record cannot be read taken for one that a script may start on. */
static void without_a_journal_and_a_plan_no_script_starts(void **state)
{
    static const struct row on_test = {"on test", ON_TEST, NULL, NULL, {0}, "", false, false};
    struct sim *sim = begin(&on_test);
    struct up_storage *s = sim_storage(sim);
    const struct up_storage_ops *ops = s->ops;

    (void)state;
    blind = *ops;
    open_all = blind.open;
    blind.open = open_but_stages;
    s->ops = &blind;
    assert_true(up_device_fits_alone(s, &config, &err) < 0);
    assert_non_null(strstr(err.message, "/files/stage: "));
    s->ops = ops;
    sim_free(sim);
}

static int enter(void **state)
{
    static const struct hotfixes_flow none = {"none", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_BOTH};
    struct sim *sim = hotfixes_new(&none);

    (void)state;
    without_hotfix = world_files_dump(sim, false);
    sim_free(sim);
    world_configure(&config);
    world_files_configure(&config, false);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(without_hotfix);
    up_config_free(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_goes_goes_whatever_fails, enter, leave),
        cmocka_unit_test_setup_teardown(a_switch_is_done_or_says_what_failed, enter, leave),
        cmocka_unit_test_setup_teardown(a_test_ends_whatever_fails, enter, leave),
        cmocka_unit_test_setup_teardown(a_plan_that_cannot_be_read_is_not_taken_for_none, enter, leave),
        cmocka_unit_test_setup_teardown(files_that_were_accepted_come_whole, enter, leave),
        cmocka_unit_test_setup_teardown(without_a_ledger_no_files_go, enter, leave),
        cmocka_unit_test_setup_teardown(what_the_ledger_says_is_durable_before_the_files_are, enter, leave),
        cmocka_unit_test_setup_teardown(without_a_journal_the_ledger_tells, enter, leave),
        cmocka_unit_test_setup_teardown(without_a_journal_and_a_plan_no_script_starts, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
