/*
 * journal_check.c -- the journal's form, boot record and history.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "digest.h"
#include "error.h"
#include "history.h"
#include "journal.h"
#include "record.h"
#include "record_walk.h"
#include "sim.h"

/* Every field set to something of its own. */
static struct up_journal_state full_state(void)
{
    struct up_journal_state s;
    uint8_t *bytes = (uint8_t *)&s.tx.pair.digest;

    memset(&s, 0, sizeof s);
    s.phase = UP_TRIAL;
    s.floor[UP_SCRIPT] = 1ull << 40;
    s.floor[UP_CORE] = UINT64_MAX;
    s.issued = 1700000000;
    s.next_generation = 7;
    s.next_transaction = UINT32_MAX;
    s.slot[1] = (struct up_pair){.present = true,
                                 .release = "1.0.1",
                                 .core_name = "core",
                                 .core_version = 22,
                                 .core_size = 1ull << 33,
                                 .script_version = "1.0.1",
                                 .generation = 6};
    memset(s.slot[1].digest, 0xa5, sizeof s.slot[1].digest);
    s.quarantine[15] = (struct up_quarantined){.sequence = 9, .parts = 3, .strikes = 2, .project = "METER"};
    s.tx.id = 12;
    s.tx.parts = 3;
    s.tx.target = 1;
    s.tx.sequence = 18;
    memset(s.tx.project, 'p', sizeof s.tx.project - 1);
    strcpy(s.tx.boot_id, "boot-3");
    strcpy(s.tx.why, "because");
    s.tx.failed = s.tx.unreached = true;
    s.tx.starts = 2;
    bytes[31] = 1;
    s.has_last = true;
    s.last = (struct up_last){.code = UP_ROLLEDBACK, .sequence = 17, .time = 1, .message = "it crashed"};
    return s;
}

static void a_state_comes_back_as_it_was(void **state)
{
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY), *again = malloc(UP_JOURNAL_CAPACITY);
    struct up_error err;
    size_t len = up_journal_encode(&in, bytes);

    (void)state;
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_int_equal(out.phase, UP_TRIAL);
    assert_int_equal(out.slot[1].core_size, 1ull << 33);
    assert_int_equal(out.last.code, UP_ROLLEDBACK);
    assert_string_equal(out.last.message, "it crashed");
    assert_string_equal(out.tx.boot_id, "boot-3");
    assert_true(out.tx.failed && out.tx.unreached);
    assert_int_equal(up_journal_encode(&out, again), len);
    assert_memory_equal(bytes, again, len);
    free(bytes);
    free(again);
}

static void a_cut_state_is_refused_at_every_length(void **state)
{
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    struct up_error err;
    size_t len = up_journal_encode(&in, bytes);

    (void)state;
    assert_true(len < UP_JOURNAL_CAPACITY);
    for (size_t n = 0; n < len; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read beyond */

        memcpy(exact, bytes, n);
        assert_int_equal(up_journal_decode(&out, exact, n, &err), UP_CORRUPT);
        free(exact);
    }
    assert_int_equal(up_journal_decode(&out, bytes, len + 1, &err), UP_CORRUPT);
    free(bytes);
}

/* What devices in the field hold never changes: these bytes were written by
 * the first program that had a journal. */
static void form_1_is_written_and_read_as_it_always_was(void **state)
{
    static const char golden[] = "dfc2fa4be2ce8e9b452d469798d1138d6d4ed990009c93f3a4f45793993dcffa";
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY), digest[UP_SHA256_SIZE];
    struct up_error err;
    char hex[65];
    size_t len;

    (void)state;
    in.form = 1;
    in.used[0].not_after = 1; /* has no place in form 1 */
    len = up_journal_encode(&in, bytes);
    assert_int_equal(len, 2438);
    up_sha256(bytes, len, digest);
    up_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, golden);
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_int_equal(out.form, 1);
    assert_int_equal(out.used[0].not_after, 0);
    assert_string_equal(out.tx.why, "because");
    free(bytes);
}

