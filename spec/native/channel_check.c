/*
 * channel_check.c -- framing of lines over sockets: cut at every byte, too
 * long, not read, peers that go.
 */
#include "channel.h"
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "loop.h"
#include "storage.h"

struct pair {
    struct up_channel *channel;
    int peer;
};

static struct pair pair_new(void)
{
    struct pair p;
    int fds[2];
    struct up_error err;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(up_channel_from_fd(&p.channel, fds[0], &err), 0);
    p.peer = fds[1];
    return p;
}

static void pair_free(struct pair *p)
{
    up_channel_close(p->channel);
    if (p->peer >= 0)
        close(p->peer);
}

static void say(struct pair *p, const char *data, size_t len)
{
    assert_int_equal(send(p->peer, data, len, MSG_NOSIGNAL), (long)len);
}

static void expect_line(struct pair *p, const char *text, size_t len)
{
    const char *line;
    struct up_error err;

    assert_int_equal(up_channel_receive(p->channel, &line, &err), (long)len);
    assert_memory_equal(line, text, len);
    assert_int_equal(line[len], '\0');
}

static void expect_code(struct pair *p, int code)
{
    const char *line;
    struct up_error err;

    assert_int_equal(up_channel_receive(p->channel, &line, &err), code);
}

static void lines_survive_a_cut_at_every_byte(void **state)
{
    static const char text[] = "beat\n\nconfirm\0x\nrollback because\n";
    static const struct {
        const char *text;
        size_t len;
    } lines[] = {{"beat", 4}, {"", 0}, {"confirm\0x", 9}, {"rollback because", 16}};
    const size_t size = sizeof text - 1;

    (void)state;
    for (size_t cut = 0; cut <= size; cut++) {
        struct pair p = pair_new();
        size_t whole = 0, end = 0;

        say(&p, text, cut);
        while (whole < 4 && end + lines[whole].len + 1 <= cut) {
            expect_line(&p, lines[whole].text, lines[whole].len);
            end += lines[whole++].len + 1;
        }
        expect_code(&p, UP_AGAIN);
        expect_code(&p, UP_AGAIN);
        say(&p, text + cut, size - cut);
        while (whole < 4) {
            expect_line(&p, lines[whole].text, lines[whole].len);
            whole++;
        }
        expect_code(&p, UP_AGAIN);
        pair_free(&p);
    }
}

static void bytes_one_by_one_make_the_same_lines(void **state)
{
    static const char text[] = "one\ntwo\n";
    struct pair p = pair_new();

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        say(&p, text + i, 1);
        if (text[i] == '\n')
            expect_line(&p, text + (i == 3 ? 0 : 4), 3);
        else
            expect_code(&p, UP_AGAIN);
    }
    pair_free(&p);
}

static void the_longest_line_passes_and_one_byte_more_does_not(void **state)
{
    char *big = malloc(UP_LINE_MAX + 1);
    struct up_error err;

    (void)state;
    memset(big, 'x', UP_LINE_MAX);
    for (size_t len = UP_LINE_MAX - 1; len <= UP_LINE_MAX; len++) {
        struct pair p = pair_new();
        const char *line;

        big[len] = '\n';
        say(&p, big, len + 1);
        big[len] = 'x';
        if (len < UP_LINE_MAX) {
            expect_line(&p, big, len);
        } else {
            assert_int_equal(up_channel_receive(p.channel, &line, &err), UP_CORRUPT);
            assert_non_null(strstr(err.message, "longer than 65535"));
            /* The framing is lost for good. */
            say(&p, "ok\n", 3);
            expect_code(&p, UP_CORRUPT);
        }
        pair_free(&p);
    }
    free(big);
}

static void a_peer_that_goes_in_the_middle_of_a_line_loses_only_that_line(void **state)
{
    struct pair p = pair_new();
    const char *line;
    struct up_error err;

    (void)state;
    say(&p, "whole\nhal", 9);
    close(p.peer);
    p.peer = -1;
    expect_line(&p, "whole", 5);
    assert_int_equal(up_channel_receive(p.channel, &line, &err), UP_NOTHING);
    assert_non_null(strstr(err.message, "middle of a line"));
    expect_code(&p, UP_NOTHING);
    pair_free(&p);
}

