/*
 * permit_check.c -- permits: what is refused, what they open, that they open
 * it once; clocks; and a state in the form before this one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "digest.h"
#include "error.h"
#include "fixture.h"
#include "minisign.h"
#include "permit.h"
#include "variants.h"
#include "world.h"

#define NOW 1800000000u /* after any build of this program for years */
#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD "{\"format\":\"moult-permit-1\",\"project\":\"METER\","
#define TAIL "\"manifest\":\"" DIGEST "\",\"not_after\":1800000000}"

static const struct world_plan plan = {
    .name = "script", .provisioned = true, .package = WORLD_SCRIPT, .verdict = WORLD_CONFIRM};

struct bad_permit {
    const char *text, *fragment;
    int code;
};

static const struct bad_permit bad_permits[] = {
    {"", "line", UP_UNTRUSTED},
    {"{\"format\":\"moult-keys-1\"}", "not moult-permit-1", UP_UNTRUSTED},
    {"{\"format\":\"moult-permit-2\"}", "newer", UP_INCOMPATIBLE},
    {HEAD "\"devices\":\"*\"}", "manifest is missing", UP_UNTRUSTED},
    {HEAD TAIL, "devices is missing", UP_UNTRUSTED},
    {HEAD "\"devices\":\"all\"," TAIL, "devices must be", UP_UNTRUSTED},
    {HEAD "\"devices\":[]," TAIL, "devices must be", UP_UNTRUSTED},
    {HEAD "\"devices\":7," TAIL, "devices must be", UP_UNTRUSTED},
    {HEAD "\"devices\":[7]," TAIL, "must be a string", UP_UNTRUSTED},
    {HEAD "\"devices\":[\"\"]," TAIL, "1 to 64 bytes", UP_UNTRUSTED},
    {HEAD "\"devices\":[\"a\",\"a\"]," TAIL, "twice", UP_UNTRUSTED},
    {HEAD "\"devices\":\"*\",\"manifest\":\"" DIGEST "\"}", "not_after is missing", UP_UNTRUSTED},
    {HEAD "\"devices\":\"*\",\"manifest\":\"ab\",\"not_after\":5}", "64 lower-case", UP_UNTRUSTED},
    {HEAD "\"devices\":\"*\",\"manifest\":\"" DIGEST "\",\"not_after\":0}", "not_after must be",
     UP_UNTRUSTED},
    {HEAD "\"devices\":\"*\",\"other\":1," TAIL, "unknown field", UP_UNTRUSTED},
    {HEAD "\"devices\":\"*\",\"devices\":\"*\"," TAIL, "duplicate", UP_UNTRUSTED},
};

static void malformed_permits_are_refused(void **state)
{
    static struct up_permit p;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad_permits / sizeof bad_permits[0]; i++) {
        const struct bad_permit *c = &bad_permits[i];

        err.message[0] = '\0';
        if (up_permit_parse(&p, c->text, strlen(c->text), &err) != c->code ||
            !strstr(err.message, c->fragment))
            fail_msg("%s: %s", c->text, err.message);
    }
}

static void permits_have_their_limits(void **state)
{
    static char text[UP_PERMIT_MAX + 2];
    static struct up_permit p;
    struct up_error err;

    (void)state;
    for (unsigned count = UP_PERMIT_DEVICES; count <= UP_PERMIT_DEVICES + 1; count++) {
        size_t n = (size_t)sprintf(text, HEAD "\"devices\":[");

        for (unsigned i = 0; i < count; i++)
            n += (size_t)sprintf(text + n, "%s\"d%u\"", i ? "," : "", i);
        n += (size_t)sprintf(text + n, "]," TAIL);
        memset(text + n, ' ', sizeof text - n);
        if (count == UP_PERMIT_DEVICES) {
            assert_int_equal(up_permit_parse(&p, text, UP_PERMIT_MAX, &err), 0);
            assert_int_equal(p.device_count, UP_PERMIT_DEVICES);
            assert_true(up_permit_names(&p, "d255"));
            assert_int_equal(up_permit_parse(&p, text, UP_PERMIT_MAX + 1, &err), UP_UNTRUSTED);
            assert_non_null(strstr(err.message, "larger than"));
        } else {
            assert_int_equal(up_permit_parse(&p, text, n, &err), UP_UNTRUSTED);
            assert_non_null(strstr(err.message, "list of 1 to 256"));
        }
    }
}