/* So were these, by the last program that wrote form 2. */
static void form_2_is_written_as_it_always_was_and_keeps_permits(void **state)
{
    static const char golden[] = "b52d7617f570f8cbb716cbb5ba86719880557ded67d05db1dd1d7140bb0aed25";
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY), digest[UP_SHA256_SIZE];
    struct up_error err;
    char hex[65];
    size_t len;

    (void)state;
    in.form = 2;
    in.slot[1].script.known = true; /* has no place in form 2 */
    memset(in.tx.permit.digest, 7, 32);
    in.tx.permit.not_after = 1800000000;
    in.used[UP_PERMITS_MAX - 1] = in.tx.permit;
    len = up_journal_encode(&in, bytes);
    assert_int_equal(len, 5038);
    up_sha256(bytes, len, digest);
    up_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, golden);
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_int_equal(out.form, 2);
    assert_memory_equal(&out.tx.permit, &in.tx.permit, sizeof in.tx.permit);
    assert_true(up_journal_permit_used(&out, in.tx.permit.digest));
    assert_false(out.slot[1].script.known);
    free(bytes);
}

/* A clock that is set back must not revive what form 2 forgot. */
static void what_form_2_forgot_of_used_permits_stays_over(void **state)
{
    static const struct {
        unsigned used; /* entries taken, which end at 1001, 1002, ... */
        uint64_t issued, over;
    } cases[] = {{0, 500, 0},
                 {UP_PERMITS_MAX - 1, 500, 0}, /* one is free: none was forgotten */
                 {UP_PERMITS_MAX, 0, 0},
                 {UP_PERMITS_MAX, 1, 0},
                 {UP_PERMITS_MAX, 1010, 1009},
                 {UP_PERMITS_MAX, 9999999, 1000 + UP_PERMITS_MAX}}; /* by a release that was dated wrongly */
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    struct up_journal_state out;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_journal_state in = full_state();
        size_t len;

        in.form = 2;
        in.issued = cases[i].issued;
        for (unsigned k = 0; k < cases[i].used; k++)
            in.used[k].not_after = 1001 + k;
        len = up_journal_encode(&in, bytes);
        assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
        assert_int_equal(out.permits_over, cases[i].over);
        out.form = 3; /* and it is kept from then on, whatever becomes of the time floor */
        out.issued = 0;
        len = up_journal_encode(&out, bytes);
        assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
        assert_int_equal(out.permits_over, cases[i].over);
    }
    free(bytes);
}

/* And these, by the last program that wrote form 3. */
static void form_3_is_written_as_it_always_was_and_keeps_what_a_pair_is_recognised_by(void **state)
{
    static const char golden[] = "11decd9aac8637e2c862508e87482d579457bf89c9940ddcc4662979699e00d8";
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY), digest[UP_SHA256_SIZE];
    struct up_error err;
    char hex[65];
    size_t len;

    (void)state;
    in.form = 3;
    in.slot[1].script.known = true;
    memset(in.slot[1].script.bytes, 8, 32);
    memset(in.tx.pair.identity, 'i', UP_IDENTITY_SIZE - 1);
    len = up_journal_encode(&in, bytes);
    up_sha256(bytes, len, digest);
    up_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, golden);
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_int_equal(out.form, 3);
    assert_memory_equal(&out.slot[1].script, &in.slot[1].script, sizeof in.slot[1].script);
    assert_string_equal(out.tx.pair.identity, in.tx.pair.identity);
    assert_false(out.slot[0].script.known || out.tx.pair.script.known);
    free(bytes);
}

