/*
 * record_check.c -- the two-slot record over the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "crc32c.h"
#include "error.h"
#include "record.h"
#include "sim.h"

#define CAPACITY 2560 /* several sectors, so that a write can be torn */
#define VALUE_SIZE (CAPACITY - UP_RECORD_HEAD)

static struct up_record on(struct sim *sim)
{
    return (struct up_record){
        .storage = sim_storage(sim), .path = "/r", .magic = "TESTREC1", .capacity = CAPACITY};
}

/* A word as a value that fills the record: the word, then its first letter again and again. */
static const char *filled(const char *word)
{
    static char values[4][VALUE_SIZE];
    static unsigned turn;
    char *value = values[turn++ % 4];

    memset(value, word[0], VALUE_SIZE);
    memcpy(value, word, strlen(word) + 1);
    return value;
}

static int write_word(struct up_record *r, const char *word, struct up_error *err)
{
    return up_record_write(r, filled(word), VALUE_SIZE, err);
}

/* A file system with the values "one" (in both halves), then "two", ... */
static struct sim *with_values(const char *const *values, unsigned count)
{
    struct sim *sim = sim_new();
    struct up_record r = on(sim);
    struct up_error err;

    assert_int_equal(up_record_create(&r, filled(values[0]), VALUE_SIZE, &err), 0);
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(write_word(&r, values[i], &err), 0);
    sim_settle(sim);
    return sim;
}

static void assert_value(struct sim *sim, const char *expected)
{
    struct up_record r = on(sim);
    char got[VALUE_SIZE] = "";
    struct up_error err;
    size_t len;

    assert_int_equal(up_record_read(&r, got, VALUE_SIZE, &len, &err), 0);
    assert_int_equal(len, VALUE_SIZE);
    assert_string_equal(got, expected);
    assert_memory_equal(got, filled(expected), len);
}

static const char *const three[] = {"one", "two", "three"};

static void the_newest_value_is_read(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        struct sim *sim = with_values(three, n);

        assert_value(sim, three[n - 1]);
        sim_free(sim);
    }
}

static void nothing_is_there_before_create_ended(void **state)
{
    struct sim *sim = sim_new();
    struct up_record r = on(sim);
    struct up_error err;
    char buf[8];
    size_t len;

    (void)state;
    assert_int_equal(up_record_read(&r, buf, sizeof buf, &len, &err), UP_NOTHING);
    sim_free(sim);
}

/* Each byte of the newer half flipped: the older value; both: statelost. */
static void a_flipped_byte_gives_the_older_value(void **state)
{
    struct sim *sim = with_values(three, 3);
    size_t len;
    char *half = sim_get(sim, "/r.0", &len), *other = sim_get(sim, "/r.1", NULL);
    struct up_record r = on(sim);
    struct up_error err;
    char buf[VALUE_SIZE];

    (void)state;
    assert_int_equal(len, UP_RECORD_SPREAD);
    for (size_t i = 0; i < CAPACITY; i++) {
        half[i] ^= 0x40;
        sim_put(sim, "/r.0", half, len, 0600);
        half[i] ^= 0x40;
        assert_value(sim, "two");
    }
    half[0] ^= 1;
    other[0] ^= 1;
    sim_put(sim, "/r.0", half, len, 0600);
    sim_put(sim, "/r.1", other, CAPACITY, 0600);
    assert_int_equal(up_record_read(&r, buf, sizeof buf, &len, &err), UP_STATELOST);
    assert_int_equal(write_word(&r, "four", &err), UP_STATELOST);
    free(half);
    free(other);
    sim_free(sim);
}

/* The record's file cut at every length is broken, never misread. */
static void a_short_file_is_broken(void **state)
{
    struct sim *sim = with_values(three, 3);
    size_t len;
    char *half = sim_get(sim, "/r.0", &len);

    (void)state;
    for (size_t n = 0; n < CAPACITY; n++) {
        sim_put(sim, "/r.0", half, n, 0600);
        assert_value(sim, "two");
    }
    free(half);
    sim_free(sim);
}

