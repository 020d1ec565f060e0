/*
 * hotfix_set_check.c -- what a device makes of its ledger and of the folders of hotfixes: what a release ended,
 * what is kept, what nobody signed, which lie on one another, and which folders go.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device.h"
#include "device_private.h"
#include "digest.h"
#include "files_found.h"
#include "files_plan.h"
#include "fixture.h"
#include "hotfix_private.h"
#include "hotfix_set.h"
#include "hotfixes_world.h"
#include "minisign.h"
#include "package.h"
#include "sim.h"
#include "source.h"
#include "world.h"

#define STATE "/device/state"
#define ID "0123456789abcdef"

static struct up_error err;

/* What a release on trial, or confirmed, put back. */
static void test_resolve(void **state)
{
    static const uint8_t ours[32] = {1}, other[32] = {2};
    static const struct {
        bool ends;
        enum up_phase phase;
        const uint8_t *tx,
            *slot[2]; /* digests of the release on its way, and of those in the slots; NULL: none */
        bool core;    /* that one has a core, for slot 0 */
        bool changed, stays, dropped;
    } cases[] = {
        {false, UP_IDLE, NULL, {ours, NULL}, false, false, false, false},
        {true, UP_IDLE, NULL, {other, NULL}, false, true, false, false},
        {true, UP_IDLE, NULL, {NULL, NULL}, false, true, false, false},
        {true, UP_IDLE, NULL, {ours, NULL}, false, true, false, true},
        {true, UP_IDLE, NULL, {other, ours}, false, true, false, true},
        {true, UP_ARMED, ours, {other, NULL}, false, true, false, false},
        {true, UP_TRIAL, ours, {other, NULL}, false, false, true, false},
        {true, UP_CONFIRMING, ours, {other, NULL}, false, false, true, false},
        {true, UP_TRIAL, other, {ours, NULL}, false, true, false, true},
        {true, UP_TRIAL, other, {ours, NULL}, true, true, false, false},
        {true, UP_TRIAL, other, {NULL, ours}, true, true, false, true},
        {true, UP_INSTALLING, other, {ours, NULL}, true, true, false, false},
        {true, UP_FETCHING, other, {ours, NULL}, true, true, false, true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_hotfix_ledger ledger = {.count = 1, .entry = {{.state = UP_HOTFIX_APPLIED, .time = 3}}};
        struct up_journal_state journal = {.phase = cases[i].phase};
        struct up_hotfix *h = &ledger.entry[0];

        h->ends = cases[i].ends;
        memcpy(h->ends_with, ours, sizeof h->ends_with);
        if (cases[i].tx)
            memcpy(journal.tx.pair.digest, cases[i].tx, 32);
        journal.tx.pair.present = cases[i].tx;
        journal.tx.parts = 1u << UP_SCRIPT | (cases[i].core ? 1u << UP_CORE : 0);
        for (int n = 0; n < 2; n++)
            if (cases[i].slot[n]) {
                journal.slot[n].present = true;
                memcpy(journal.slot[n].digest, cases[i].slot[n], 32);
            }
        if (up_hotfix_set_resolve(&ledger, &journal, 7) != cases[i].changed || h->ends != cases[i].stays ||
            h->state != (cases[i].dropped ? UP_HOTFIX_DROPPED : UP_HOTFIX_APPLIED) ||
            h->time != (cases[i].dropped ? 7u : 3u) || (cases[i].dropped && !strstr(h->why, "a release")))
            fail_msg("case %zu: it ends %d, and is %s", i, h->ends, up_hotfix_ledger_state_name(h->state));
        if (cases[i].changed)
            for (size_t k = 0; k < sizeof h->ends_with; k++)
                assert_int_equal(h->ends_with[k], 0);
    }
}

/* What a hotfix replaced. */

#define KEPT STATE "/hotfix/" ID "/kept"

static void put_kept(struct sim *sim, const char *id, const char *name)
{
    struct up_files_op op = {.kind = UP_FILES_DELETE, .dir = "", .name = name};
    char path[100];
    const struct up_files_plan plan = {
        .keep = "hotfix/" ID "/kept", .root_count = 1, .root = {{.path = "/app"}}, .op_count = 1, .op = &op};
    struct up_files_found found = {.there = true, .st = {.kind = UP_NODE_FILE, .mode = 0640}};
    uint8_t *bytes;
    size_t len;

    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    snprintf(path, sizeof path, STATE "/hotfix/%s/kept/plan", id);
    sim_put(sim, path, bytes, len, 0600);
    free(bytes);
    assert_int_equal(up_files_found_encode(&found, 1, &bytes, &len, &err), 0);
    snprintf(path, sizeof path, STATE "/hotfix/%s/kept/found", id);
    sim_put(sim, path, bytes, len, 0600);
    free(bytes);
}

static int open_kept(struct sim *sim, bool files)
{
    struct up_hotfix h = {.state = UP_HOTFIX_APPLIED, .id = ID, .files = files};
    struct up_files_kept kept;
    int rc = up_hotfix_set_open_kept(&kept, sim_storage(sim), STATE, &h, &err);

    if (rc == 0) {
        assert_int_equal(kept.plan.op_count, 1);
        assert_int_equal(kept.found[0].st.mode, 0640);
        up_files_kept_close(&kept);
    }
    return rc;
}

static void put_zeros(struct sim *sim, const char *path, size_t size)
{
    void *bytes = calloc(1, size);

    assert_non_null(bytes);
    sim_put(sim, path, bytes, size, 0600);
    free(bytes);
}

/* Lost or damaged for good is not there, and stops nothing; what cannot be read now does. */
static void test_kept(void **state)
{
    static const char *const paths[] = {KEPT "/plan", KEPT "/found"};
    static const size_t sizes[] = {0, 1, 7, 200, UP_FILES_PLAN_LIMIT, UP_FILES_PLAN_LIMIT + 1};
    struct sim *whole = sim_new(), *sim;
    (void)state;

    assert_int_equal(open_kept(whole, true), UP_NOTHING);
    put_kept(whole, ID, "a");
    assert_int_equal(open_kept(whole, true), 0);
    assert_int_equal(open_kept(whole, false), UP_NOTHING);
    for (int i = 0; i < 2; i++) {
        for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
            sim = sim_clone(whole);
            put_zeros(sim, paths[i], sizes[n]);
            assert_int_equal(open_kept(sim, true), UP_NOTHING);
            sim_free(sim);
        }
        sim = sim_clone(whole);
        assert_int_equal(sim_storage(sim)->ops->unlink(sim_storage(sim), paths[i]), 0);
        assert_int_equal(open_kept(sim, true), UP_NOTHING);
        sim_free(sim);
    }
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            sim = sim_clone(whole);
            sim_reset_counters(sim);
            sim_fail(sim, (enum sim_op)op, n, EIO, false);
            met = open_kept(sim, true) == UP_WRITE && strstr(err.message, strerror(EIO));
            assert_int_equal(met, sim_fault_hits(sim) > 0);
            sim_free(sim);
        }
    sim_free(whole);
}