/* And these are what form 4 is. */
static void form_4_is_written_as_it_always_was_and_keeps_what_belongs_to_files(void **state)
{
    static const char golden[] = "cff7d3a19d9e25970f0d1b2e6a53a92a29f5cd9618391a890e114a53141e81c8";
    struct up_journal_state in = full_state(), out;
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY), digest[UP_SHA256_SIZE];
    struct up_error err;
    char hex[65];
    size_t len;

    (void)state;
    in.floor[UP_FILES] = 77;
    in.floor[UP_FLOORS - 1] = 78;
    in.tree = 6;
    in.slot[1].reads = 5; /* a newer Moult */
    in.slot[1].files.known = true;
    memset(in.slot[1].files.bytes, 9, 32);
    strcpy(in.tx.pair.files_version, "080507");
    in.tx.plan.known = in.tx.restart = true;
    memset(in.tx.armed_boot, 'b', sizeof in.tx.armed_boot - 1);
    len = up_journal_encode(&in, bytes);
    up_sha256(bytes, len, digest);
    up_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, golden);
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_int_equal(out.form, 4);
    assert_true(out.floor[UP_FILES] == 77 && out.floor[UP_FLOORS - 1] == 78 && out.tree == 6);
    assert_memory_equal(&out.slot[1], &in.slot[1], sizeof in.slot[1]);
    assert_string_equal(out.tx.pair.files_version, "080507");
    assert_true(out.tx.plan.known && out.tx.restart);
    assert_string_equal(out.tx.armed_boot, in.tx.armed_boot);

    /* An older form has no place for any of it, and its floors are two. */
    in.form = 3;
    len = up_journal_encode(&in, bytes);
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), 0);
    assert_true(out.floor[UP_CORE] == UINT64_MAX && out.floor[UP_FILES] == 0 && out.tree == 0);
    assert_false(out.slot[1].files.known || out.tx.plan.known);
    assert_int_equal(out.slot[1].reads, 3);
    assert_int_equal(out.slot[0].reads, 0);
    free(bytes);
}

static void the_form_is_what_every_present_pair_reads(void **state)
{
    static const struct {
        const char *text;
        uint32_t found, a, b; /* what is written now; what the pairs read, 0: there is none */
        uint32_t form;
    } cases[] = {{"one pair of this Moult", 3, 4, 0, 4},
                 {"another pair reads less", 3, 4, 3, 3},
                 {"both read it", 3, 4, 4, 4},
                 {"one reads more", 4, 5, 4, 4},
                 {"one from before permits", 1, 4, 1, 3},
                 {"it does not go back", 4, 3, 4, 4},
                 {"a device that is being made", 0, 0, 0, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_journal_state s = {.form = cases[i].found};

        s.slot[0] = (struct up_pair){.present = cases[i].a > 0, .reads = cases[i].a};
        s.slot[1] = (struct up_pair){.present = cases[i].b > 0, .reads = cases[i].b};
        if (up_journal_form(&s) != cases[i].form)
            fail_msg("%s: form %u", cases[i].text, up_journal_form(&s));
    }
}

/* When all entries are taken, only a permit that is over makes room. What ends
 * no later than it stays over, and the time floor stays where it is. */
static void used_permits_are_forgotten_only_when_they_are_over(void **state)
{
    struct up_journal_state s = {.issued = 50};
    struct up_permit_mark mark = {.not_after = 100};

    (void)state;
    for (unsigned i = 0; i < UP_PERMITS_MAX; i++) {
        assert_true(up_journal_permit_room(&s, 0) || i > 0);
        memset(mark.digest, (int)i + 1, sizeof mark.digest);
        mark.not_after = 100 + i;
        up_journal_permit_remember(&s, &mark);
        up_journal_permit_remember(&s, &mark);
        assert_int_equal(s.issued, 50);
    }
    assert_false(up_journal_permit_room(&s, 100));
    assert_true(up_journal_permit_room(&s, 101));
    memset(mark.digest, 0xff, sizeof mark.digest);
    mark.not_after = 500;
    up_journal_permit_remember(&s, &mark);
    assert_true(up_journal_permit_used(&s, mark.digest));
    memset(mark.digest, 1, sizeof mark.digest);
    assert_false(up_journal_permit_used(&s, mark.digest));
    assert_int_equal(s.permits_over, 100);
    assert_int_equal(s.issued, 50);
    memset(mark.digest, 2, sizeof mark.digest);
    assert_true(up_journal_permit_used(&s, mark.digest));

    /* An end that lies beyond stays. */
    s.permits_over = 200;
    memset(mark.digest, 0xfe, sizeof mark.digest);
    up_journal_permit_remember(&s, &mark);
    assert_true(up_journal_permit_used(&s, mark.digest));
    assert_int_equal(s.permits_over, 200);
}

/* Where in the bytes the slot that a transaction is about lies. */
static size_t target_at(const struct up_journal_state *s)
{
    struct up_journal_state other = *s;
    uint8_t *one = malloc(UP_JOURNAL_CAPACITY), *two = malloc(UP_JOURNAL_CAPACITY);
    size_t at = 0;

    other.tx.target = !s->tx.target;
    assert_int_equal(up_journal_encode(s, one), up_journal_encode(&other, two));
    while (one[at] == two[at])
        at++;
    free(one);
    free(two);
    return at;
}

static void impossible_values_are_refused(void **state)
{
    struct up_journal_state in = full_state(), out;
    const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{8, UP_PHASES}, {16, 2} /* slot a present: neither 0 nor 1 */, {target_at(&in), UP_SLOTS}};
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    struct up_error err;
    size_t len = up_journal_encode(&in, bytes);

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t kept = bytes[changes[i].at];

        bytes[changes[i].at] = changes[i].value;
        assert_int_equal(up_journal_decode(&out, bytes, len, &err), UP_CORRUPT);
        bytes[changes[i].at] = kept;
    }
    bytes[0]++;
    assert_int_equal(up_journal_decode(&out, bytes, len, &err), UP_INCOMPATIBLE);
    free(bytes);
}

