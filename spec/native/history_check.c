/* The ring of events: order, wrapping, and files that lost a part. */
#include "scratch.h"

#include "history.h"

static struct up_event events[UP_HISTORY_RECORDS];

static void add(const struct scratch *s, unsigned count)
{
    struct up_event event = {.name = "armed", .release = "1.0.0", .message = "a message"};
    struct up_error err;

    for (unsigned i = 0; i < count; i++)
        must(up_history_add(s->storage, s->dir, &event, &err), &err);
}

static int read_all(const struct scratch *s)
{
    struct up_error err;
    int n = up_history_read(s->storage, s->dir, events, &err);

    if (n < 0)
        fail_msg("%s", err.message);
    for (int i = 1; i < n; i++)
        assert_true(events[i].number > events[i - 1].number);
    return n;
}

static void test_order(void **state)
{
    struct scratch *s = *state;
    struct up_error err;

    must(up_history_create(s->storage, s->dir, &err), &err);
    assert_int_equal(read_all(s), 0);
    add(s, 3);
    assert_int_equal(read_all(s), 3);
    assert_string_equal(events[0].name, "armed");
    assert_string_equal(events[2].message, "a message");
    add(s, UP_HISTORY_RECORDS);
    assert_int_equal(read_all(s), UP_HISTORY_RECORDS);
    assert_int_equal(events[0].number, 4);
}

/* All of it comes back, the longest texts, too, into whatever room there is. */
static void test_fields(void **state)
{
    struct scratch *s = *state;
    struct up_event event = {
        .time = 1700000000123, .sequence = (uint64_t)1 << 61, .code = UP_ROLLEDBACK, .transaction = 77};
    struct up_error err;

    memset(event.name, 'n', sizeof event.name - 1);
    memset(event.release, 'r', sizeof event.release - 1);
    memset(event.message, 'm', sizeof event.message - 1);
    must(up_history_create(s->storage, s->dir, &err), &err);
    must(up_history_add(s->storage, s->dir, &event, &err), &err);
    memset(events, 0xff, sizeof events);
    assert_int_equal(read_all(s), 1);
    assert_int_equal(events[0].number, 1);
    assert_int_equal(events[0].time, event.time);
    assert_int_equal(events[0].sequence, event.sequence);
    assert_int_equal(events[0].code, event.code);
    assert_int_equal(events[0].transaction, event.transaction);
    assert_string_equal(events[0].name, event.name);
    assert_string_equal(events[0].release, event.release);
    assert_string_equal(events[0].message, event.message);
}

/* What happens again and again has one line, as long as nothing else happens. */
static void test_again(void **state)
{
    struct scratch *s = *state;
    struct up_event event = {.name = "restarted", .release = "1.0.0", .message = "once"};
    struct up_error err;

    must(up_history_create(s->storage, s->dir, &err), &err);
    must(up_history_add_again(s->storage, s->dir, &event, &err), &err);
    strcpy(event.message, "twice");
    must(up_history_add_again(s->storage, s->dir, &event, &err), &err);
    assert_int_equal(read_all(s), 1);
    assert_string_equal(events[0].message, "twice");
    assert_int_equal(events[0].number, 1);
    strcpy(event.release, "1.0.1");
    must(up_history_add_again(s->storage, s->dir, &event, &err), &err);
    add(s, 1);
    must(up_history_add_again(s->storage, s->dir, &event, &err), &err);
    assert_int_equal(read_all(s), 4);
    assert_string_equal(events[1].release, "1.0.1");
    assert_string_equal(events[2].name, "armed");
    must(up_history_add(s->storage, s->dir, &event, &err), &err);
    assert_int_equal(read_all(s), 5);
}

/* A file system that was repaired may have cut the file anywhere; what is
 * left of it is told, and nothing behind its end is read. */
static void test_cut(void **state)
{
    struct scratch *s = *state;
    struct up_error err;
    size_t size;
    char *whole;

    must(up_history_create(s->storage, s->dir, &err), &err);
    add(s, UP_HISTORY_RECORDS + 2); /* the oldest is number 3, the third in the file */
    whole = scratch_read(s, "history", &size);
    assert_int_equal(size, UP_HISTORY_RECORDS * UP_HISTORY_RECORD);
    for (unsigned records = 0; records < 8; records++) {
        scratch_write(s, "history", whole, records * UP_HISTORY_RECORD + 7);
        assert_int_equal(read_all(s), records);
    }
    free(whole);
}

static void test_far(void **state)
{
    struct scratch *s = *state;
    struct up_event event = {.name = "armed"};
    struct up_error err;
    static char far[UP_PATH_SIZE];

    memset(far, 'x', sizeof far);
    far[0] = '/';
    far[UP_PATH_SIZE - sizeof "/history" + 1] = '\0'; /* one more than fits */
    must_fail(up_history_create(s->storage, far, &err), UP_USAGE, "path is too long", &err);
    must_fail(up_history_read(s->storage, far, events, &err), UP_USAGE, "path is too long", &err);
    must_fail(up_history_add(s->storage, far, &event, &err), UP_USAGE, "path is too long", &err);
    far[1024 - sizeof "/history"] = '\0';
    assert_int_equal(up_history_create(s->storage, far, &err), UP_WRITE); /* no name is so long */
    must_fail(up_history_add(s->storage, s->dir, &event, &err), UP_WRITE, "history: open", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_fields, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_again, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_cut, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_far, scratch_set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