/* A device with hotfixes. */

static struct up_config config;
static struct sim *sim;
static struct up_device *device;

static int enter(void **state, const struct hotfixes_flow *flow)
{
    (void)state;
    sim = hotfixes_new(flow);
    world_configure(&config);
    return up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err);
}

static int enter_opaque(void **state)
{
    static const struct hotfixes_flow flow = {"opaque", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_OPAQUE};

    return enter(state, &flow);
}

static int enter_plain(void **state)
{
    static const struct hotfixes_flow flow = {"plain", .end = HOTFIXES_UNDONE};

    return enter(state, &flow);
}

static int enter_without(void **state)
{
    static const struct hotfixes_flow flow = {"without", .end = HOTFIXES_APPLIED};

    return enter(state, &flow);
}

static int enter_files(void **state)
{
    static const struct hotfixes_flow flow = {"files", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_BOTH};

    return enter(state, &flow);
}

static int leave(void **state)
{
    (void)state;
    up_device_close(device);
    up_config_free(&config);
    sim_free(sim);
    return 0;
}

static void read_ledger(struct up_hotfix_ledger *ledger)
{
    assert_int_equal(up_hotfix_ledger_read(ledger, sim_storage(sim), STATE, &err), 0);
    assert_true(ledger->count > 0);
}

static void put_in(const char *id, const char *name, const char *text)
{
    char path[200];

    snprintf(path, sizeof path, STATE "/hotfix/%s/%s", id, name);
    sim_settle(sim);
    sim_put_text(sim, path, text);
}