/* A record that is whole, and is none of ours. */
static void a_record_of_something_else_is_a_lost_state(void **state)
{
    struct sim *sim = sim_new();
    struct up_record record = {.storage = sim_storage(sim),
                               .path = "/state/journal",
                               .magic = "MOULTJN1",
                               .capacity = UP_RECORD_HEAD + UP_JOURNAL_CAPACITY};
    struct up_journal_state *out = malloc(sizeof *out);
    struct up_journal *j;
    struct up_error err;

    (void)state;
    sim_put_dir(sim, "/state", 0700);
    assert_int_equal(up_record_create(&record, "something", 9, &err), 0);
    assert_int_equal(up_journal_open(&j, sim_storage(sim), "/state", &err), 0);
    assert_int_equal(up_journal_read(j, out, &err), UP_STATELOST);
    assert_string_equal(err.message, "/state/journal: both records are unreadable");
    up_journal_close(j);
    free(out);
    sim_free(sim);
}

/* The older one counts, as when the newer one is damaged; what was of no use is
 * written over. That of a newer program is no damage. */
static void a_record_that_is_none_of_ours_leaves_the_older_one(void **state)
{
    struct sim *sim = sim_new();
    struct up_record record = {.storage = sim_storage(sim),
                               .path = "/state/journal",
                               .magic = "MOULTJN1",
                               .capacity = UP_RECORD_HEAD + UP_JOURNAL_CAPACITY};
    struct up_journal_state *s = calloc(1, sizeof *s);
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    struct up_journal *j;
    struct up_error err;
    size_t len;

    (void)state;
    sim_put_dir(sim, "/state", 0700);
    assert_int_equal(up_journal_open(&j, sim_storage(sim), "/state", &err), 0);
    s->next_generation = 7;
    assert_int_equal(up_journal_create(j, s, &err), 0);
    for (int times = 0; times < 3; times++) {
        assert_int_equal(up_record_write(&record, "something", 9, &err), 0);
        assert_int_equal(up_journal_read(j, s, &err), 0);
        assert_int_equal(s->next_generation, 7 + times);
        s->next_generation++;
        assert_int_equal(up_journal_write(j, s, &err), 0);
        assert_int_equal(up_journal_read(j, s, &err), 0);
        assert_int_equal(s->next_generation, 8 + times);
    }
    len = up_journal_encode(s, bytes);
    bytes[0]++; /* its form */
    assert_int_equal(up_record_write(&record, bytes, len, &err), 0);
    assert_int_equal(up_journal_read(j, s, &err), UP_INCOMPATIBLE);
    up_journal_close(j);
    free(bytes);
    free(s);
    sim_free(sim);
}