static void a_permit_cut_anywhere_is_refused(void **state)
{
    static const char text[] = HEAD "\"devices\":[\"one\",\"two\"]," TAIL;
    static struct up_permit p;
    struct up_error err;

    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *exact = malloc(n ? n : 1);

        memcpy(exact, text, n);
        assert_int_equal(up_permit_parse(&p, exact, n, &err), UP_UNTRUSTED);
        free(exact);
    }
    assert_int_equal(up_permit_parse(&p, text, sizeof text - 1, &err), 0);
    assert_true(up_permit_names(&p, "one"));
    assert_true(up_permit_names(&p, "two"));
    assert_false(up_permit_names(&p, "on"));
    assert_false(up_permit_names(&p, ""));
}

/* Sign `text` as /permit by the release key of all variants, or by another. */
static void put_permit(struct sim *sim, const char *text, const char *comment, bool stranger)
{
    struct sim *scratch = sim_new();
    struct up_storage *s = sim_storage(scratch);
    char sig[UP_MINISIG_MAX];
    struct up_secret *key;
    struct up_error err;
    size_t len;

    assert_int_equal(up_fixture_keys(s, "/", false, &err), 0);
    assert_int_equal(up_signing_key_generate(s, "/stranger", &err), 0);
    assert_int_equal(up_signing_key_load(&key, s, stranger ? "/stranger.key" : "/fixture.key", &err), 0);
    assert_int_equal(up_signing_key_sign(key, text, strlen(text), comment, sig, &len, &err), 0);
    up_signing_key_free(key);
    sim_free(scratch);
    sim_settle(sim);
    sim_put_text(sim, "/permit", text);
    sim_put(sim, "/permit.minisig", sig, len, 0644);
}

struct setting {
    const char *project, *devices;
    int64_t ends; /* seconds from now at which it is over */
    bool other_package, stranger, as_keys, used, spent;
    const char *fragment; /* of the floor's line */
    int code;
    bool forgotten;
};

static const struct setting settings[] = {
    {"METER", "\"*\"", 0, .fragment = "a permit allows sequence 2 under the script floor 2"},
    {"METER", "[\"other\",\"dev-1\"]", 0, .fragment = "a permit allows"},
    {"METER", "\"*\"", -1, .fragment = "the permit is over", .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 1, .fragment = "a permit allows"},
    {"PUMP", "\"*\"", 9, .fragment = "the permit is for another project", .code = UP_INCOMPATIBLE},
    {"METER", "[\"dev-10\"]", 9, .fragment = "the permit does not name this device", .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 9, .other_package = true, .fragment = "another package", .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 9, .used = true, .fragment = "was used before", .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 9, .spent = true, .fragment = "too many that are still valid",
     .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 9, .forgotten = true, .fragment = "ends no later than one that was used",
     .code = UP_INCOMPATIBLE},
    {"METER", "\"*\"", 10, .forgotten = true, .fragment = "a permit allows"},
    {"METER", "\"*\"", 9, .stranger = true, .fragment = "not trusted", .code = UP_UNTRUSTED},
    {"METER", "\"*\"", 9, .as_keys = true, .fragment = "not as \"moult permit\"", .code = UP_UNTRUSTED},
};

/* The manifest that the plan's package has, read from the package's head. */
static struct up_manifest manifest_of(struct sim *sim, const char *path)
{
    struct up_manifest m;
    struct up_error err;
    size_t len;
    char *bytes = sim_get(sim, path, &len);
    size_t size = strtoul(bytes + 124, NULL, 8);

    assert_int_equal(up_manifest_parse(&m, bytes + 512, size, &err), 0);
    free(bytes);
    return m;
}

static void write_permit(struct sim *sim, const struct setting *c, const struct up_manifest *m, uint64_t now)
{
    char text[512], hex[65];

    up_hex(m->digest, sizeof m->digest, hex);
    if (c->other_package)
        hex[5] = hex[5] == 'a' ? 'b' : 'a';
    snprintf(text, sizeof text,
             "{\"format\":\"moult-permit-1\",\"project\":\"%s\",\"devices\":%s,\"manifest\":\"%s\",\"not_"
             "after\":%lld}",
             c->project, c->devices, hex, (long long)now + c->ends);
    put_permit(sim, text, c->as_keys ? "moult keys serial 1" : UP_PERMIT_COMMENT, c->stranger);
}