/* What any reader finds after the power was cut now: `values` are allowed. */
static void assert_after_any_cut_of(struct sim *sim, const char *second, const char *const *values,
                                    unsigned count)
{
    for (unsigned i = 0; i < sim_choices(sim); i++) {
        struct sim_choice choice = sim_choice(sim, i);
        struct sim *after = sim_reboot(sim, &choice);
        struct up_record r = on(after);
        char got[VALUE_SIZE] = "", text[64];
        struct up_error err;
        bool known = false;
        size_t len = 0;

        r.second = second;
        if (up_record_read(&r, got, VALUE_SIZE, &len, &err) < 0)
            fail_msg("%s: %s", sim_choice_text(&choice, text), err.message);
        for (unsigned v = 0; v < count; v++)
            known = known || (len == VALUE_SIZE && memcmp(got, filled(values[v]), len) == 0);
        if (!known)
            fail_msg("%s: reads %.8s", sim_choice_text(&choice, text), got);
        sim_free(after);
    }
}

static void assert_after_any_cut(struct sim *sim, const char *const *values, unsigned count)
{
    assert_after_any_cut_of(sim, NULL, values, count);
}

static void a_cut_write_leaves_the_old_or_the_new_value(void **state)
{
    static const char *const allowed[] = {"two", "new"};
    bool finished = false;

    (void)state;
    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = with_values(three, 2);
        struct up_record r = on(sim);
        struct up_error err;

        sim_cut_at(sim, k);
        write_word(&r, "new", &err);
        finished = !sim_is_cut(sim);
        assert_after_any_cut(sim, allowed + finished, 2 - finished);
        sim_free(sim);
    }
}

struct failure {
    enum sim_op op;
    unsigned n;
    bool forever; /* until the process ends */
    enum sim_failed_sync sync;
    bool fresh; /* another process goes on */
    enum { DROPS, REFUSES_TO_DROP, PRETENDS_TO_DROP } cache;
};

static int cannot_drop(void *user, enum sim_op op)
{
    (void)user;
    return op == SIM_DROP_CACHE ? EIO : 0;
}

static int pretend_to_drop(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    (void)s, (void)file, (void)offset, (void)len;
    return 0;
}

/* A write meets the failure; the next one is cut at its k-th operation. Whether
 * it came to its end, and whether the first write failed. */
static bool fail_and_cut(const struct failure *f, unsigned k, bool *failed)
{
    static const char *const allowed[] = {"two", "failed", "next"};
    struct sim *sim = with_values(three, 2);
    struct up_record r = on(sim), fresh = on(sim);
    struct up_storage_ops pretends = *sim_storage(sim)->ops;
    const struct up_storage_ops *ops = sim_storage(sim)->ops;
    struct up_error err;
    bool finished;
    int first, rc;

    pretends.drop_cache = pretend_to_drop;

    sim_set_failed_sync(sim, f->sync);
    if (f->cache == REFUSES_TO_DROP)
        sim_watch_calls(sim, cannot_drop, NULL);
    if (f->cache == PRETENDS_TO_DROP)
        sim_storage(sim)->ops = &pretends;
    sim_fail(sim, f->op, f->n, EIO, f->forever);
    *failed = write_word(&r, "failed", &err) < 0;
    sim_fail(sim, SIM_SYNC, 0, 0, false);
    sim_reset_counters(sim);
    sim_cut_at(sim, k);
    rc = write_word(f->fresh ? &fresh : &r, "next", &err);
    finished = !sim_is_cut(sim);
    first = *failed ? 0 : 1;
    if (finished) {
        assert_int_equal(rc, 0);
        first = 2;
    }
    sim_watch_calls(sim, NULL, NULL);
    sim_storage(sim)->ops = ops;
    assert_after_any_cut(sim, allowed + first, 3 - first);
    sim_free(sim);
    return finished;
}

/* What was acknowledged survives, whatever failed sync or cache there is, and
 * whichever process goes on. */
static void a_failed_write_and_a_cut_lose_nothing(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,       SIM_PREAD,  SIM_PWRITE,  SIM_SYNC,
                                      SIM_DROP_CACHE, SIM_RENAME, SIM_SYNC_DIR};
    unsigned failures = 0;

    (void)state;
    for (unsigned c = 0; c < 7 * 6 * 2 * 3 * 2 * 3; c++) {
        const struct failure f = {.op = ops[c / 216],
                                  .n = c / 36 % 6 + 1,
                                  .forever = c / 18 % 2,
                                  .sync = (enum sim_failed_sync)(c / 6 % 3),
                                  .fresh = c / 3 % 2,
                                  .cache = c % 3};
        bool failed;

        /* Whom the cache deceives for ever, only the process that saw the failure can know it. */
        if (f.cache == PRETENDS_TO_DROP && f.forever && f.fresh)
            continue;
        for (unsigned k = 1; !fail_and_cut(&f, k, &failed);)
            k++;
        failures += failed;
    }
    assert_true(failures > 50);
}

