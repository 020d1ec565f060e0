/*
 * resolver_check.c -- names are looked up beside the loop: a slow answer stops
 * nobody, one that nobody waits for leaves nothing behind.
 *
 * getaddrinfo() is replaced: slow.test answers when it is told to.
 */
#include "resolver.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"

#define PATIENCE_MS 20000

static sem_t asked, answer;
static unsigned before; /* threads, a sanitizer's own among them */

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    int rc;

    if (strcmp(node, "none.test") == 0)
        return hints->ai_flags & AI_NUMERICHOST ? EAI_NONAME : EAI_AGAIN;
    if (hints->ai_flags & AI_NUMERICHOST || !strstr(node, ".test"))
        return __real_getaddrinfo(node, service, hints, out);
    if (strcmp(node, "slow.test") == 0) {
        sem_post(&asked);
        sem_wait(&answer);
    }
    if (strcmp(node, "offline.test") == 0 && hints->ai_flags & AI_ADDRCONFIG)
        return EAI_NONAME;
    if (strcmp(node, "loopback.test") == 0 && hints->ai_flags & AI_ADDRCONFIG)
        return EAI_ADDRFAMILY;
    rc = __real_getaddrinfo("192.0.2.7", service, hints, out);
    for (struct addrinfo *last = *out; rc == 0 && last && strcmp(node, "many.test") == 0;) {
        for (int i = 0; i < 20 && rc == 0; i++, last = last->ai_next)
            rc = __real_getaddrinfo("2001:db8::7", service, hints, &last->ai_next);
        break;
    }
    return rc;
}

/* The call that fails, each time, with errno or by its answer. */
static const char *failing;
static unsigned writes; /* of the look-up's thread, to the one that waits */

#define CALL(type, name, failure, parameters, arguments) \
    type __real_##name parameters;                       \
    type __wrap_##name parameters;                       \
    type __wrap_##name parameters                        \
    {                                                    \
        if (!failing || strcmp(failing, #name) != 0)     \
            return __real_##name arguments;              \
        errno = EMFILE;                                  \
        return failure;                                  \
    }

CALL(void *, calloc, NULL, (size_t count, size_t size), (count, size))
CALL(int, eventfd, -1, (unsigned value, int flags), (value, flags))
CALL(int, pthread_attr_init, ENOMEM, (pthread_attr_t * a), (a))
CALL(int, pthread_create, EAGAIN, (pthread_t * t, const pthread_attr_t *a, void *(*run)(void *), void *user),
     (t, a, run, user))
CALL(int, getnameinfo, EAI_FAIL,
     (const struct sockaddr *a, socklen_t len, char *host, socklen_t room, char *port, socklen_t port_room,
      int flags),
     (a, len, host, room, port, port_room, flags))

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);

/* Interrupted before it is done. */
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (failing && strcmp(failing, "write") == 0 && ++writes < 3) {
        errno = EINTR;
        return -1;
    }
    return __real_write(fd, data, len);
}

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static unsigned threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned count = 0;

    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* The thread of a look-up ends by itself soon after its answer. */
static void wait_for_threads_to_end(void)
{
    while (threads() > before)
        sched_yield();
}

static int look_up(const char *host, struct up_addresses *found, struct up_error *err)
{
    struct up_resolver *r;
    struct pollfd p = {.events = POLLIN};
    int rc;

    assert_int_equal(up_resolver_start(&r, host, err), 0);
    p.fd = up_resolver_fd(r);
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    rc = up_resolver_result(r, found, err);
    up_resolver_free(r);
    wait_for_threads_to_end();
    return rc;
}