/* A device that confirmed sequence 2, at the time NOW. */
static struct sim *a_device_above(void)
{
    struct sim *sim = world_new(&plan);
    struct world_log log = {0};

    sim_set_now(sim, NOW);
    assert_int_equal(world_live(sim, &plan, true, &log), WORLD_SETTLED);
    assert_true(log.confirmed);
    sim_settle(sim);
    return sim;
}

static struct up_device *open_device(struct sim *sim, struct up_config *config)
{
    struct up_device *d;
    struct up_error err;

    world_configure(config);
    strcpy(config->id, "dev-1");
    if (up_device_open(&d, sim_storage(sim), config, UP_DEVICE_LOCK, &err) < 0)
        fail_msg("%s", err.message);
    return d;
}

static void close_device(struct up_device *d, struct up_config *config)
{
    up_device_close(d);
    up_config_free(config);
}

/* Change the record behind the device's back. */
static void patch(struct sim *sim, void (*change)(struct up_journal_state *s))
{
    struct up_journal_state *s = malloc(sizeof *s);
    struct up_journal *j;
    struct up_error err;

    assert_int_equal(up_journal_open(&j, sim_storage(sim), "/device/state", &err), 0);
    assert_int_equal(up_journal_read(j, s, &err), 0);
    change(s);
    assert_int_equal(up_journal_write(j, s, &err), 0);
    assert_int_equal(up_journal_write(j, s, &err), 0);
    up_journal_close(j);
    free(s);
    sim_settle(sim);
}

static void fill_permits(struct up_journal_state *s)
{
    for (unsigned i = 0; i < UP_PERMITS_MAX; i++) {
        s->used[i].digest[0] = (uint8_t)i;
        s->used[i].not_after = NOW;
    }
}

static void forget_permits(struct up_journal_state *s)
{
    s->permits_over = NOW + 9;
}

static struct up_permit_mark used_mark;

static void use_permit(struct up_journal_state *s)
{
    up_journal_permit_remember(s, &used_mark);
}

static void mark_used(struct sim *sim)
{
    size_t len;
    char *text = sim_get(sim, "/permit", &len);

    up_sha256(text, len, used_mark.digest);
    used_mark.not_after = NOW;
    free(text);
    patch(sim, use_permit);
}

static void the_floor_opens_for_the_right_permit_alone(void **state)
{
    struct sim *base = a_device_above();
    struct up_manifest m = manifest_of(base, "/packages/script.upd");

    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *c = &settings[i];
        struct sim *sim = sim_clone(base);
        struct up_config config;
        struct up_gate_report report;
        struct up_device *d;
        struct up_error err = {0};
        int rc;

        write_permit(sim, c, &m, NOW);
        if (c->used)
            mark_used(sim);
        if (c->spent)
            patch(sim, fill_permits);
        if (c->forgotten)
            patch(sim, forget_permits);
        d = open_device(sim, &config);
        rc = up_device_permit(d, "/permit", &err);
        if (rc == 0) {
            rc = up_device_gates(d, &m, &report, &err);
            if (report.permitted != (c->code == UP_OK))
                fail_msg("setting %zu: permitted: %d", i, report.permitted);
            for (unsigned n = 0; n < report.count; n++)
                if (strcmp(report.line[n].gate, "floor") == 0)
                    strcpy(err.message, report.line[n].text);
        }
        if (rc != c->code || !strstr(err.message, c->fragment))
            fail_msg("setting %zu: code %d: %s", i, rc, err.message);
        close_device(d, &config);
        sim_free(sim);
    }
    sim_free(base);
}