static void a_peer_that_died_with_our_bytes_unread_is_an_end_like_any_other(void **state)
{
    struct pair p = pair_new();
    struct up_error err;

    (void)state;
    assert_int_equal(up_channel_send(p.channel, "unread", 6, &err), 0);
    say(&p, "last\n", 5);
    close(p.peer);
    p.peer = -1;
    expect_line(&p, "last", 4);
    expect_code(&p, UP_NOTHING);
    assert_int_equal(up_channel_send(p.channel, "x", 1, &err), UP_NETWORK);
    assert_non_null(strstr(err.message, "gone"));
    pair_free(&p);
}

static void a_full_queue_is_busy_and_drains_in_order(void **state)
{
    struct pair p = pair_new();
    char line[1001], got[4096];
    size_t sent = 0, seen = 0;
    struct up_error err;
    ssize_t n;
    int rc;

    (void)state;
    memset(line, 'y', sizeof line);
    for (rc = up_channel_send(p.channel, line, 1000, &err); rc == 0;
         rc = up_channel_send(p.channel, line, 1000, &err))
        sent++;
    assert_int_equal(rc, UP_BUSY);
    assert_true(up_channel_wants_write(p.channel));
    assert_int_equal(up_channel_flush(p.channel, &err), UP_AGAIN);
    /* The queue is bounded and holds at least that much beside the socket's own. */
    assert_true(sent * 1001 >= UP_CHANNEL_QUEUE - 1001);
    for (n = recv(p.peer, got, sizeof got, MSG_DONTWAIT); n > 0;
         n = recv(p.peer, got, sizeof got, MSG_DONTWAIT)) {
        for (ssize_t i = 0; i < n; i++, seen++)
            assert_int_equal(got[i], seen % 1001 == 1000 ? '\n' : 'y');
        rc = up_channel_flush(p.channel, &err);
        assert_true(rc == 0 || rc == UP_AGAIN);
    }
    assert_int_equal(seen, sent * 1001);
    assert_false(up_channel_wants_write(p.channel));
    assert_int_equal(up_channel_flush(p.channel, &err), 0);
    pair_free(&p);
}

static void lines_that_would_break_the_framing_are_refused(void **state)
{
    struct pair p = pair_new();
    char *big = calloc(1, UP_LINE_MAX);
    char got[8];
    struct up_error err;

    (void)state;
    assert_int_equal(up_channel_send(p.channel, "a\nb", 3, &err), UP_USAGE);
    assert_int_equal(up_channel_send(p.channel, big, UP_LINE_MAX, &err), UP_USAGE);
    assert_string_equal(err.message, "channel: a line of 65536 bytes, at most 65535 are sent");
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), -1);
    free(big);
    pair_free(&p);
}

static void descriptors_that_are_no_sockets_are_left_alone(void **state)
{
    struct up_channel *c;
    struct up_error err;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(up_channel_from_fd(&c, fds[0], &err), UP_USAGE);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(up_channel_from_fd(&c, 12345, &err), UP_USAGE);
}

static void the_loop_sees_pipes_hung_up(void **state)
{
    struct up_loop *loop;
    struct up_error err;
    struct up_watch watch = {.read = true};
    int fds[2];

    (void)state;
    assert_int_equal(up_loop_new(&loop, &err), 0);
    assert_int_equal(pipe(fds), 0);
    watch.fd = fds[0];
    assert_int_equal(up_loop_poll(loop, &watch, 1, 0, &err), 0);
    assert_false(watch.ready);
    close(fds[1]);
    assert_int_equal(up_loop_poll(loop, &watch, 1, -1, &err), 0);
    assert_true(watch.ready);
    close(fds[0]);
    watch.fd = -1;
    assert_int_equal(up_loop_poll(loop, &watch, 1, 0, &err), 0);
    assert_false(watch.ready);
    up_loop_free(loop);
}

/* ---- addresses ---- */