/* What says what it is: the digest of the bytes that came. */
static void test_unsigned(void **state)
{
    static const char digits[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const struct {
        const char *name, *text;
        int code;
    } cases[] = {
        {"unsigned", "", UP_UNTRUSTED},
        {"unsigned", digits + 1, UP_UNTRUSTED},
        {"unsigned", "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", UP_UNTRUSTED},
        {"manifest.json", "{}", UP_UNTRUSTED},
        {"hotfix.idx", "", UP_UNTRUSTED}};
    static struct up_hotfix_ledger ledger;
    struct up_manifest m;
    char id[UP_HOTFIX_ID_SIZE], path[UP_PATH_SIZE];
    struct sim *whole;
    (void)state;

    read_ledger(&ledger);
    strcpy(id, ledger.entry[0].id);
    assert_int_equal(up_hotfix_load(device, id, &m, &err), 0);
    up_hotfix_name(&m, path);
    assert_string_equal(path, id);
    assert_true(m.sequence == ledger.entry[0].sequence);
    assert_true(up_manifest_sequence_is_unsigned(m.sequence));
    put_in(id, "unsigned", digits);
    assert_int_equal(up_hotfix_load(device, id, &m, &err), 0);
    up_hex(m.digest, sizeof m.digest, path);
    assert_string_equal(path, digits);
    sim_settle(sim);
    whole = sim;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sim = sim_clone(whole);
        device->storage = sim_storage(sim);
        put_in(id, cases[i].name, cases[i].text);
        if (up_hotfix_load(device, id, &m, &err) != cases[i].code)
            fail_msg("case %zu: %s", i, err.message);
        sim_free(sim);
    }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* One more in the ledger, with a module. */
/* Of what cannot be read nothing is made up; a ring that cannot be told trusts nothing. */
static void test_load_when_a_call_fails(void **state)
{
    struct up_hotfix_ledger ledger;
    struct up_manifest m, whole;
    struct sim *from = sim;
    unsigned failures = 0;
    (void)state;

    read_ledger(&ledger);
    assert_int_equal(up_hotfix_load(device, ledger.entry[0].id, &whole, &err), 0);
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            int rc;

            sim = sim_clone(from);
            device->storage = sim_storage(sim);
            sim_reset_counters(sim);
            sim_fail(sim, (enum sim_op)op, n, EIO, false);
            rc = up_hotfix_load(device, ledger.entry[0].id, &m, &err);
            met = sim_fault_hits(sim) > 0;
            if (rc < 0
                    ? !met || !(strstr(err.message, strerror(EIO)) || strncmp(err.message, "keys ", 5) == 0)
                    : memcmp(m.digest, whole.digest, sizeof m.digest) != 0)
                fail_msg("%s %u: %d: %s", sim_op_name((enum sim_op)op), n, rc, err.message);
            failures += rc < 0;
            sim_free(sim);
        }
    sim = from;
    device->storage = sim_storage(sim);
    assert_true(failures > 2);
}

/* Two ways to write one version; nobody's number decides between them. */
static void test_same_version(void **state)
{
    struct up_hotfix_ledger ledger;
    struct up_manifest m;
    (void)state;

    read_ledger(&ledger);
    assert_int_equal(up_hotfix_load(device, ledger.entry[0].id, &m, &err), 0);
    assert_string_equal(m.hotfix_version, "1");
    m.digest[0] ^= 1;
    strcpy(m.hotfix_version, "01");
    assert_int_equal(up_hotfix_begin(device, &m, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "version 01 is not above 1"));
}

static void add(const char *id, const char *name, enum up_hotfix_state is, const char *module)
{
    static struct up_hotfix_ledger ledger;
    struct up_hotfix *h;
    char path[100];

    read_ledger(&ledger);
    assert_int_equal(up_hotfix_ledger_add(&ledger, name, &h, &err), 0);
    h->state = is;
    h->lua = true;
    strcpy(h->id, id);
    strcpy(h->name, name);
    strcpy(h->version, "1");
    assert_int_equal(up_hotfix_ledger_write(&ledger, sim_storage(sim), STATE, &err), 0);
    snprintf(path, sizeof path, "tree/lua/%s.lua", module);
    put_in(id, path, "return 1\n");
}

