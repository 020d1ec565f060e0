/* What another user can do is tried in a process that a medium may hold back. */
#include "scratch.h"

#include <time.h>
#include <unistd.h>

#include "rights.h"

static bool is_held;

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

int __wrap_access(const char *path, int mode)
{
    while (is_held)
        pause();
    return __real_access(path, mode);
}

/* Time passes at once. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    return 0;
}

static void us(struct up_rights *r)
{
    *r = (struct up_rights){.user = "us", .home = "/", .uid = geteuid(), .gid = getegid()};
}

static void test_held(void **state)
{
    const char *const none[] = {NULL};
    struct up_rights r;
    struct up_error err;
    const char *found;

    (void)state;
    us(&r);
    is_held = true;
    assert_int_equal(up_rights_try(&r, "/", none, none, &found, &err), UP_INTERNAL);
    assert_string_equal(err.message,
                        "user us: whether it can read / was not known in 5 s; its medium may not answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