static void addresses_that_cannot_be_are_refused(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", file[64], path[PATH_MAX + 10];
    struct up_listener *l = NULL;
    struct up_channel *c = NULL;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/file", dir);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(up_listener_open(&l, "", NULL, &err), UP_USAGE);
    memset(path, 'p', sizeof path);
    path[200] = '\0'; /* no folder, and too long for an address */
    assert_int_equal(up_channel_connect(&c, path, &err), UP_USAGE);
    path[200] = 'p';
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(up_channel_connect(&c, path, &err), UP_USAGE);
    path[UP_PATH_SIZE] = '\0';
    assert_int_equal(up_channel_connect(&c, path, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "path empty or too long"));
    snprintf(path, sizeof path, "%s/%0150d/s", dir, 1); /* a long way that is not there, or no folder */
    assert_int_equal(up_channel_connect(&c, path, &err), UP_NOTHING);
    snprintf(path, sizeof path, "%s/%0150d", file, 1);
    assert_int_equal(up_channel_connect(&c, path, &err), UP_WRITE);
    snprintf(path, sizeof path, "%s/%0150d", dir, 1); /* the name by itself is too long */
    assert_int_equal(up_listener_open(&l, path, NULL, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "name is too long"));
    assert_int_equal(up_listener_open(&l, file, NULL, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "taken by something else"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* A path that no address has room for is reached through its folder. */
static void a_long_path_is_as_good_as_another(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", folder[300], path[310], kept[310];
    struct up_listener *l = NULL, *second = NULL;
    struct up_channel *c = NULL, *peer = NULL;
    const char *line;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/%0150d", dir, 1);
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(kept, sizeof kept, "%s/kept", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(up_channel_connect(&c, path, &err), UP_NOTHING);
    for (int i = 0; i < 2; i++) { /* the second time a file is there whose listener is gone */
        assert_int_equal(up_listener_open(&l, path, NULL, &err), 0);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(up_channel_connect(&c, path, &err), 0);
        assert_int_equal(up_listener_accept(l, &peer, &err), 0);
        assert_int_equal(up_channel_send(c, "hello", 5, &err), 0);
        assert_int_equal(up_channel_receive(peer, &line, &err), 5);
        assert_string_equal(line, "hello");
        assert_int_equal(up_listener_open(&second, path, NULL, &err), UP_BUSY);
        up_channel_close(peer);
        up_channel_close(c);
        if (i == 0)
            assert_int_equal(link(path, kept), 0);
        up_listener_close(l);
        assert_int_equal(access(path, F_OK), -1);
        if (i == 0)
            assert_int_equal(rename(kept, path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* Up to the last byte that an address has room for. */
static void a_name_is_whole_or_refused(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", folder[300], path[PATH_MAX];
    int refused = 0, made = 0;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/%0150d", dir, 1);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int len = 80; len < 100; len++) {
        struct up_listener *l = NULL;
        int rc;

        snprintf(path, sizeof path, "%s/%0*d", folder, len, 1);
        rc = up_listener_open(&l, path, NULL, &err);
        if (rc == 0)
            assert_int_equal(access(path, F_OK), 0);
        else
            assert_non_null(strstr(err.message, "name is too long"));
        refused += rc < 0;
        made += rc == 0;
        up_listener_close(l);
    }
    assert_true(refused > 0 && made > 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(rmdir(dir), 0);
}

#define MOST 1000

static void a_listener_that_takes_nobody_is_busy(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", path[64];
    struct up_channel *waits[MOST];
    struct up_listener *l = NULL;
    struct up_error err;
    int count = 0, rc = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    assert_int_equal(up_listener_open(&l, path, NULL, &err), 0);
    while (count < MOST && rc == 0) {
        rc = up_channel_connect(&waits[count], path, &err);
        count += rc == 0;
    }
    assert_int_equal(rc, UP_BUSY);
    assert_non_null(strstr(err.message, "too many connections are waiting"));
    while (count-- > 0)
        up_channel_close(waits[count]);
    up_listener_close(l);
    assert_int_equal(rmdir(dir), 0);
}

/* What the file system refuses. */
static bool no_mode, no_owner;

int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __real_chown(const char *path, uid_t user, gid_t group);
int __wrap_chown(const char *path, uid_t user, gid_t group);

int __wrap_chmod(const char *path, mode_t mode)
{
    errno = EROFS;
    return no_mode ? -1 : __real_chmod(path, mode);
}

int __wrap_chown(const char *path, uid_t user, gid_t group)
{
    errno = EROFS;
    return no_owner ? -1 : __real_chown(path, user, group);
}

/* Who cannot be let in finds no socket at all. */
static void a_socket_that_cannot_be_handed_over_is_none(void **state)
{
    const struct up_access ours = {true, true, geteuid(), getegid()};
    char dir[] = "/tmp/moult-check-XXXXXX", path[64];
    struct up_listener *l = NULL;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    for (int i = 0; i < 2; i++) {
        no_mode = i == 0;
        no_owner = i == 1;
        assert_int_equal(up_listener_open(&l, path, &ours, &err), UP_WRITE);
        assert_non_null(strstr(err.message, i == 0 ? "mode: " : "hand it to "));
        assert_non_null(strstr(err.message, strerror(EROFS)));
        assert_int_equal(access(path, F_OK), -1);
    }
    no_owner = false;
    assert_int_equal(rmdir(dir), 0);
}

/* Somebody took the socket away and put something else there: that stays. */
static void a_listener_removes_only_its_own_file(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", path[64], other[64];
    struct up_listener *l = NULL;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(up_listener_open(&l, path, NULL, &err), 0);
    assert_int_equal(rename(other, path), 0);
    up_listener_close(l);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(up_listener_open(&l, path, NULL, &err), 0);
    assert_int_equal(unlink(path), 0);
    up_listener_close(l);
    assert_int_equal(rmdir(dir), 0);
}

static void assert_let_in(const char *path, const struct up_access *access, uid_t user, gid_t group,
                          mode_t mode)
{
    struct up_listener *l = NULL;
    struct up_error err;
    struct stat st;

    if (up_listener_open(&l, path, access, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, user);
    assert_int_equal(st.st_gid, group);
    assert_int_equal(st.st_mode & 07777, mode);
    up_listener_close(l);
}

/* Others connect only when they were named; who may not name them is told, and leaves no socket. */
static void a_listener_lets_in_whom_it_is_told(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", path[64];
    const struct up_access nobody = {.user = 12345, .group = 12345},
                           ours = {.has_user = true,
                                   .has_group = true,
                                   .user = geteuid(),
                                   .group = getegid()},
                           group = {.has_group = true, .group = 12345},
                           user = {.has_user = true, .user = 12345};
    struct up_listener *l = NULL;
    struct up_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    assert_let_in(path, NULL, geteuid(), getegid(), 0600);
    assert_let_in(path, &nobody, geteuid(), getegid(), 0600);
    assert_let_in(path, &ours, geteuid(), getegid(), 0660);
    if (geteuid() == 0) {
        assert_let_in(path, &group, 0, 12345, 0660);
        assert_let_in(path, &user, 12345, getegid(), 0600);
    } else {
        assert_int_equal(up_listener_open(&l, path, &user, &err), UP_WRITE);
        assert_non_null(strstr(err.message, "hand it to user 12345"));
    }
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(dir), 0);
}

static int failure_of_unlink;

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    if (failure_of_unlink == 0)
        return __real_unlink(path);
    errno = failure_of_unlink;
    return -1;
}

/* A socket without a listener, as after a kill, makes way; if it cannot, that is said. */
static void what_a_killed_listener_left_makes_way(void **state)
{
    char dir[] = "/tmp/moult-check-XXXXXX", path[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct up_listener *l = NULL;
    struct up_error err;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    failure_of_unlink = EROFS;
    assert_int_equal(up_listener_open(&l, path, NULL, &err), UP_WRITE);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "Read-only file system"));
    failure_of_unlink = 0;
    assert_int_equal(up_listener_open(&l, path, NULL, &err), 0);
    up_listener_close(l);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_survive_a_cut_at_every_byte),
        cmocka_unit_test(bytes_one_by_one_make_the_same_lines),
        cmocka_unit_test(the_longest_line_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_peer_that_goes_in_the_middle_of_a_line_loses_only_that_line),
        cmocka_unit_test(a_peer_that_died_with_our_bytes_unread_is_an_end_like_any_other),
        cmocka_unit_test(a_full_queue_is_busy_and_drains_in_order),
        cmocka_unit_test(lines_that_would_break_the_framing_are_refused),
        cmocka_unit_test(descriptors_that_are_no_sockets_are_left_alone),
        cmocka_unit_test(the_loop_sees_pipes_hung_up),
        cmocka_unit_test(addresses_that_cannot_be_are_refused),
        cmocka_unit_test(a_long_path_is_as_good_as_another),
        cmocka_unit_test(a_name_is_whole_or_refused),
        cmocka_unit_test(a_listener_that_takes_nobody_is_busy),
        cmocka_unit_test(a_socket_that_cannot_be_handed_over_is_none),
        cmocka_unit_test(a_listener_removes_only_its_own_file),
        cmocka_unit_test(a_listener_lets_in_whom_it_is_told),
        cmocka_unit_test(what_a_killed_listener_left_makes_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