/* By the names that they changed; what a later one changed is not known if that is lost. */
static void test_overlaps(void **state)
{
    static const struct {
        const char *low, *high; /* what they changed; NULL: lost */
        bool low_files, high_files;
        int is;
    } cases[] = {{"a", "a", true, true, 1},   {"a", "b", true, true, 0},   {"a", "a", false, true, 0},
                 {"a", "a", true, false, 0},  {NULL, "a", true, true, 0},  {"a", NULL, true, true, 1},
                 {"a", NULL, true, false, 0}, {NULL, NULL, true, true, 0}, {NULL, NULL, false, false, 0}};
    struct sim *whole;
    (void)state;

    sim_settle(sim);
    whole = sim;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_hotfix low = {.id = "000000000000000a", .files = cases[i].low_files};
        struct up_hotfix high = {.id = "000000000000000b", .files = cases[i].high_files};

        sim = sim_clone(whole);
        device->storage = sim_storage(sim);
        if (cases[i].low)
            put_kept(sim, low.id, cases[i].low);
        if (cases[i].high)
            put_kept(sim, high.id, cases[i].high);
        if (up_hotfix_overlaps(device, &low, &high, &err) != cases[i].is)
            fail_msg("case %zu", i);
        sim_free(sim);
    }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* A module and a folder of that name are two of one name. */
static void test_overlaps_of_modules(void **state)
{
    static const struct {
        const char *low, *high;
        int is;
    } cases[] = {{"a.lua", "a.lua", 1},
                 {"a.lua", "b.lua", 0},
                 {"a/one.lua", "a/one.lua", 1},
                 {"a/one.lua", "a/two.lua", 0},
                 {"a/one.lua", "a", 1},
                 {"a", "a/one.lua", 1},
                 {"a/b/one.lua", "a/b.lua", 0},
                 {"a/b/one.lua", "a/b/one.lua", 1},
                 {"../test.lua", "../test.lua", 0}};
    const struct up_hotfix low = {.id = "000000000000000a"}, high = {.id = "000000000000000b"};
    struct sim *whole;
    (void)state;

    sim_settle(sim);
    whole = sim;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int more = 0; more < 2; more++) {
            char path[64];

            sim = sim_clone(whole);
            device->storage = sim_storage(sim);
            snprintf(path, sizeof path, "tree/lua/%s", cases[i].low);
            put_in(low.id, *cases[i].low == '.' ? "tree/test.lua" : path, "");
            snprintf(path, sizeof path, "tree/lua/%s", cases[i].high);
            put_in(high.id, *cases[i].high == '.' ? "tree/test.lua" : path, "");
            if (more) { /* of one alone, before it and after it */
                put_in(low.id, "tree/lua/0.lua", "");
                put_in(low.id, "tree/lua/z.lua", "");
            }
            if (up_hotfix_overlaps(device, &low, &high, &err) != cases[i].is)
                fail_msg("case %zu", i);
            sim_free(sim);
        }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* Nothing goes from under another one, whichever call fails. */
static void test_undo_when_a_call_fails(void **state)
{
    struct sim *whole;
    (void)state;

    add("000000000000000a", "low", UP_HOTFIX_APPLIED, "deep/one");
    put_in("000000000000000a", "tree/lua/alone.lua",
           "return 1\n"); /* before and after the one that both have */
    put_in("000000000000000a", "tree/lua/deep/zero.lua", "return 1\n");
    add("000000000000000b", "high", UP_HOTFIX_APPLIED, "deep/one");
    sim_settle(sim);
    assert_int_equal(up_hotfix_undo(device, "low", false, &err), UP_BUSY);
    whole = sim;
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            sim = sim_clone(whole);
            device->storage = sim_storage(sim);
            sim_reset_counters(sim);
            sim_fail(sim, (enum sim_op)op, n, EIO, false);
            if (up_hotfix_undo(device, "low", false, &err) == 0)
                fail_msg("%s %u failed, and it is undone", sim_op_name((enum sim_op)op), n);
            met = sim_fault_hits(sim) > 0;
            sim_free(sim);
        }
    sim = whole;
    device->storage = sim_storage(sim);
}

static bool is_there(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, STATE "/hotfix/%s", name);
    return sim_exists(sim, path);
}

