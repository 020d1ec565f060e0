/*
 * hotfix_ledger_check.c -- what a device records of its hotfixes reads as it was written, in each form that a program
 * ever wrote.
 */
#include "hotfix_ledger.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"
#include "sim.h"

#define STATE "/state"

/* Every field another value, and of the flags each alone. */
static void fill_entry(struct up_hotfix *h, unsigned i)
{
    char *const texts[] = {h->id, h->name, h->version, h->base[0], h->base[1], h->base[2], h->why, h->over};
    bool *const flags[] = {&h->lua, &h->files, &h->ending, &h->ends, &h->by_owner};

    h->state = i % 2 ? UP_HOTFIX_FRESH : UP_HOTFIX_QUARANTINED;
    for (unsigned n = 0; n < sizeof texts / sizeof *texts; n++)
        snprintf(texts[n], UP_HOTFIX_ID_SIZE, "%u of %u", n, i);
    for (unsigned n = 0; n < sizeof flags / sizeof *flags; n++)
        *flags[n] = n == i;
    h->sequence = (uint64_t)i << 40 | 1;
    h->highest = (uint64_t)i << 40 | 2;
    h->time = (uint64_t)i << 40 | 3;
    h->starts = (uint8_t)(10 + i);
    h->cuts = (uint8_t)(20 + i);
    memset(h->ends_with, (int)(i + 30), sizeof h->ends_with);
}

static void must_be_equal(const struct up_hotfix *a, const struct up_hotfix *b)
{
    const char *const one[] = {a->id,      a->name,    a->version, a->base[0],
                               a->base[1], a->base[2], a->why,     a->over},
                      *const other[] = {b->id,      b->name,    b->version, b->base[0],
                                        b->base[1], b->base[2], b->why,     b->over};

    for (unsigned n = 0; n < sizeof one / sizeof *one; n++)
        assert_string_equal(one[n], other[n]);
    assert_int_equal(a->state, b->state);
    assert_true(a->sequence == b->sequence && a->highest == b->highest && a->time == b->time);
    assert_true(a->starts == b->starts && a->cuts == b->cuts);
    assert_true(a->lua == b->lua && a->files == b->files && a->ending == b->ending && a->ends == b->ends &&
                a->by_owner == b->by_owner);
    assert_memory_equal(a->ends_with, b->ends_with, sizeof a->ends_with);
}

static void a_ledger_reads_as_it_was_written(void **state)
{
    static struct up_hotfix_ledger written, read;
    struct sim *sim = sim_new();
    struct up_error err;

    (void)state;
    sim_put_dir(sim, STATE "/hotfix", 0755);

    written.count = 6;
    memset(written.plan, 7, sizeof written.plan);
    for (unsigned i = 0; i < written.count; i++)
        fill_entry(&written.entry[i], i);
    for (uint32_t form = UP_HOTFIX_FORM; form > 0; form--) {
        written.form = form;
        assert_int_equal(up_hotfix_ledger_write(&written, sim_storage(sim), STATE, &err), 0);
        memset(&read, 0x55, sizeof read);
        assert_int_equal(up_hotfix_ledger_read(&read, sim_storage(sim), STATE, &err), 0);
        assert_int_equal(read.form, form);
        assert_int_equal(read.count, written.count);
        for (unsigned i = 0; i < written.count && form > 1; i++)
            must_be_equal(&written.entry[i], &read.entry[i]);
        if (form > 1)
            assert_memory_equal(read.plan, written.plan, sizeof read.plan);
    }
    for (unsigned i = 0; i < written.count; i++) { /* of the first form, which had modules alone */
        struct up_hotfix *h = &written.entry[i];

        h->lua = true;
        h->files = h->ending = h->ends = false;
        h->over[0] = '\0';
        memset(h->ends_with, 0, sizeof h->ends_with);
        must_be_equal(h, &read.entry[i]);
    }
    memset(written.plan, 0, sizeof written.plan);
    assert_memory_equal(read.plan, written.plan, sizeof read.plan);
    sim_free(sim);
}

/* One more entry than there is room for, by whoever wrote that. */
static void more_entries_than_there_may_be_are_no_ledger(void **state)
{
    static struct up_hotfix_ledger ledger;
    static uint8_t value[49152]; /* what a ledger may take */
    struct sim *sim = sim_new();
    struct up_record r = {.storage = sim_storage(sim),
                          .path = STATE "/hotfix/ledger",
                          .magic = "MOULTHF1",
                          .capacity = UP_RECORD_HEAD + sizeof value};
    struct up_error err;
    size_t len, entry;

    (void)state;
    sim_put_dir(sim, STATE "/hotfix", 0755);
    for (unsigned i = 0; i < UP_HOTFIXES; i++)
        fill_entry(&ledger.entry[ledger.count++], i);
    assert_int_equal(up_hotfix_ledger_write_both(&ledger, sim_storage(sim), STATE, &err), 0);
    assert_int_equal(up_hotfix_ledger_read(&ledger, sim_storage(sim), STATE, &err), 0);
    assert_int_equal(ledger.count, UP_HOTFIXES);
    assert_int_equal(up_record_read(&r, value, sizeof value, &len, &err), 0);
    entry = (len - 8 - 8 - sizeof ledger.plan) / UP_HOTFIXES; /* form and count are before them */
    assert_true(len + entry <= sizeof value);
    memmove(value + 16 + entry, value + 16, len - 16);
    assert_int_equal(value[8], UP_HOTFIXES);
    value[8]++;
    for (int i = 0; i < 2; i++)
        assert_int_equal(up_record_write(&r, value, len + entry, &err), 0);
    assert_int_equal(up_hotfix_ledger_read(&ledger, sim_storage(sim), STATE, &err), UP_STATELOST);
    sim_free(sim);
}

static int (*open_all)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);

static int open_no_ledger(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    if (!strstr(path, "/ledger."))
        return open_all(s, path, flags, mode);
    errno = EIO;
    return -1;
}

/* It is an answer, and that it cannot be read now is none. */
static void a_ledger_that_is_lost_accepts_nothing(void **state)
{
    static struct up_hotfix_ledger ledger;
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    const struct up_storage_ops *ops = s->ops;
    struct up_storage_ops blind = *ops;
    bool accepts, under_way;
    struct up_error err;

    (void)state;
    sim_put_dir(sim, STATE "/hotfix", 0755);
    memset(ledger.plan, 7, sizeof ledger.plan);
    assert_int_equal(up_hotfix_ledger_write_both(&ledger, s, STATE, &err), 0);
    assert_int_equal(up_hotfix_ledger_accepts(&accepts, &under_way, ledger.plan, s, STATE, &err), 0);
    assert_true(accepts);
    open_all = blind.open;
    blind.open = open_no_ledger;
    s->ops = &blind;
    assert_true(up_hotfix_ledger_accepts(&accepts, &under_way, ledger.plan, s, STATE, &err) < 0);
    assert_false(accepts);
    s->ops = ops;
    sim_settle(sim);
    sim_put_text(sim, STATE "/hotfix/ledger.0", "damaged");
    sim_put_text(sim, STATE "/hotfix/ledger.1", "damaged");
    assert_int_equal(up_hotfix_ledger_accepts(&accepts, &under_way, ledger.plan, s, STATE, &err), 0);
    assert_false(accepts);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_reads_as_it_was_written),
        cmocka_unit_test(more_entries_than_there_may_be_are_no_ledger),
        cmocka_unit_test(a_ledger_that_is_lost_accepts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