static void numeric_hosts_need_no_look_up(void **state)
{
    static const struct {
        const char *host;
        bool numeric;
    } cases[] = {{"127.0.0.1", true},  {"::1", true},          {"2001:db8::1", true},
                 {"localhost", false}, {"127.0.0.1.x", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (up_resolver_numeric(cases[i].host) != cases[i].numeric)
            fail_msg("%s", cases[i].host);
    assert_int_equal(threads(), before);
}

static void a_name_becomes_addresses_in_order(void **state)
{
    struct up_addresses found = {0};
    struct up_error err;

    (void)state;
    assert_int_equal(look_up("one.test", &found, &err), 0);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.text[0], "192.0.2.7");
    assert_int_equal(look_up("offline.test", &found, &err), 0);
    assert_string_equal(found.text[0], "192.0.2.7");
    assert_int_equal(look_up("many.test", &found, &err), 0);
    assert_int_equal(found.count, UP_ADDRESSES_MAX);
    assert_string_equal(found.text[0], "192.0.2.7");
    assert_string_equal(found.text[UP_ADDRESSES_MAX - 1], "2001:db8::7");
}

static void a_name_that_is_not_there_is_a_failure_of_the_network(void **state)
{
    struct up_addresses found = {0};
    char name[400];
    struct up_resolver *r;
    struct up_error err;

    (void)state;
    assert_int_equal(look_up("none.test", &found, &err), UP_NETWORK);
    assert_non_null(strstr(err.message, "none.test: "));
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(up_resolver_start(&r, name, &err), UP_NETWORK);
}

static void a_slow_answer_is_not_waited_for(void **state)
{
    struct up_addresses found = {0};
    struct up_resolver *r;
    struct pollfd p = {.events = POLLIN};
    struct up_error err;

    (void)state;
    assert_int_equal(up_resolver_start(&r, "slow.test", &err), 0);
    sem_wait(&asked);
    p.fd = up_resolver_fd(r);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(up_resolver_result(r, &found, &err), UP_AGAIN);
    sem_post(&answer);
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(up_resolver_result(r, &found, &err), 0);
    up_resolver_free(r);
    wait_for_threads_to_end();
}

/* Under a sanitizer: and what it held is freed. */
static void one_that_nobody_waits_for_ends_by_itself(void **state)
{
    struct up_resolver *r;
    struct up_error err;

    (void)state;
    assert_int_equal(up_resolver_start(&r, "slow.test", &err), 0);
    sem_wait(&asked);
    up_resolver_free(r);
    assert_int_equal(threads(), before + 1);
    sem_post(&answer);
    wait_for_threads_to_end();
}

static void a_look_up_that_cannot_begin_leaves_nothing(void **state)
{
    static const struct {
        const char *call, *said;
    } cases[] = {
        {"calloc", "out of memory"},
        {"eventfd", "Too many open files"},
        {"pthread_attr_init", "cannot start a thread"},
        {"pthread_create", "cannot start a thread"},
    };
    unsigned open = descriptors();
    struct up_addresses found = {0};
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_resolver *r = NULL;
        int rc;

        failing = cases[i].call;
        rc = up_resolver_start(&r, "one.test", &err);
        failing = NULL;
        assert_int_equal(rc, UP_INTERNAL);
        assert_null(r);
        if (!strstr(err.message, cases[i].said))
            fail_msg("%s: %s", cases[i].call, err.message);
        assert_int_equal(descriptors(), open);
        assert_int_equal(threads(), before);
    }
    assert_int_equal(look_up("one.test", &found, &err), 0);
}

static void an_answer_without_addresses_is_none(void **state)
{
    struct up_addresses found = {0};
    struct up_error err;

    (void)state;
    failing = "getnameinfo";
    assert_int_equal(look_up("one.test", &found, &err), UP_NETWORK);
    assert_non_null(strstr(err.message, "one.test has no address"));
    failing = "write"; /* that it is done is told all the same */
    assert_int_equal(look_up("one.test", &found, &err), 0);
    assert_int_equal(writes, 3);
    failing = NULL;
    assert_int_equal(look_up("loopback.test", &found, &err), 0);
    assert_string_equal(found.text[0], "192.0.2.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_hosts_need_no_look_up),
        cmocka_unit_test(a_name_becomes_addresses_in_order),
        cmocka_unit_test(a_name_that_is_not_there_is_a_failure_of_the_network),
        cmocka_unit_test(a_slow_answer_is_not_waited_for),
        cmocka_unit_test(one_that_nobody_waits_for_ends_by_itself),
        cmocka_unit_test(a_look_up_that_cannot_begin_leaves_nothing),
        cmocka_unit_test(an_answer_without_addresses_is_none),
    };

    sem_init(&asked, 0, 0);
    sem_init(&answer, 0, 0);
    before = threads();
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