/* A permit opens nothing but the floor. */
static void room_that_cannot_be_asked_for_opens_no_gate(void **state)
{
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct up_gate_report report;
    struct up_config config;
    struct up_device *d = open_device(sim, &config);
    struct up_error err;

    (void)state;
    sim_fail(sim, SIM_SPACE, 1, EIO, true);
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_WRITE);
    assert_string_equal(err.message, "state /device/state: free space: Input/output error");
    m.part[m.part_count++] = (struct up_part){.kind = UP_FILES};
    config.files.root_count = 1;
    config.files.root[0].path = "/keys";
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_WRITE);
    assert_string_equal(err.message, "root /keys: free space: Input/output error");
    sim_fail(sim, SIM_SPACE, 0, 0, false);
    config.files.root[0].path = "/nowhere";
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_MISSING);
    assert_string_equal(err.message, "root /nowhere: free space: No such file or directory");
    config.files.root_count = 0;
    config.files.root[0].path = NULL;
    close_device(d, &config);
    sim_free(sim);
}

static void roots_that_hold_the_state_keep_files_out(void **state)
{
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct up_gate_report report;
    struct up_config config;
    struct up_device *d = open_device(sim, &config);
    struct up_error err;

    (void)state;
    m.part[m.part_count++] = (struct up_part){.kind = UP_FILES};
    config.files.root_count = 1;
    config.files.root[0].path = "/device";
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_INCOMPATIBLE);
    assert_string_equal(err.message,
                        "files.roots: the root /device holds the state directory, /device/state");
    config.files.root[0].path = NULL;
    close_device(d, &config);
    sim_free(sim);
}

static struct up_storage_ops two_roots;

static int room_of(struct up_storage *s, const char *path, uint64_t *bytes)
{
    (void)s;
    *bytes = 1 << 30;
    if (strcmp(path, "/keys") == 0)
        *bytes = 5000;
    if (strcmp(path, "/packages") == 0)
        *bytes = 3000;
    return 0;
}

/* Each part may lie in either of them, and all of it in one. */
static void the_root_with_the_least_room_counts(void **state)
{
    static char roots[][16] = {"/keys", "/packages", "/keys"};
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct up_gate_report report;
    struct up_config config;
    struct up_device *d = open_device(sim, &config);
    const struct up_storage_ops *ops = sim_storage(sim)->ops;
    struct up_error err;

    (void)state;
    m.sequence = 9;
    m.part[m.part_count++] = (struct up_part){.kind = UP_FILES, .size = 3000};
    two_roots = *ops;
    two_roots.space = room_of;
    sim_storage(sim)->ops = &two_roots;
    config.files.root_count = 2;
    for (int i = 0; i < 2; i++) {
        config.files.root[0].path = roots[i];
        config.files.root[1].path = roots[i + 1];
        m.part[m.part_count - 1].size = 3000;
        if (up_device_gates(d, &m, &report, &err) < 0)
            fail_msg("%s", err.message);
        m.part[m.part_count - 1].size = 3001;
        assert_int_equal(up_device_gates(d, &m, &report, &err), UP_NOSPACE);
        assert_non_null(strstr(err.message, "the root /packages has 3000 bytes free, the files take 3001"));
    }
    config.files.root_count = 0;
    config.files.root[0].path = config.files.root[1].path = NULL;
    sim_storage(sim)->ops = ops;
    close_device(d, &config);
    sim_free(sim);
}

static void other_gates_stay_closed(void **state)
{
    static const struct setting good = {.project = "METER", .devices = "\"*\"", .ends = 0};
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct up_gate_report report;
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    write_permit(sim, &good, &m, NOW);
    d = open_device(sim, &config);
    assert_int_equal(up_device_permit(d, "/permit", &err), 0);
    m.not_after = NOW - 1;
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "gate not_after"));
    m.not_after = 0;
    strcpy(m.min_moult, "999");
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "gate min_moult"));
    /* The limit of sequences is the floor's other end. */
    m.min_moult[0] = '\0';
    m.sequence = UP_SEQUENCE_FREE + 1;
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_OK);
    /* Dropped, it opens nothing. */
    m.sequence = 2;
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_OK);
    assert_int_equal(up_device_permit(d, NULL, &err), 0);
    assert_int_equal(up_device_gates(d, &m, &report, &err), UP_INCOMPATIBLE);
    close_device(d, &config);
    sim_free(sim);
}

/* Install sequence 2 again, by permit when `with`. Armed: 0. */
static int install(struct up_device *d, struct sim *sim, bool with, struct up_error *err)
{
    struct up_storage *s = sim_storage(sim);
    int rc = with ? up_device_permit(d, "/permit", err) : 0;

    return rc < 0 ? rc : world_install(d, s, "/packages/script.upd", err);
}

