/*
 * record_moment_check.c -- a file of a record that cannot be read for a moment: what it
 * holds is not lost. One that stays so is made anew.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "sim.h"

#define TRIES 3 /* of a read */
#define VALUE_SIZE 8
#define MARK "/r.unread"

/* The device: its storage, and which file cannot be read at the next reading of both. */
struct device {
    struct sim *sim;
    struct up_record record;
    int away;
    bool no_names; /* nothing can be renamed now */
    unsigned reads;
};

/* The first file is read before the second. */
static int fail_reads(void *user, enum sim_op op)
{
    struct device *d = user;
    unsigned n;

    if (op == SIM_RENAME && d->no_names)
        return EIO;
    if (op != SIM_PREAD)
        return 0;
    n = d->reads++;
    return d->away == 0 ? (n < TRIES ? EIO : 0) : (n > 0 && n <= TRIES ? EIO : 0);
}

static void is_away(struct device *d, int file)
{
    d->away = file;
    d->reads = 0;
    sim_watch_calls(d->sim, fail_reads, d);
}

static void is_back(struct device *d)
{
    d->no_names = false;
    sim_watch_calls(d->sim, NULL, NULL);
}

static void boots(struct device *d)
{
    const struct sim_choice choice = {.loss = SIM_ALL};
    struct sim *next;

    sim_watch_calls(d->sim, NULL, NULL);
    next = sim_reboot(d->sim, &choice);
    sim_free(d->sim);
    d->sim = next;
    d->record = (struct up_record){.storage = sim_storage(d->sim),
                                   .path = "/r",
                                   .magic = "TESTREC1",
                                   .capacity = UP_RECORD_HEAD + VALUE_SIZE};
}

static void write_value(struct device *d, const char *value)
{
    char bytes[VALUE_SIZE] = "";
    struct up_error err;

    strcpy(bytes, value);
    assert_int_equal(up_record_write(&d->record, bytes, sizeof bytes, &err), 0);
}

static void assert_value(struct device *d, const char *value)
{
    char bytes[VALUE_SIZE];
    struct up_error err;
    size_t len;

    assert_int_equal(up_record_read(&d->record, bytes, sizeof bytes, &len, &err), 0);
    assert_string_equal(bytes, value);
}

static void assert_states(struct device *d, const char *first, const char *second, bool noted)
{
    struct up_record_view view[2];
    struct up_error err;

    assert_int_equal(up_record_inspect(&d->record, view, &err), 0);
    assert_string_equal(view[0].state, first);
    assert_string_equal(view[1].state, second);
    assert_int_equal(view[0].noted, noted);
    assert_int_equal(sim_exists(d->sim, MARK), noted);
}

static void tend(struct device *d)
{
    struct up_error err;

    assert_int_equal(up_record_tend(&d->record, &err), 0);
}

/* In the next boot of a device whose `file` holds "new"; the other one "old". */
static void with_newest(struct device *d, int file)
{
    char bytes[VALUE_SIZE] = "first";
    struct up_error err;

    memset(d, 0, sizeof *d);
    d->sim = sim_new();
    boots(d);
    assert_int_equal(up_record_create(&d->record, bytes, sizeof bytes, &err), 0);
    write_value(d, "second"); /* file 1 */
    if (file == 1) {
        write_value(d, "old");
    } else {
        write_value(d, "third");
        write_value(d, "old");
    }
    write_value(d, "new");
    sim_settle(d->sim);
    boots(d);
}

static void a_moment_loses_nothing(void **state)
{
    (void)state;
    for (int newest = 0; newest < 2; newest++)
        for (int away = 0; away < 2; away++) {
            struct device d;

            with_newest(&d, newest);
            is_away(&d, away);
            assert_value(&d, away == newest ? "old" : "new");
            is_away(&d, away);
            tend(&d);
            is_back(&d);
            assert_value(&d, "new");
            sim_free(d.sim);
        }
}

static void what_stays_unreadable_is_made_anew(void **state)
{
    (void)state;
    for (int away = 0; away < 2; away++) {
        struct device d;

        with_newest(&d, away);
        for (int i = 0; i < 3; i++) { /* however often in one boot */
            is_away(&d, away);
            tend(&d);
            is_away(&d, away);
            assert_states(&d, away ? "whole" : "unreadable", away ? "unreadable" : "whole", true);
        }
        boots(&d);
        is_away(&d, away);
        tend(&d);
        is_back(&d);
        assert_states(&d, "whole", "whole", false);
        assert_value(&d, "old");
        sim_free(d.sim);
    }
}