enum damage { GONE, EMPTY, TORN, DIRECTORY, DAMAGES };

static void damage(struct sim *sim, const char *path, enum damage how)
{
    struct up_storage *s = sim_storage(sim);
    size_t len;
    char *bytes = sim_get(sim, path, &len);

    assert_non_null(bytes);
    bytes[UP_RECORD_HEAD] ^= 1;
    if (how == TORN)
        sim_put(sim, path, bytes, len, 0600);
    else if (how == EMPTY)
        sim_put(sim, path, "", 0, 0600);
    else
        assert_int_equal(s->ops->unlink(s, path), 0);
    sim_settle(sim);
    if (how == DIRECTORY)
        sim_put_dir(sim, path, 0755);
    free(bytes);
}

/* Either file is lost: the other gives its value, takes the next one, and the
 * lost one is made anew; wherever that is cut, a value is there. */
static void one_file_is_enough(void **state)
{
    static const char *const paths[] = {"/r.0", "/r.1"};
    static const char *const allowed[2][2] = {{"two", "four"}, {"three", "four"}};

    (void)state;
    for (unsigned d = 0; d < 2 * DAMAGES; d++) {
        const char *const *values = allowed[d % 2]; /* three lies in /r.0 */
        bool finished = false;

        for (unsigned k = 1; !finished; k++) {
            struct sim *sim = with_values(three, 3);
            struct up_record r = on(sim);
            struct up_error err;

            damage(sim, paths[d % 2], (enum damage)(d / 2));
            assert_value(sim, values[0]);
            sim_cut_at(sim, k);
            write_word(&r, "four", &err);
            finished = !sim_is_cut(sim);
            assert_after_any_cut(sim, values + finished, 2 - finished);
            if (finished && d / 2 != DIRECTORY) {
                sim_cut_at(sim, 0);
                sim_settle(sim);
                damage(sim, paths[!(d % 2)], GONE);
                assert_value(sim, "four");
            }
            sim_free(sim);
        }
    }
}

/* A file was to appear under its name, and did; but that this is durable nobody said. How the record came to that. */
enum appearing { CREATED, TENDED, SHORT, MISSING, APPEARINGS };

static struct sim *before_appearing(enum appearing how, struct up_record *r)
{
    struct sim *sim = how == CREATED ? sim_new() : with_values(three, 2);

    *r = on(sim);
    if (how == TENDED || how == MISSING)
        damage(sim, "/r.0", GONE);
    if (how == SHORT) {
        size_t len;
        char *bytes = sim_get(sim, "/r.0", &len);

        sim_put(sim, "/r.0", bytes, CAPACITY, 0600);
        free(bytes);
    }
    sim_settle(sim);
    return sim;
}

static int appear(enum appearing how, struct up_record *r)
{
    struct up_error err;

    if (how == CREATED)
        return up_record_create(r, filled("two"), VALUE_SIZE, &err);
    return how == MISSING ? write_word(r, "two", &err) : up_record_tend(r, &err);
}

/* The values that a device comes to after it: what was acknowledged last must be there, or what was being written
 * since. */
static const char *const later[] = {"two", "3", "4", "5", "6"};

struct writing {
    unsigned sure, tried; /* of later[] */
};

/* Written until the power is cut at the k-th operation of that. */
static struct writing write_later(struct sim *sim, struct up_record *r, unsigned k)
{
    struct writing w = {.tried = 1};
    struct up_error err;

    sim_reset_counters(sim);
    sim_cut_at(sim, k);
    for (; w.tried < 5 && !sim_is_cut(sim); w.tried++)
        if (write_word(r, later[w.tried], &err) == 0)
            w.sure = w.tried;
    return w;
}

/* Whether all was done. */
static bool appears_unsure(enum appearing how, enum sim_op op, bool forever, unsigned k)
{
    struct up_record r;
    struct sim *sim = before_appearing(how, &r);
    struct writing w;
    bool finished;

    sim_fail_late(sim, op, how == CREATED ? 2 : 1, EIO, forever);
    (void)!appear(how, &r);
    w = write_later(sim, &r, k);
    finished = !sim_is_cut(sim);
    assert_after_any_cut(sim, later + w.sure, w.tried - w.sure);
    sim_free(sim);
    return finished;
}