static void a_permit_is_used_up_by_the_confirmation(void **state)
{
    static const struct setting good = {.project = "METER", .devices = "[\"dev-1\"]", .ends = 100};
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    enum up_start_action action;
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    write_permit(sim, &good, &m, NOW);
    d = open_device(sim, &config);
    assert_int_equal(install(d, sim, false, &err), UP_INCOMPATIBLE);
    assert_int_equal(install(d, sim, true, &err), 0);

    /* Taken back while armed: it was not used. */
    assert_int_equal(up_device_rollback(d, false, "by hand", &action, &err), 0);
    assert_int_equal(install(d, sim, true, &err), 0);
    close_device(d, &config);

    /* Without the file the transaction still knows it. */
    d = open_device(sim, &config);
    assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 100);
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    assert_int_equal(up_device_confirm(d, &err), 0);
    assert_int_equal(up_device_state(d)->floor[UP_SCRIPT], 2);
    assert_int_equal(install(d, sim, true, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "was used before"));
    close_device(d, &config);
    sim_free(sim);
}

/* Interrupted after it began, it goes on without the file; but not past the
 * permit's last second. */
static void a_transaction_keeps_its_permit(void **state)
{
    static const struct setting good = {.project = "METER", .devices = "\"*\"", .ends = 100};
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    write_permit(sim, &good, &m, NOW);
    d = open_device(sim, &config);
    assert_int_equal(up_device_permit(d, "/permit", &err), 0);
    assert_int_equal(up_device_begin(d, &m, &err), 0);
    close_device(d, &config);
    d = open_device(sim, &config);
    sim_set_now(sim, NOW + 101);
    assert_int_equal(install(d, sim, false, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "the permit is over"));
    sim_set_now(sim, NOW + 100);
    assert_int_equal(install(d, sim, false, &err), 0);
    close_device(d, &config);
    sim_free(sim);
}

static void raise_floors(struct up_journal_state *s)
{
    s->floor[UP_SCRIPT] = s->floor[UP_CORE] = 2;
}

/* Begin, by the permit at hand; or go on until the core is about to be armed. */
static void begin_by_permit(struct up_device *d, struct sim *sim, const struct up_manifest *m, bool arming)
{
    struct up_error err;

    assert_int_equal(up_device_permit(d, "/permit", &err), 0);
    if (!arming) {
        assert_int_equal(up_device_begin(d, m, &err), 0);
        return;
    }
    for (unsigned n = 1; up_device_state(d)->phase != UP_ARMING; n++) {
        sim_reset_counters(sim);
        sim_fail(sim, SIM_PWRITE, n, EIO, true);
        assert_int_not_equal(world_install(d, sim_storage(sim), "/packages/core.upd", &err), 0);
        sim_fail(sim, SIM_PWRITE, 0, 0, false);
    }
}

/* Wherever the transaction stands, a permit that is over is replaced by one
 * that is not; when that cannot be written down, nothing changes. */
static void a_later_permit_takes_the_place_of_one_that_is_over(void **state)
{
    static const struct world_plan core = {.name = "core", .provisioned = true, .package = WORLD_CORE};
    struct setting good = {.project = "METER", .devices = "\"*\""};

    (void)state;
    for (int arming = 0; arming < 2; arming++) {
        struct sim *sim = world_new(&core);
        struct up_manifest m = manifest_of(sim, "/packages/core.upd");
        struct up_config config;
        struct up_device *d;
        struct up_error err;

        sim_set_now(sim, NOW);
        patch(sim, raise_floors);
        good.ends = 100;
        write_permit(sim, &good, &m, NOW);
        d = open_device(sim, &config);
        begin_by_permit(d, sim, &m, arming);
        assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 100);
        close_device(d, &config);

        sim_set_now(sim, NOW + 101);
        good.ends = 500;
        write_permit(sim, &good, &m, NOW);
        d = open_device(sim, &config);
        assert_int_equal(up_device_begin(d, &m, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, "the permit is over"));
        assert_int_equal(up_device_permit(d, "/permit", &err), 0);
        sim_reset_counters(sim);
        sim_fail(sim, SIM_PWRITE, 1, EIO, true);
        assert_int_equal(up_device_begin(d, &m, &err), UP_WRITE);
        assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 100);
        assert_int_equal(up_device_state(d)->phase, arming ? UP_ARMING : UP_FETCHING);
        sim_fail(sim, SIM_PWRITE, 0, 0, false);
        assert_int_equal(up_device_begin(d, &m, &err), 0);
        assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 500);
        assert_int_equal(up_device_state(d)->phase, arming ? UP_INSTALLING : UP_FETCHING);
        close_device(d, &config);

        /* It is on record: the file is not needed any more. */
        d = open_device(sim, &config);
        assert_int_equal(world_install(d, sim_storage(sim), "/packages/core.upd", &err), 0);
        assert_int_equal(up_device_state(d)->phase, UP_ARMED);
        assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 500);
        close_device(d, &config);
        sim_free(sim);
    }
}