static void test_clean(void **state)
{
    static const struct {
        const char *name;
        bool stays, stays_of_all;
    } cases[] = {{"ledger.0", true, true},
                 {"ledger.1", true, true},
                 {"bare", true, true},
                 {"new", true, true},
                 {"gone", false, false},
                 {"0123456789abcde", true, true},
                 {"0123456789abcdef0", true, true},
                 {"0123456789abcdeg", true, true},
                 {"0123456789ABCDEF", true, true},
                 {"0123456789abcdef", true, false},
                 {"000000000000000a", true, true},
                 {"000000000000000b", true, true},
                 {"000000000000000c", false, false},
                 {"000000000000000d", true, false},
                 {"000000000000000e", false, false},
                 {"000000000000000f", true, true}};
    static struct up_hotfix_ledger ledger;
    (void)state;

    for (int all = 0; all < 2; all++) {
        if (all) {
            leave(NULL);
            enter_plain(NULL);
        }
        add("000000000000000a", "a", UP_HOTFIX_APPLIED, "a");
        add("000000000000000b", "b", UP_HOTFIX_TESTING, "b");
        add("000000000000000c", "c", UP_HOTFIX_DROPPED, "c");
        add("000000000000000d", "d", UP_HOTFIX_UNDONE, "d");
        add("000000000000000e", "e", UP_HOTFIX_UNDONE, "e");
        add("000000000000000f", "f", UP_HOTFIX_DROPPED, "f"); /* b took its place */
        read_ledger(&ledger);
        ledger.entry[ledger.count - 2].by_owner = true;
        ledger.entry[ledger.count - 1].files = true;
        ledger.entry[ledger.count] = ledger.entry[ledger.count - 5];
        strcpy(ledger.entry[ledger.count++].over, "000000000000000f");
        for (size_t i = 3; i < sizeof cases / sizeof cases[0]; i++)
            put_in(cases[i].name, "x", "x");
        put_in("bare", "x", "x");
        sim_settle(sim);
        assert_int_equal(up_hotfix_clean(device, &ledger, all, &err), 0);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            if (is_there(cases[i].name) != (all ? cases[i].stays_of_all : cases[i].stays))
                fail_msg("%s%s", cases[i].name, all ? ", all" : "");
    }
}

/* What one that was cut left there is none of the next one's. */
static void test_bare_is_empty(void **state)
{
    char path[UP_PATH_SIZE];

    (void)state;
    put_in("bare", "left.lua", "of another");
    sim_settle(sim);
    sim_fail(sim, SIM_UNLINK, 1, EIO, true);
    assert_int_equal(up_hotfix_bare(device, path, sizeof path, &err), UP_WRITE);
    sim_fail(sim, SIM_UNLINK, 0, 0, false);
    assert_int_equal(up_hotfix_bare(device, path, sizeof path, &err), 0);
    assert_string_equal(path, STATE "/hotfix/bare");
    assert_false(sim_exists(sim, STATE "/hotfix/bare/left.lua"));
}

/* Then it is not in force, whatever its test said. */
static void test_accepted_when_it_is_written(void **state)
{
    static struct up_hotfix_ledger now, next;
    struct up_hotfix *h;

    (void)state;
    add("000000000000000a", "a", UP_HOTFIX_TESTING, "a");
    read_ledger(&now);
    next = now;
    h = &next.entry[next.count - 1];
    h->state = UP_HOTFIX_FRESH;
    sim_fail(sim, SIM_CHANGES, 1, EIO, true);
    assert_int_equal(up_hotfix_accept(device, &now, &next, h, &err), UP_WRITE);
    sim_fail(sim, SIM_OPS, 0, 0, false);
    assert_int_equal(up_hotfix_accept(device, &now, &next, h, &err), 0);
}

/* Another process got as far meanwhile: its plan and that of the hotfix are not mixed. */
static void test_no_switch_below_a_release(void **state)
{
    static struct up_hotfix_ledger ledger;
    struct up_journal_state next;
    struct up_device *other;
    bool failed;

    (void)state;
    add("000000000000000a", "a", UP_HOTFIX_TESTING, "a");
    read_ledger(&ledger);
    ledger.entry[ledger.count - 1].files = true;
    assert_int_equal(up_hotfix_ledger_write_both(&ledger, sim_storage(sim), STATE, &err), 0);
    assert_int_equal(up_device_open(&other, sim_storage(sim), &config, UP_DEVICE_READ, &err), 0);
    next = other->state;
    next.phase = UP_INSTALLING;
    assert_int_equal(up_device_save(other, &next, &err), 0);
    up_device_close(other);
    assert_int_equal(up_hotfix_switch(device, &failed, &err), UP_BUSY);
    assert_false(failed);
}