static void a_file_that_may_not_be_under_its_name_is_not_relied_on(void **state)
{
    (void)state;
    for (unsigned c = 0; c < APPEARINGS * 4; c++)
        for (unsigned k = 1;
             !appears_unsure((enum appearing)(c / 4), c & 1 ? SIM_RENAME : SIM_SYNC_DIR, c & 2, k);)
            k++;
}

/* A process that made a file anew was killed at its k-th operation: the name may not be durable, although the next
 * process sees it. That one writes values until the power is cut at its own n-th operation. Whether all was done. */
static bool appears_and_is_killed(enum appearing how, unsigned k, unsigned n, bool *appeared)
{
    struct up_record r, again;
    struct sim *sim = before_appearing(how, &r), *next;
    struct writing w;
    bool finished;

    sim_reset_counters(sim);
    sim_cut_at(sim, k);
    (void)!appear(how, &r);
    *appeared = !sim_is_cut(sim);
    next = sim_respawn(sim);
    again = on(next);
    w = write_later(next, &again, n);
    finished = !sim_is_cut(next);
    if (how != CREATED || w.sure > 0)
        assert_after_any_cut(next, later + w.sure, w.tried - w.sure);
    sim_free(sim);
    sim_free(next);
    return finished;
}

static void a_name_that_a_killed_process_left_is_made_durable(void **state)
{
    (void)state;
    for (unsigned how = 0; how < APPEARINGS; how++) {
        bool appeared = false;

        for (unsigned k = 1; !appeared; k++)
            for (unsigned n = 1; !appears_and_is_killed((enum appearing)how, k, n, &appeared);)
                n++;
    }
}

/* There is no room, or the place is gone, for the second file: the first is exchanged whole. */
static void a_file_that_cannot_be_made_stops_nothing(void **state)
{
    static const char *const allowed[] = {"one", "two"};
    bool finished = false;

    (void)state;
    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = sim_new();
        struct up_record r = on(sim);
        struct up_error err;

        r.second = "/elsewhere/r.1";
        assert_int_equal(up_record_create(&r, filled("one"), VALUE_SIZE, &err), 0);
        sim_settle(sim);
        sim_cut_at(sim, k);
        finished = write_word(&r, "two", &err) == 0;
        assert_int_equal(finished, !sim_is_cut(sim));
        assert_after_any_cut(sim, allowed + finished, 2 - finished);
        if (finished) {
            sim_settle(sim);
            sim_put_dir(sim, "/elsewhere", 0755);
            assert_int_equal(up_record_tend(&r, &err), 0);
            assert_true(sim_exists(sim, "/elsewhere/r.1"));
        }
        sim_free(sim);
    }
}

/* A sync failed, and there is no room to make that file anew: the next value is written over it. */
static void a_second_try_needs_no_room(void **state)
{
    struct sim *sim = with_values(three, 3);
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    sim_set_free(sim, 0);
    sim_fail(sim, SIM_SYNC, 2, EIO, false); /* the first is that of the file that counts */
    assert_int_equal(write_word(&r, "four", &err), UP_WRITE);
    assert_int_equal(write_word(&r, "five", &err), 0);
    assert_value(sim, "five");
    sim_free(sim);
}

/* The head alone is a record, too. */
static void a_value_may_have_no_bytes(void **state)
{
    struct sim *sim = sim_new();
    struct up_record r = on(sim);
    char got[1], *bytes;
    struct up_error err;
    size_t len = 1;

    (void)state;
    assert_int_equal(up_record_create(&r, "", 0, &err), 0);
    sim_settle(sim);
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? "/r.0" : "/r.1";

        bytes = sim_get(sim, path, NULL);
        sim_put(sim, path, bytes, UP_RECORD_HEAD, 0600);
        free(bytes);
    }
    assert_int_equal(up_record_read(&r, got, sizeof got, &len, &err), 0);
    assert_int_equal(len, 0);
    sim_free(sim);
}