/* What the clock may say, and what the device makes of it: it was confirmed at
 * NOW with `issued`. */
static void time_never_falls_behind_what_is_known(void **state)
{
    static const struct {
        uint64_t clock, issued, expected; /* expected 0: the build time */
    } clocks[] = {
        {0, 0, 0},
        {1, NOW, NOW},
        {NOW - 1, NOW, NOW},
        {NOW, NOW, NOW},
        {NOW + 1, NOW, NOW + 1},
        {2147483647, NOW, 2147483647},
        {2147483648, NOW, 2147483648},
        {4294967296, NOW, 4294967296},
        {4294967296, 4294967297, 4294967297},
    };
    struct sim *base = a_device_above();

    (void)state;
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct sim *sim = sim_clone(base);
        struct up_config config;
        struct up_gate_report report;
        struct up_manifest m = manifest_of(sim, "/packages/script.upd");
        struct up_device *d = open_device(sim, &config);
        struct up_error err;
        uint64_t time;

        sim_set_now(sim, clocks[i].clock);
        ((struct up_journal_state *)up_device_state(d))->issued = clocks[i].issued;
        time = up_device_time(d);
        if (clocks[i].expected)
            assert_int_equal(time, clocks[i].expected);
        else
            assert_true(time > 1700000000);
        /* The last second is inside, the next one is not. */
        m.sequence = 3;
        m.not_after = time;
        assert_int_equal(up_device_gates(d, &m, &report, &err), UP_OK);
        m.not_after = time + 1;
        assert_int_equal(up_device_gates(d, &m, &report, &err), UP_OK);
        m.not_after = time - 1;
        assert_int_equal(up_device_gates(d, &m, &report, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, "gate not_after"));
        close_device(d, &config);
        sim_free(sim);
    }
    sim_free(base);
}

static void form_1(struct up_journal_state *s)
{
    s->form = 1;
}

/* Of the newest record, read past any open device. */
static unsigned form_of_record(struct sim *sim)
{
    struct up_journal_state *s = malloc(sizeof *s);
    struct up_journal *j;
    struct up_error err;
    unsigned form;

    assert_int_equal(up_journal_open(&j, sim_storage(sim), "/device/state", &err), 0);
    assert_int_equal(up_journal_read(j, s, &err), 0);
    form = s->form;
    up_journal_close(j);
    free(s);
    return form;
}

/*
 * An older Moult armed a core that brings this one. As long as the device may
 * fall back to the older one, every record stays in its form.
 */
static void the_old_form_is_written_until_the_verdict(void **state)
{
    static const struct world_plan core = {
        .name = "slot", .provisioned = true, .package = WORLD_CORE, .verdict = WORLD_CONFIRM};

    (void)state;
    for (int confirm = 0; confirm < 2; confirm++) {
        struct sim *sim = world_new(&core);
        enum up_start_action action;
        struct up_config config;
        struct up_device *d = open_device(sim, &config);
        struct up_error err;

        assert_int_equal(world_install(d, sim_storage(sim), "/packages/core.upd", &err), 0);
        close_device(d, &config);
        patch(sim, form_1);
        d = open_device(sim, &config);
        assert_int_equal(up_device_start(d, &action, &err), 0);
        assert_int_equal(action, UP_START_RUN);
        assert_int_equal(up_device_state(d)->phase, UP_TRIAL);
        assert_int_equal(up_device_trial_start(d, &action, &err), 0);
        assert_int_equal(form_of_record(sim), 1);
        if (confirm) {
            assert_int_equal(up_device_confirm(d, &err), 0);
            /* The other slot still holds a Moult that may be started: no form 4 for it. */
            assert_int_equal(form_of_record(sim), 3);
        } else {
            assert_int_equal(up_device_rollback(d, true, "bad", &action, &err), 0);
            assert_int_equal(action, UP_START_RESTART);
            assert_int_equal(form_of_record(sim), 1);
        }
        close_device(d, &config);
        sim_free(sim);
    }
}