static void every_phase_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(up_journal_phase_name(UP_IDLE), "idle");
    for (unsigned i = 0; i < UP_PHASES; i++)
        for (unsigned k = i + 1; k <= UP_PHASES; k++)
            assert_string_not_equal(up_journal_phase_name((enum up_phase)i),
                                    up_journal_phase_name((enum up_phase)k));
    assert_string_equal(up_journal_phase_name(UP_PHASES), "unknown");
}

static struct up_boot *boot_of(struct sim *sim, struct up_config *config)
{
    struct up_boot *b;
    struct up_error err;

    up_config_init(config);
    config->state = strdup("/state");
    config->boot = UP_BOOT_FILE;
    sim_put_dir(sim, "/state", 0700);
    assert_int_equal(up_boot_open(&b, sim_storage(sim), up_config_boot(config), &err), 0);
    return b;
}

/* Slot b on trial: three boots of it, then a for ever. */
static void the_file_loader_counts_a_trial_down(void **state)
{
    static const uint8_t expected[] = {1, 1, 1, 0, 0};
    struct up_boot_state first = {.order = {1, 0},
                                  .count = 2,
                                  .tries = {0, UP_BOOT_TRIES},
                                  .good = {true, false}},
                         got;
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *b = boot_of(sim, &config);
    struct up_error err;
    char id[2][37] = {"", ""};

    (void)state;
    assert_int_equal(up_boot_create(b, &first, &err), 0);
    for (size_t i = 0; i < sizeof expected; i++) {
        assert_int_equal(up_boot_select(b, &got, &err), 0);
        assert_int_equal(got.running, expected[i]);
        up_boot_id(b, &got, id[i % 2]);
        assert_string_not_equal(id[0], id[1]);
    }
    got.order[0] = 1;
    got.good[1] = true;
    assert_int_equal(up_boot_write(b, &got, &err), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(up_boot_select(b, &got, &err), 0);
    assert_int_equal(got.running, 1);
    up_boot_close(b);
    up_config_free(&config);
    sim_free(sim);
}

static void history_keeps_the_newest_events_in_order(void **state)
{
    static struct up_event events[UP_HISTORY_RECORDS];
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_error err;
    size_t len;
    char *ring;

    (void)state;
    sim_put_dir(sim, "/state", 0700);
    assert_int_equal(up_history_create(s, "/state", &err), 0);
    assert_int_equal(up_history_read(s, "/state", events, &err), 0);
    for (unsigned i = 0; i < UP_HISTORY_RECORDS + 10; i++) {
        struct up_event e = {.sequence = i, .name = "armed", .code = -13};

        assert_int_equal(up_history_add(s, "/state", &e, &err), 0);
    }
    assert_int_equal(up_history_read(s, "/state", events, &err), UP_HISTORY_RECORDS);
    for (unsigned i = 0; i < UP_HISTORY_RECORDS; i++)
        assert_int_equal(events[i].sequence, i + 10);
    assert_int_equal(events[0].code, -13);

    /* A torn record is lost alone. */
    sim_settle(sim);
    ring = sim_get(sim, "/state/history", &len);
    ring[100 * UP_HISTORY_RECORD + 30] ^= 1;
    sim_put(sim, "/state/history", ring, len, 0600);
    free(ring);
    assert_int_equal(up_history_read(s, "/state", events, &err), UP_HISTORY_RECORDS - 1);
    sim_free(sim);
}

static void an_event_that_cannot_be_written_is_told(void **state)
{
    static const enum sim_op ops[] = {SIM_PWRITE, SIM_SYNC};
    struct sim *sim = sim_new();
    struct up_event e = {.name = "armed"};
    struct up_error err;

    (void)state;
    sim_put_dir(sim, "/state", 0700);
    assert_int_equal(up_history_create(sim_storage(sim), "/state", &err), 0);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        sim_reset_counters(sim);
        sim_fail(sim, ops[i], 1, EIO, false);
        assert_int_equal(up_history_add(sim_storage(sim), "/state", &e, &err), UP_WRITE);
        assert_string_equal(err.message, "/state/history: write: Input/output error");
    }
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* What a walk reads, and whether it can have been written. */
static void values_that_nobody_writes_are_told(void **state)
{
    static const struct {
        const char *kind;
        uint8_t bytes[8];
        size_t len;
        bool bad;
    } cases[] = {
        {"text", "abc", 4, false},
        {"text", {'a', 'b', 'c', 'd'}, 4, true}, /* it does not end */
        {"text", "ab", 3, true},
        {"flag", {0}, 1, false},
        {"flag", {1}, 1, false},
        {"flag", {2}, 1, true},
        {"u8", {255}, 1, false},
        {"u8", {0}, 0, true},
        {"u32", {255, 255, 255, 255, 0, 0, 0, 0}, 8, false},
        {"u32", {0, 0, 0, 0, 1, 0, 0, 0}, 8, true},
        {"u32", {0}, 7, true},
        {"u64", {0, 0, 0, 0, 0, 0, 0, 255}, 8, false},
        {"u64", {0}, 7, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_walk w = {.in = cases[i].bytes, .len = cases[i].len};
        const char *kind = cases[i].kind;
        char text[4] = "";
        uint64_t wide = 0;
        uint32_t half = 0;
        uint8_t byte = 0;
        bool flag = false;

        if (strcmp(kind, "text") == 0)
            up_record_walk_text(&w, text, sizeof text);
        else if (strcmp(kind, "flag") == 0)
            up_record_walk_flag(&w, &flag);
        else if (strcmp(kind, "u8") == 0)
            up_record_walk_u8(&w, &byte);
        else if (strcmp(kind, "u32") == 0)
            up_record_walk_u32(&w, &half);
        else
            up_record_walk_u64(&w, &wide);
        if (w.bad != cases[i].bad)
            fail_msg("%s, case %zu", kind, i);
        assert_int_equal(text[3], '\0'); /* whoever prints it finds its end */
        if (!w.bad) {
            assert_int_equal(w.at, w.len);
            assert_int_equal(flag, kind[0] == 'f' && cases[i].bytes[0] == 1);
            assert_true(half == (strcmp(kind, "u32") == 0 ? UINT32_MAX : 0));
            assert_true(wide == (strcmp(kind, "u64") == 0 ? 255ull << 56 : 0));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back_as_it_was),
        cmocka_unit_test(a_cut_state_is_refused_at_every_length),
        cmocka_unit_test(form_1_is_written_and_read_as_it_always_was),
        cmocka_unit_test(form_2_is_written_as_it_always_was_and_keeps_permits),
        cmocka_unit_test(what_form_2_forgot_of_used_permits_stays_over),
        cmocka_unit_test(form_4_is_written_as_it_always_was_and_keeps_what_belongs_to_files),
        cmocka_unit_test(the_form_is_what_every_present_pair_reads),
        cmocka_unit_test(form_3_is_written_as_it_always_was_and_keeps_what_a_pair_is_recognised_by),
        cmocka_unit_test(used_permits_are_forgotten_only_when_they_are_over),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(a_record_of_something_else_is_a_lost_state),
        cmocka_unit_test(a_record_that_is_none_of_ours_leaves_the_older_one),
        cmocka_unit_test(every_phase_has_a_name_of_its_own),
        cmocka_unit_test(the_file_loader_counts_a_trial_down),
        cmocka_unit_test(history_keeps_the_newest_events_in_order),
        cmocka_unit_test(an_event_that_cannot_be_written_is_told),
        cmocka_unit_test(values_that_nobody_writes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