/* The configuration says where the second file lies, and did not before. */
static void a_second_file_moves_without_being_forgotten(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_record r = on(sim);
    struct up_record_view view[2];
    char got[VALUE_SIZE];
    struct up_error err;
    size_t len;

    (void)state;
    sim_put_dir(sim, "/elsewhere", 0755);
    r.second = "/elsewhere/r.1";
    assert_int_equal(up_record_read(&r, got, sizeof got, &len, &err), 0);
    assert_memory_equal(got, "two", 4);
    assert_int_equal(up_record_tend(&r, &err), 0);
    assert_false(sim_exists(sim, "/r.1"));
    assert_int_equal(up_record_inspect(&r, view, &err), 0);
    assert_string_equal(view[1].path, "/elsewhere/r.1");
    assert_string_equal(view[1].state, "whole");
    assert_int_equal(view[1].size, UP_RECORD_SPREAD);
    sim_settle(sim);
    damage(sim, "/r.0", GONE);
    assert_int_equal(up_record_read(&r, got, sizeof got, &len, &err), 0);
    assert_memory_equal(got, "two", 4);
    sim_free(sim);
}

/* What a file system that compresses makes of so many bytes. */
static size_t squeezed(const char *bytes, size_t len)
{
    size_t room = ZSTD_compressBound(len), squeezed;
    void *out = malloc(room);

    squeezed = ZSTD_compress(out, room, bytes, len, 19);
    free(out);
    return squeezed;
}

/* What lies behind the records is written when a file is made, and never again. */
static void writing_touches_the_front_only(void **state)
{
    struct sim *sim = with_values(three, 1);
    char *before = sim_get(sim, "/r.0", NULL), *other = sim_get(sim, "/r.1", NULL), *after;
    struct up_record r = on(sim);
    struct up_error err;
    size_t len;

    (void)state;
    assert_memory_not_equal(before + 4096, other + 4096, 4096);
    assert_true(squeezed(before + 4096, UP_RECORD_SPREAD - 4096) >= UP_RECORD_SPREAD - 4096);
    for (int i = 0; i < 5; i++)
        assert_int_equal(write_word(&r, "value", &err), 0);
    after = sim_get(sim, "/r.0", &len);
    assert_memory_equal(after + CAPACITY, before + CAPACITY, len - CAPACITY);
    sim_reset_counters(sim);
    assert_int_equal(up_record_tend(&r, &err), 0);
    assert_int_equal(sim_ops(sim), 0);
    free(before);
    free(other);
    free(after);
    sim_free(sim);
}

/* Short files are spread once; cut anywhere, the value is there. Without room they stay as they are. */
static void short_files_are_spread_once(void **state)
{
    static const char *const value = "three";
    bool finished = false;

    (void)state;
    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = with_values(three, 3);
        struct up_record r = on(sim);
        struct up_record_view view[2];
        struct up_error err;

        for (int i = 0; i < 2; i++) {
            const char *path = i ? "/r.1" : "/r.0";
            char *bytes = sim_get(sim, path, NULL);

            sim_put(sim, path, bytes, CAPACITY, 0600);
            free(bytes);
        }
        if (k == 1) {
            sim_set_free(sim, 3 * 4096);
            assert_int_equal(up_record_tend(&r, &err), 0);
            assert_int_equal(write_word(&r, "three", &err), 0);
            sim_set_free(sim, UINT64_MAX);
            sim_settle(sim);
        }
        sim_reset_counters(sim);
        sim_cut_at(sim, k);
        finished = up_record_tend(&r, &err) == 0;
        assert_after_any_cut(sim, &value, 1);
        assert_int_equal(finished, !sim_is_cut(sim));
        if (finished) {
            assert_int_equal(up_record_inspect(&r, view, &err), 0);
            assert_int_equal(view[0].size + view[1].size, 2 * UP_RECORD_SPREAD);
            sim_reset_counters(sim);
            assert_int_equal(up_record_tend(&r, &err), 0);
            assert_int_equal(sim_ops(sim), 0);
        }
        sim_free(sim);
    }
}

/* A broken file is made whole in a quiet hour, and remains of a cut go. */
static void tending_makes_both_whole(void **state)
{
    static const char *const paths[] = {"/r.0", "/r.1"};

    (void)state;
    for (unsigned d = 0; d < 2 * DIRECTORY; d++) {
        struct sim *sim = with_values(three, 3);
        struct up_record r = on(sim);
        struct up_record_view view[2];
        struct up_error err;

        damage(sim, paths[d % 2], (enum damage)(d / 2));
        sim_put_text(sim, d % 2 ? "/r.1.new" : "/r.0.new", "half of");
        assert_int_equal(up_record_tend(&r, &err), 0);
        assert_int_equal(up_record_inspect(&r, view, &err), 0);
        assert_string_equal(view[0].state, "whole");
        assert_string_equal(view[1].state, "whole");
        assert_int_equal(view[0].size + view[1].size, 2 * UP_RECORD_SPREAD);
        assert_value(sim, d % 2 ? "three" : "two");
        assert_false(sim_exists(sim, "/r.0.new"));
        assert_false(sim_exists(sim, "/r.1.new"));
        sim_free(sim);
    }
}