/* A folder that is complete, and was not tested, or whose test lost power. */
static void test_waiting(void **state)
{
    static const struct {
        enum up_hotfix_state is;
        bool by_owner, tree, waits;
    } cases[] = {{0, false, true, true}, /* no entry */
                 {0, false, false, false},
                 {UP_HOTFIX_UNDONE, false, true, true},
                 {UP_HOTFIX_UNDONE, false, false, false},
                 {UP_HOTFIX_UNDONE, true, true, false},
                 {UP_HOTFIX_APPLIED, false, true, false},
                 {UP_HOTFIX_TESTING, false, true, false},
                 {UP_HOTFIX_DROPPED, false, true, false}};
    static struct up_hotfix_ledger ledger;
    struct sim *whole;
    (void)state;

    sim_settle(sim);
    whole = sim;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[UP_HOTFIX_ID_SIZE];

        sim = sim_clone(whole);
        device->storage = sim_storage(sim);
        if (cases[i].is) {
            add(ID, "a", cases[i].is, "a");
            read_ledger(&ledger);
            ledger.entry[ledger.count - 1].by_owner = cases[i].by_owner;
            assert_int_equal(up_hotfix_ledger_write(&ledger, sim_storage(sim), STATE, &err), 0);
            assert_int_equal(up_storage_remove_tree(sim_storage(sim), STATE "/hotfix/" ID "/tree", &err), 0);
        }
        put_in(ID, cases[i].tree ? "tree/x" : "x", "x");
        up_hotfix_waiting(device, id);
        if (strcmp(id, cases[i].waits ? ID : "") != 0)
            fail_msg("case %zu: %s", i, id);
        sim_free(sim);
    }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* Of each file of a tree of several blocks a byte. */
static void test_changed(void **state)
{
    static const char *const names[] = {"lua/clock.lua", "test.lua",   "files/update.ini", "files/conf",
                                        "files/tool",    "files/more", "files/image"};
    static struct up_hotfix_ledger ledger;
    struct up_manifest m;
    char path[200], id[UP_HOTFIX_ID_SIZE];
    struct sim *whole = sim;
    (void)state;

    read_ledger(&ledger);
    strcpy(id, ledger.entry[0].id);
    assert_int_equal(up_hotfix_load(device, id, &m, &err), 0);
    assert_true(up_manifest_part(&m, UP_HOTFIX)->size > 2 * (uint64_t)UP_FIXTURE_BLOCK);
    assert_false(up_hotfix_is_changed(device, id));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len;
        char *text;

        sim = sim_clone(whole);
        device->storage = sim_storage(sim);
        snprintf(path, sizeof path, STATE "/hotfix/%s/tree/%s", id, names[i]);
        text = sim_get(sim, path, &len);
        text[len - 1] ^= 1;
        sim_settle(sim);
        sim_put(sim, path, text, len, 0644);
        if (!up_hotfix_is_changed(device, id))
            fail_msg("%s has changed", names[i]);
        free(text);
        sim_free(sim);
    }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* While the device may fall back to an older program, that can read the ledger. */
static void test_form(void **state)
{
    static struct up_hotfix_ledger ledger;
    (void)state;

    for (enum up_phase phase = UP_IDLE; phase <= UP_CONFIRMING; phase++) {
        read_ledger(&ledger);
        ledger.form = 1;
        device->state.phase = phase;
        assert_int_equal(up_hotfix_record(device, &ledger, NULL, &err), 0);
        read_ledger(&ledger);
        assert_int_equal(ledger.form, phase < UP_ARMED ? UP_HOTFIX_FORM : 1);
    }
    device->state.phase = UP_IDLE;
}

/* The gates come before anything is moved. */
static void test_begin_asks_the_gates(void **state)
{
    struct up_hotfix_ledger ledger;
    struct up_manifest m;
    (void)state;

    read_ledger(&ledger);
    assert_int_equal(up_hotfix_load(device, ledger.entry[0].id, &m, &err), 0);
    assert_int_equal(up_hotfix_begin(device, &m, &err), UP_NOTHING);
    strcpy(m.base[UP_SCRIPT], "9");
    strcpy(m.hotfix_version, "9");
    assert_int_equal(up_hotfix_begin(device, &m, &err), UP_INCOMPATIBLE);
    assert_false(is_there("new"));
}