static void form_3(struct up_journal_state *s)
{
    s->form = 3;
}

/* Both slots hold a Moult that reads up to form 3. The first core leaves one of
 * them, to which the device may fall back at any time; the second takes its place. */
static void form_4_comes_when_no_slot_holds_an_older_moult(void **state)
{
    static const struct world_plan second = {
        .name = "slot", .provisioned = true, .package = WORLD_CORE, .second = true};
    struct sim *sim = world_new(&second);
    enum up_start_action action;
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    patch(sim, form_3);
    d = open_device(sim, &config);
    assert_int_equal(up_device_state(d)->slot[0].reads, 3);
    assert_int_equal(up_device_state(d)->slot[1].reads, 3);
    assert_int_equal(up_device_start(d, &action, &err), 0);
    assert_int_equal(up_device_running(d), 1);
    assert_int_equal(up_device_count_kept_out(d, &err), 0); /* any record while idle */
    assert_int_equal(form_of_record(sim), 3);
    assert_int_equal(world_install(d, sim_storage(sim), "/packages/core.upd", &err), 0);
    assert_int_equal(form_of_record(sim), 4);
    assert_int_equal(up_device_state(d)->slot[1].reads, 4);
    assert_int_equal(up_device_state(d)->slot[0].reads, 0); /* nobody knows what the new core brings */
    close_device(d, &config);
    d = open_device(sim, &config);
    assert_int_equal(up_device_start(d, &action, &err), 0);
    assert_int_equal(up_device_state(d)->phase, UP_TRIAL);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    assert_int_equal(up_device_confirm(d, &err), 0);
    assert_int_equal(up_device_state(d)->slot[0].reads, 4);
    assert_int_equal(form_of_record(sim), 4);
    close_device(d, &config);
    sim_free(sim);
}

/* A state of the form before is a state like any other. */
static void a_device_of_form_1_goes_on(void **state)
{
    static const struct setting good = {.project = "METER", .devices = "\"*\"", .ends = 100};
    struct sim *sim = a_device_above();
    struct up_manifest m = manifest_of(sim, "/packages/script.upd");
    struct world_log log = {0};
    struct up_config config;
    struct up_device *d;
    struct up_error err;

    (void)state;
    patch(sim, form_1);
    assert_int_equal(form_of_record(sim), 1);
    world_check(sim, &plan, true, &log);
    assert_string_equal(log.bad, "");
    write_permit(sim, &good, &m, NOW);
    d = open_device(sim, &config);
    assert_int_equal(install(d, sim, true, &err), 0);
    assert_int_equal(form_of_record(sim), UP_JOURNAL_FORM);
    assert_int_equal(up_device_state(d)->tx.permit.not_after, NOW + 100);
    close_device(d, &config);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_permits_are_refused),
        cmocka_unit_test(permits_have_their_limits),
        cmocka_unit_test(a_permit_cut_anywhere_is_refused),
        cmocka_unit_test(the_floor_opens_for_the_right_permit_alone),
        cmocka_unit_test(the_root_with_the_least_room_counts),
        cmocka_unit_test(other_gates_stay_closed),
        cmocka_unit_test(roots_that_hold_the_state_keep_files_out),
        cmocka_unit_test(room_that_cannot_be_asked_for_opens_no_gate),
        cmocka_unit_test(a_permit_is_used_up_by_the_confirmation),
        cmocka_unit_test(a_transaction_keeps_its_permit),
        cmocka_unit_test(a_later_permit_takes_the_place_of_one_that_is_over),
        cmocka_unit_test(time_never_falls_behind_what_is_known),
        cmocka_unit_test(the_old_form_is_written_until_the_verdict),
        cmocka_unit_test(form_4_comes_when_no_slot_holds_an_older_moult),
        cmocka_unit_test(a_device_of_form_1_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
