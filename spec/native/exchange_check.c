/*
 * exchange_check.c -- a server for short questions that has no descriptor left: who comes then is sent away, nobody
 * waits for it, and the next question is heard. The rest is exchange_spec.lua's matter.
 */
#include "scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"

#define WITHIN 20 /* seconds; who has no answer by then would never have one */

static int call_on(const struct up_exchange *x)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_port = htons((uint16_t)strtoul(strrchr(up_exchange_address(x), ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, "who?", 4, 0), 4);
    return fd;
}

/* The next question: its length, when there is one. */
static size_t hear(struct up_exchange *x, int *id)
{
    struct pollfd p = {.fd = up_exchange_fd(x), .events = POLLIN};
    const char *question;

    assert_int_equal(poll(&p, 1, WITHIN * 1000), 1);
    return up_exchange_next(x, id, &question);
}

/* Until something comes; what has just connected may take a moment to be there. */
static size_t hear_out(struct up_exchange *x, int *id)
{
    size_t len = 0;

    while (len == 0)
        len = hear(x, id);
    return len;
}

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Whether the server has closed the connection without a word. */
static bool is_sent_away(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&p, 1, WITHIN * 1000), 1);
    return recv(fd, &byte, 1, 0) <= 0;
}

static void who_comes_without_a_descriptor_left_is_sent_away(void **state)
{
    struct up_exchange *x;
    struct up_error err;
    int fd, id, before;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    alarm(WITHIN);
    assert_int_equal(up_exchange_open(&x, "127.0.0.1:0", NULL, NULL, &err), 0);
    before = call_on(x);
    assert_int_equal(hear_out(x, &id), 4);
    for (int round = 0; round < 3; round++) { /* more than once */
        fd = call_on(x);
        limit_descriptors((rlim_t)fd + 1);
        assert_int_equal(hear(x, &id), 0);
        assert_true(is_sent_away(fd));
        limit_descriptors(256);
        close(fd);
    }
    fd = call_on(x);
    assert_int_equal(hear_out(x, &id), 4);
    up_exchange_answer(x, id, "I", 1);
    up_exchange_close(x);
    close(fd);
    close(before);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_without_a_descriptor_left_is_sent_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