/* A process was killed before its sync: what it wrote is made durable, or not
 * counted, before the other file is touched. */
static void a_killed_writer_loses_nothing(void **state)
{
    static const char *const allowed[] = {"two", "killed", "next"};

    (void)state;
    for (unsigned at = 1; at < 4; at++) {
        bool finished = false;

        for (unsigned k = 1; !finished; k++) {
            struct sim *sim = with_values(three, 2), *next;
            struct up_record r = on(sim), again;
            struct up_error err;

            sim_cut_at(sim, at);
            write_word(&r, "killed", &err);
            next = sim_respawn(sim);
            again = on(next);
            sim_reset_counters(next);
            sim_cut_at(next, k);
            write_word(&again, "next", &err);
            finished = !sim_is_cut(next);
            assert_after_any_cut(next, allowed + (finished ? 2 : 0), finished ? 1 : 3);
            sim_free(sim);
            sim_free(next);
        }
    }
}

/* What the next process reads it may act on, so no cut takes it back. */
static void what_was_read_stays(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 4; at++) {
        struct sim *sim = with_values(three, 2), *next;
        struct up_record r = on(sim), again;
        char got[VALUE_SIZE] = "";
        const char *const read[] = {got};
        struct up_error err;
        size_t len;

        sim_cut_at(sim, at);
        write_word(&r, "killed", &err);
        next = sim_respawn(sim);
        again = on(next);
        assert_int_equal(up_record_read(&again, got, VALUE_SIZE, &len, &err), 0);
        assert_after_any_cut(next, read, 1);
        sim_free(sim);
        sim_free(next);
    }
}

/* And when that cannot be made durable: it is not what the next write leaves alone. */
static void a_killed_writer_and_a_failed_sync_lose_nothing(void **state)
{
    static const char *const allowed[] = {"two", "killed", "next"};

    (void)state;
    for (unsigned c = 0; c < 3 * 3 * 3; c++) {
        bool finished = false;

        for (unsigned k = 1; !finished; k++) {
            struct sim *sim = with_values(three, 2), *next;
            struct up_record r = on(sim), again;
            struct up_error err;
            int rc;

            sim_cut_at(sim, c % 3 + 1);
            write_word(&r, "killed", &err);
            next = sim_respawn(sim);
            again = on(next);
            sim_set_failed_sync(next, (enum sim_failed_sync)(c / 9));
            sim_fail(next, SIM_SYNC, c / 3 % 3 + 1, EIO, false);
            sim_reset_counters(next);
            sim_cut_at(next, k);
            rc = write_word(&again, "next", &err);
            finished = !sim_is_cut(next);
            assert_after_any_cut(next, allowed + (finished && rc == 0 ? 2 : 0), finished && rc == 0 ? 1 : 3);
            sim_free(sim);
            sim_free(next);
        }
    }
}

/* It was killed, and then the configuration says that the second file lies elsewhere. */
static void a_file_that_moves_is_made_durable_first(void **state)
{
    static const char *const allowed[] = {"three", "killed", "next"};

    (void)state;
    for (unsigned at = 1; at < 4; at++) {
        bool finished = false;

        for (unsigned k = 1; !finished; k++) {
            struct sim *sim = with_values(three, 3), *next;
            struct up_record r = on(sim), again;
            struct up_error err;

            sim_put_dir(sim, "/elsewhere", 0755);
            sim_settle(sim);
            sim_cut_at(sim, at);
            write_word(&r, "killed", &err);
            next = sim_respawn(sim);
            again = on(next);
            again.second = "/elsewhere/r.1";
            sim_reset_counters(next);
            sim_cut_at(next, k);
            write_word(&again, "next", &err);
            finished = !sim_is_cut(next);
            assert_int_equal(sim_open_files(next), 0);
            assert_after_any_cut_of(next, again.second, allowed + (finished ? 2 : 0), finished ? 1 : 3);
            sim_free(sim);
            sim_free(next);
        }
    }
}

