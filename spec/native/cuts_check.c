/*
 * cuts_check.c -- a life that is cut at each operation, lived hardly more than once: each cut comes once, with
 * what was promised when the power really goes there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "cuts.h"

struct log {
    unsigned promised, before;
};

/* A call that decides, and tidies up twice behind that; a cut of the tidying does not undo it. */
static void decide(struct sim *sim, struct log *log)
{
    struct up_storage *s = sim_storage(sim);

    if (s->ops->mkdir(s, "/decided", 0755) < 0)
        return;
    (void)s->ops->mkdir(s, "/tidy", 0755);
    (void)s->ops->mkdir(s, "/tidy/up", 0755);
    log->promised++;
}

static void live(struct sim *sim, const void *flow, void *log)
{
    struct up_storage *s = sim_storage(sim);

    (void)!s->ops->mkdir(s, "/before", 0755);
    decide(sim, log);
    if (*(const bool *)flow)
        (void)!s->ops->mkdir(s, "/behind", 0755);
}

static uint64_t promised(const void *log)
{
    return ((const struct log *)log)->promised;
}

struct seen {
    unsigned count, k[8], promised[8], before[8];
};

static void see(void *user, const struct sim *sim, const void *log, unsigned k)
{
    struct seen *seen = user;
    const struct log *l = log;
    static const char *const made[] = {"/before", "/decided", "/tidy", "/tidy/up", "/behind"};

    assert_true(seen->count < 8);
    for (unsigned i = 0; i < 5 && i < sim_ops(sim); i++)
        assert_true(sim_exists(sim, made[i]));
    seen->k[seen->count] = k;
    seen->before[seen->count] = l->before;
    seen->promised[seen->count++] = l->promised;
}

static struct seen seen_of(bool behind, unsigned stride)
{
    static const struct cuts_kind kind = {sizeof(struct log), live, promised};
    struct sim *start = sim_new();
    struct log log = {.before = 7};
    struct seen seen = {.count = 0};

    cuts_each(&kind, start, &behind, &log, stride, see, &seen);
    assert_int_equal(log.promised, 1);
    assert_false(sim_exists(start, "/before"));
    sim_free(start);
    for (unsigned i = 0; i < seen.count; i++)
        assert_int_equal(seen.before[i], 7);
    return seen;
}

static void a_cut_of_what_tidies_up_takes_no_promise_back(void **state)
{
    static const unsigned promises[] = {0, 0, 1, 1, 1, 1};

    (void)state;
    for (int behind = 0; behind < 2; behind++) {
        struct seen seen = seen_of(behind, 1);

        assert_int_equal(seen.count, behind ? 6 : 5);
        for (unsigned i = 0; i < seen.count; i++) {
            assert_int_equal(seen.k[i], i + 1);
            assert_int_equal(seen.promised[i], promises[i]);
        }
    }
}

static void a_stride_leaves_out_cuts_and_no_promise(void **state)
{
    struct seen two = seen_of(true, 2), far = seen_of(true, 13);
    static const unsigned at[] = {1, 3, 5, 6}, promises[] = {0, 1, 1, 1};

    (void)state;
    assert_int_equal(two.count, 4);
    assert_memory_equal(two.k, at, sizeof at);
    assert_memory_equal(two.promised, promises, sizeof promises);
    assert_int_equal(far.count, 2);
    assert_int_equal(far.k[1], 6);
    assert_int_equal(far.promised[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_of_what_tidies_up_takes_no_promise_back),
        cmocka_unit_test(a_stride_leaves_out_cuts_and_no_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
