/*
 * peer_check.c -- who is at the other end of a socket, as the kernel says it,
 * and as a kernel that is played says it of other users.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "peer.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static struct {
    bool on; /* what follows is said of the peer */
    int rc;  /* of getsockopt() */
    uid_t peer, self;
    gid_t groups[2];
    size_t count;
    bool old; /* a kernel that does not tell groups */
} kernel;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (kernel.on && name == SO_PEERGROUPS) {
        memcpy(value, kernel.groups, kernel.count * sizeof *kernel.groups);
        *len = (socklen_t)(kernel.count * sizeof *kernel.groups);
        return kernel.old ? -1 : 0;
    }
    if (kernel.on && name == SO_PEERCRED) {
        *(struct ucred *)value = (struct ucred){.pid = 1, .uid = kernel.peer, .gid = 100};
        return kernel.rc;
    }
    return __real_getsockopt(fd, level, name, value, len);
}

uid_t __wrap_geteuid(void)
{
    return kernel.on ? kernel.self : __real_geteuid();
}

static void own_are_root_and_we(void **state)
{
    static const struct {
        uid_t peer, self;
        bool own;
    } cases[] = {{0, 0, true}, {0, 1000, true}, {1000, 1000, true}, {1000, 0, false}, {1001, 1000, false}};
    struct up_peer peer;
    struct up_error err;

    (void)state;
    kernel.on = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kernel.peer = cases[i].peer;
        kernel.self = cases[i].self;
        assert_int_equal(up_peer_of(0, &peer, &err), 0);
        assert_int_equal(up_peer_is_own(&peer), cases[i].own);
    }
    kernel.rc = -1;
    assert_int_equal(up_peer_of(0, &peer, &err), UP_INTERNAL);
    memset(&kernel, 0, sizeof kernel);
}

static void a_member_has_the_group_first_or_besides(void **state)
{
    struct up_peer peer = {.pid = 1, .uid = 1000, .gid = 100};

    (void)state;
    kernel.on = true;
    kernel.groups[0] = 200;
    kernel.groups[1] = 300;
    kernel.count = 2;
    assert_true(up_peer_in_group(0, &peer, 100));
    assert_true(up_peer_in_group(0, &peer, 300));
    assert_false(up_peer_in_group(0, &peer, 400));
    kernel.old = true;
    assert_true(up_peer_in_group(0, &peer, 100));
    assert_false(up_peer_in_group(0, &peer, 300));
    memset(&kernel, 0, sizeof kernel);
}

static void the_real_kernel_tells_who_we_are(void **state)
{
    struct up_peer peer;
    struct up_error err;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(up_peer_of(ends[0], &peer, &err), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    assert_true(up_peer_is_own(&peer));
    assert_true(up_peer_in_group(ends[0], &peer, getgid()));
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(up_peer_of(ends[0], &peer, &err), UP_INTERNAL);
}

/* A child of a child, which says who it is and waits for the end of its pipe. */
static void who_was_started_below_descends(void **state)
{
    int ends[2], said[2];
    pid_t child, grandchild = 0;
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(said), 0);
    child = fork();
    if (child == 0) {
        pid_t pid = fork();

        close(ends[1]);
        if (pid > 0 && write(said[1], &pid, sizeof pid) < 0)
            _exit(1);
        (void)!read(ends[0], &byte, 1);
        if (pid > 0)
            waitpid(pid, NULL, 0);
        _exit(0);
    }
    assert_int_equal(read(said[0], &grandchild, sizeof grandchild), sizeof grandchild);
    assert_true(up_peer_descends(grandchild, grandchild));
    assert_true(up_peer_descends(grandchild, child));
    assert_true(up_peer_descends(grandchild, getpid()));
    assert_false(up_peer_descends(child, grandchild));
    assert_false(up_peer_descends(getpid(), child));
    assert_false(up_peer_descends(grandchild, 0));
    assert_false(up_peer_descends(grandchild, 1));
    close(ends[1]);
    waitpid(child, NULL, 0);
    assert_false(up_peer_descends(grandchild, getpid()));
    close(ends[0]);
    close(said[0]);
    close(said[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_are_root_and_we),
        cmocka_unit_test(a_member_has_the_group_first_or_besides),
        cmocka_unit_test(the_real_kernel_tells_who_we_are),
        cmocka_unit_test(who_was_started_below_descends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