/* What could not be cleaned is told. */
static void test_clean_when_a_call_fails(void **state)
{
    static struct up_hotfix_ledger ledger;
    struct sim *whole;
    (void)state;

    read_ledger(&ledger);
    put_in("gone", "x", "x");
    put_in(ID, "x", "x");
    sim_settle(sim);
    whole = sim;
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            int rc;

            sim = sim_clone(whole);
            device->storage = sim_storage(sim);
            sim_reset_counters(sim);
            sim_fail(sim, (enum sim_op)op, n, EIO, false);
            rc = up_hotfix_clean(device, &ledger, true, &err);
            met = sim_fault_hits(sim) > 0;
            if (met ? rc == 0 || !strstr(err.message, strerror(EIO))
                    : rc < 0 || is_there(ID) || is_there("gone"))
                fail_msg("%s %u: %d", sim_op_name((enum sim_op)op), n, rc);
            sim_free(sim);
        }
    sim = whole;
    device->storage = sim_storage(sim);
}

/* What begins is there as a whole, and durable, or it is said why not: of each file that it takes over, and whichever
 * call fails. */
static void must_begin_whole(const struct up_manifest *m, const char *const names[])
{
    struct sim *whole;
    unsigned failures = 0;

    sim_settle(sim);
    whole = sim;
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            struct sim *fault;
            bool all = true;
            int rc;

            sim = sim_clone(whole);
            device->storage = sim_storage(sim);
            sim_reset_counters(sim);
            sim_fail(sim, (enum sim_op)op, n, EIO, false);
            rc = up_hotfix_begin(device, m, &err);
            met = sim_fault_hits(sim) > 0;
            fault = sim;
            sim = sim_reboot(fault, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
            sim_free(fault);
            for (int i = 0; names[i]; i++)
                all = all && is_there(names[i]);
            if (rc == 0 ? !all : !met)
                fail_msg("%s %u: %d: %s", sim_op_name((enum sim_op)op), n, rc, err.message);
            failures += rc < 0;
            sim_free(sim);
        }
    sim = whole;
    device->storage = sim_storage(sim);
    assert_true(failures > 10);
}

static void test_begin_opaque_when_a_call_fails(void **state)
{
    static const char *const names[] = {"new/hotfix.idx", "new/hotfix.tar", "new/manifest.json",
                                        "new/unsigned", NULL};
    struct up_manifest m;
    (void)state;

    hotfixes_make_opaque(sim, device, "/packages/fix2.upd", &m);
    must_begin_whole(&m, names);
}

/* The head as the spool of a package holds it. */
static void put_head(const char *path, struct up_manifest *out)
{
    struct up_storage *s = sim_storage(sim);
    struct up_package *package;
    struct up_keyring *ring;
    struct up_source *source;
    char spool[256];
    int rc;

    if (up_keyring_load(&ring, s, config.keys, &err) < 0 || up_source_file(&source, s, path, &err) < 0 ||
        up_device_spool(device, spool, sizeof spool, &err) < 0 ||
        up_package_open(&package, source, s, ring, spool, &err) < 0)
        fail_msg("%s", err.message);
    do
        rc = up_package_step(package, &err);
    while (rc == UP_AGAIN);
    if (rc < 0)
        fail_msg("%s", err.message);
    *out = *up_package_manifest(package);
    up_package_free(package);
    source->ops->close(source);
    up_keyring_free(ring);
}

/* The first of the device: there is no folder for them yet. */
static void test_begin_signed_when_a_call_fails(void **state)
{
    static const char *const names[] = {"new/hotfix.idx", "new/manifest.minisig", "new/manifest.json", NULL};
    struct up_manifest m;
    (void)state;

    put_head("/packages/fix1.upd", &m);
    must_begin_whole(&m, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_kept),
        cmocka_unit_test_setup_teardown(test_unsigned, enter_opaque, leave),
        cmocka_unit_test_setup_teardown(test_load_when_a_call_fails, enter_opaque, leave),
        cmocka_unit_test_setup_teardown(test_load_when_a_call_fails, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_same_version, enter_opaque, leave),
        cmocka_unit_test_setup_teardown(test_overlaps, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_overlaps_of_modules, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_undo_when_a_call_fails, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_clean, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_waiting, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_changed, enter_files, leave),
        cmocka_unit_test_setup_teardown(test_form, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_bare_is_empty, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_accepted_when_it_is_written, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_no_switch_below_a_release, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_begin_asks_the_gates, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_clean_when_a_call_fails, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_begin_opaque_when_a_call_fails, enter_plain, leave),
        cmocka_unit_test_setup_teardown(test_begin_signed_when_a_call_fails, enter_without, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