/* Flash that is read at the wrong moment answers the next time. */
static void a_read_that_failed_is_tried_again(void **state)
{
    static const enum sim_op calls[] = {SIM_PREAD, SIM_DROP_CACHE};

    (void)state;
    for (unsigned c = 0; c < 2; c++)
        for (unsigned n = 1; n <= 2; n++) {
            struct sim *sim = with_values(three, 3);
            struct up_record r = on(sim);
            struct up_record_view view[2];
            struct up_error err;

            sim_fail(sim, calls[c], n, EIO, false);
            assert_value(sim, "three"); /* the newest */
            sim_reset_counters(sim);
            sim_fail(sim, calls[c], n, EIO, false);
            assert_int_equal(up_record_inspect(&r, view, &err), 0);
            assert_string_equal(view[0].state, "whole");
            assert_string_equal(view[1].state, "whole");
            sim_free(sim);
        }
}

static void a_medium_that_lies_is_noticed(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    sim_reset_counters(sim);
    sim_flip_write(sim, 1);
    assert_int_equal(write_word(&r, "new", &err), UP_WRITE);
    assert_non_null(strstr(err.message, "read back"));
    sim_free(sim);
}

static int write_nothing(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    (void)s, (void)file, (void)buf, (void)len, (void)offset;
    return 0;
}

/* What reads back is whole, and of an earlier write. */
static void a_write_that_never_came_is_noticed(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_storage *s = sim_storage(sim);
    const struct up_storage_ops *real = s->ops;
    struct up_storage_ops ops = *real;
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    ops.pwrite = write_nothing;
    s->ops = &ops;
    assert_int_equal(write_word(&r, "new", &err), UP_WRITE);
    assert_non_null(strstr(err.message, "read back"));
    s->ops = real;
    sim_free(sim);
}

/* The calls of the storage that a write makes. */
static struct {
    const struct up_storage_ops *real;
    size_t longest; /* pwrite() */
    bool wrote;
} calls;

static int write_and_note(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    calls.wrote = true;
    if (offset == 0 && len > calls.longest)
        calls.longest = len;
    return calls.real->pwrite(s, file, buf, len, offset);
}

static int open_before_it_wrote(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    errno = EMFILE;
    return calls.wrote && flags == UP_READ ? -1 : calls.real->open(s, path, flags, mode);
}

/* What cannot be read back is not taken for something else that was read. */
static void a_write_that_cannot_be_read_back_says_why(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_storage *s = sim_storage(sim);
    struct up_storage_ops ops = *s->ops;
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    calls.real = s->ops;
    calls.wrote = false;
    ops.pwrite = write_and_note;
    ops.open = open_before_it_wrote;
    s->ops = &ops;
    assert_int_equal(write_word(&r, "new", &err), UP_WRITE);
    assert_non_null(strstr(err.message, strerror(EMFILE)));
    s->ops = calls.real;
    sim_free(sim);
}

/* Of 4096 bytes, so that the medium reads none before it writes it; and no more of them than needed. */
static void a_write_is_of_whole_sectors(void **state)
{
    static const struct {
        size_t value, written;
    } cases[] = {{0, 4096},
                 {4096 - UP_RECORD_HEAD, 4096},
                 {4097 - UP_RECORD_HEAD, 8192},
                 {8192 - UP_RECORD_HEAD, 8192},
                 {8193 - UP_RECORD_HEAD, 9000}, /* all that it may be long */
                 {9000 - UP_RECORD_HEAD, 9000}};
    static const char value[9000];
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_storage_ops ops = *s->ops;
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    r.capacity = 9000;
    assert_int_equal(up_record_create(&r, "", 0, &err), 0);
    calls.real = s->ops;
    ops.pwrite = write_and_note;
    s->ops = &ops;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        calls.longest = 0;
        assert_int_equal(up_record_write(&r, value, cases[i].value, &err), 0);
        assert_int_equal(calls.longest, cases[i].written);
    }
    s->ops = calls.real;
    sim_free(sim);
}

static void a_file_that_cannot_be_read_is_said(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_record r = on(sim);
    struct up_record_view view[2];
    struct up_error err;

    (void)state;
    sim_fail(sim, SIM_PREAD, 1, EIO, true);
    assert_int_equal(up_record_inspect(&r, view, &err), 0);
    assert_string_equal(view[0].state, "unreadable");
    assert_string_equal(view[1].state, "unreadable");
    sim_free(sim);
}