/* Two moments in two boots are not one that lasts, and the one file's are not the other's. */
static void moments_are_not_added_up(void **state)
{
    (void)state;
    for (int other = 0; other < 2; other++) {
        struct device d;

        with_newest(&d, 1);
        is_away(&d, other ? 0 : 1);
        tend(&d);
        is_back(&d);
        if (!other) {
            boots(&d);
            assert_states(&d, "whole", "whole", true);
            tend(&d);
            assert_states(&d, "whole", "whole", false);
        }
        boots(&d);
        is_away(&d, 1);
        tend(&d);
        is_back(&d);
        assert_value(&d, "new");
        sim_free(d.sim);
    }
}

/* What is written meanwhile counts, wherever there is room for it. */
static void what_is_written_meanwhile_is_newer(void **state)
{
    (void)state;
    for (int c = 0; c < 4; c++) {
        struct device d;

        with_newest(&d, c / 2);
        is_away(&d, c / 2);
        d.no_names = c % 2;
        if (d.no_names) {
            char bytes[VALUE_SIZE] = "now";
            struct up_error err;

            /* Nothing can be exchanged: it says so, and nothing is lost. */
            assert_int_equal(up_record_write(&d.record, bytes, sizeof bytes, &err), UP_WRITE);
            is_back(&d);
            assert_value(&d, "new");
        } else {
            write_value(&d, "now");
            is_back(&d);
            assert_value(&d, "now");
        }
        sim_free(d.sim);
    }
}

/* The one cannot be read or exchanged; the other can be, and is. */
struct sticky {
    int file;
    unsigned reads, renames;
};

static int first_rename_fails(void *user, enum sim_op op)
{
    struct sticky *s = user;

    if (op == SIM_RENAME)
        return s->renames++ == 0 ? EIO : 0;
    if (op != SIM_PREAD)
        return 0;
    s->reads++;
    return s->file == 0 ? (s->reads <= TRIES ? EIO : 0) : (s->reads > 1 && s->reads <= TRIES + 1 ? EIO : 0);
}

static void what_is_written_in_the_other_place_is_newer(void **state)
{
    (void)state;
    for (int newest = 0; newest < 2; newest++)
        for (int away = 0; away < 2; away++) {
            struct sticky s = {.file = away};
            struct device d;

            with_newest(&d, newest);
            sim_watch_calls(d.sim, first_rename_fails, &s);
            write_value(&d, "now");
            assert_true(s.renames == 2);
            is_back(&d);
            assert_value(&d, "now");
            sim_free(d.sim);
        }
}

static const struct up_storage_ops *true_ops;
static unsigned false_reads;

static long long read_falsely(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    long long got = true_ops->pread(s, file, buf, len, offset);

    if (got > 0 && false_reads > 0) {
        false_reads--;
        ((uint8_t *)buf)[UP_RECORD_HEAD] ^= 4;
    }
    return got;
}

/* Flash may answer falsely at a bad moment. */
static void a_false_answer_is_asked_for_again(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= TRIES; n++) {
        struct up_storage_ops ops;
        struct device d;

        with_newest(&d, 0);
        true_ops = sim_storage(d.sim)->ops;
        ops = *true_ops;
        ops.pread = read_falsely;
        false_reads = n;
        sim_storage(d.sim)->ops = &ops;
        assert_value(&d, n < TRIES ? "new" : "old");
        sim_storage(d.sim)->ops = true_ops;
        sim_free(d.sim);
    }
}

/* Without a boot's name, nobody can tell how long it lasts: a write makes it anew. */
static int no_boot_id(void *user, enum sim_op op)
{
    return op == SIM_BOOT_ID ? EIO : fail_reads(user, op);
}

static void without_a_boot_id_nothing_is_made_anew(void **state)
{
    struct device d;

    (void)state;
    with_newest(&d, 1);
    for (int i = 0; i < 2; i++) {
        is_away(&d, 1);
        sim_watch_calls(d.sim, no_boot_id, &d);
        tend(&d);
        boots(&d);
    }
    assert_value(&d, "new");
    is_away(&d, 1);
    write_value(&d, "now");
    is_back(&d);
    assert_states(&d, "whole", "whole", false);
    assert_value(&d, "now");
    sim_free(d.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_loses_nothing),
        cmocka_unit_test(what_stays_unreadable_is_made_anew),
        cmocka_unit_test(moments_are_not_added_up),
        cmocka_unit_test(what_is_written_meanwhile_is_newer),
        cmocka_unit_test(what_is_written_in_the_other_place_is_newer),
        cmocka_unit_test(a_false_answer_is_asked_for_again),
        cmocka_unit_test(without_a_boot_id_nothing_is_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