/* That the system refuses says nothing of the file: no other value is taken, and nothing is written over it. */
static void a_file_that_may_not_be_read_is_not_passed_over(void **state)
{
    static const int errors[] = {EACCES, EPERM, EMFILE, ENFILE, ENOMEM};

    (void)state;
    for (unsigned e = 0; e < sizeof errors / sizeof *errors; e++)
        for (unsigned n = 1; n <= 2; n++) {
            struct sim *sim = with_values(three, 3);
            struct up_record r = on(sim);
            struct up_record_view view[2];
            struct up_error err;
            char text[VALUE_SIZE];
            size_t len;

            sim_fail(sim, SIM_PREAD, n, errors[e], false);
            assert_int_equal(up_record_read(&r, text, sizeof text, &len, &err), UP_WRITE);
            sim_reset_counters(sim);
            sim_fail(sim, SIM_PREAD, n, errors[e], false);
            assert_int_equal(up_record_tend(&r, &err), UP_WRITE);
            assert_int_equal(sim_ops(sim), 0);
            sim_reset_counters(sim);
            sim_fail(sim, SIM_PREAD, n, errors[e], false);
            assert_int_equal(up_record_inspect(&r, view, &err), UP_WRITE);
            sim_free(sim);
        }
}

static void what_does_not_fit_is_refused(void **state)
{
    struct sim *sim = with_values(three, 1);
    struct up_record r = on(sim);
    char large[VALUE_SIZE + 1] = {0}, small[2];
    struct up_error err;
    size_t len;

    (void)state;
    assert_int_equal(up_record_write(&r, large, VALUE_SIZE + 1, &err), UP_INTERNAL);
    assert_int_equal(up_record_write(&r, large, VALUE_SIZE, &err), 0);
    assert_int_equal(up_record_read(&r, small, sizeof small, &len, &err), UP_INTERNAL);
    sim_free(sim);
}

static uint32_t crc_by_bits(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < 8 * len; i++) {
        crc ^= (uint32_t)(p[i / 8] >> i % 8 & 1);
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void crc32c_has_its_check_value(void **state)
{
    uint8_t data[1048];

    (void)state;
    assert_int_equal(up_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(up_crc32c("", 0), 0);
    /* Long buffers go another way: the same value wherever it begins and ends. */
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    for (size_t len = 1016; len < 1040; len++)
        for (size_t at = 0; at < 8; at++)
            assert_int_equal(up_crc32c(data + at, len), crc_by_bits(data + at, len));
    /* And short ones after the first of them. */
    for (size_t len = 0; len < 40; len++)
        assert_int_equal(up_crc32c(data + 3, len), crc_by_bits(data + 3, len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_value_is_read),
        cmocka_unit_test(nothing_is_there_before_create_ended),
        cmocka_unit_test(a_flipped_byte_gives_the_older_value),
        cmocka_unit_test(a_short_file_is_broken),
        cmocka_unit_test(a_cut_write_leaves_the_old_or_the_new_value),
        cmocka_unit_test(a_failed_write_and_a_cut_lose_nothing),
        cmocka_unit_test(one_file_is_enough),
        cmocka_unit_test(a_file_that_cannot_be_made_stops_nothing),
        cmocka_unit_test(a_file_that_may_not_be_under_its_name_is_not_relied_on),
        cmocka_unit_test(a_name_that_a_killed_process_left_is_made_durable),
        cmocka_unit_test(a_second_try_needs_no_room),
        cmocka_unit_test(a_value_may_have_no_bytes),
        cmocka_unit_test(a_second_file_moves_without_being_forgotten),
        cmocka_unit_test(writing_touches_the_front_only),
        cmocka_unit_test(short_files_are_spread_once),
        cmocka_unit_test(tending_makes_both_whole),
        cmocka_unit_test(a_killed_writer_loses_nothing),
        cmocka_unit_test(what_was_read_stays),
        cmocka_unit_test(a_killed_writer_and_a_failed_sync_lose_nothing),
        cmocka_unit_test(a_file_that_moves_is_made_durable_first),
        cmocka_unit_test(a_read_that_failed_is_tried_again),
        cmocka_unit_test(a_medium_that_lies_is_noticed),
        cmocka_unit_test(a_file_that_may_not_be_read_is_not_passed_over),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(crc32c_has_its_check_value),
        cmocka_unit_test(a_write_that_never_came_is_noticed),
        cmocka_unit_test(a_write_that_cannot_be_read_back_says_why),
        cmocka_unit_test(a_write_is_of_whole_sectors),
        cmocka_unit_test(a_file_that_cannot_be_read_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
