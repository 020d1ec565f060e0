/*
 * calls_check.c -- a system call or an allocation fails, the n-th for every n,
 * below channels, children, listeners and the system's storage: it is said,
 * and neither descriptors nor memory are lost.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "block_mac.h"
#include "boot.h"
#include "channel.h"
#include "child.h"
#include "cloud_record.h"
#include "config.h"
#include "failing.h"
#include "fetch.h"
#include "files.h"
#include "folder.h"
#include "history.h"
#include "http_listen.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "mqtt.h"
#include "notify.h"
#include "policy.h"
#include "processes.h"
#include "secret.h"
#include "signals.h"
#include "url.h"

static unsigned long failed_calls;

int __real_pipe2(int fds[2], int flags);

/* One use of a module from its beginning to its end; 0 or a code. */
typedef int attempt_fn(const struct scratch *s, struct up_error *err);

static int talk(const struct scratch *s, struct up_error *err)
{
    struct up_listener *listener = NULL;
    struct up_channel *ours = NULL, *theirs = NULL;
    const char *line;
    char path[512];
    long rc = up_listener_open(&listener, scratch_path(s, "socket", path), NULL, err);

    if (rc == 0)
        rc = up_channel_connect(&ours, path, err);
    if (rc == 0)
        rc = up_listener_accept(listener, &theirs, err);
    if (rc == 0)
        rc = up_channel_send(ours, "hello", 5, err);
    if (rc == 0)
        rc = up_channel_flush(ours, err);
    if (rc == 0)
        rc = up_channel_receive(theirs, &line, err);
    if (rc > 0 || rc == UP_AGAIN)
        rc = 0;
    up_channel_close(ours);
    up_channel_close(theirs);
    up_listener_close(listener);
    return (int)rc;
}

/* Where a process that was killed left its socket. */
static int talk_over_stale(const struct scratch *s, struct up_error *err)
{
    char path[512];

    mknod(scratch_path(s, "socket", path), S_IFSOCK | 0600, 0);
    return talk(s, err);
}

static int raise_child(const struct scratch *s, struct up_error *err)
{
    const char *const argv[] = {"/bin/sleep", "60", NULL};
    struct up_child *child = NULL;
    int rc = up_child_new(&child, up_processes_system(), "child", 60, err);

    (void)s;
    if (rc == 0)
        rc = up_child_start(child, argv, 1000, err);
    if (rc == 0) {
        up_child_tell(child, "hello");
        up_child_tick(child, 2000);
        (void)up_child_hear(child, 2000);
        up_child_kill(child, "enough");
        up_child_reap(child, 3000);
    }
    up_child_free(child);
    return rc;
}

static int ask_policy(const struct scratch *s, struct up_error *err)
{
    struct up_policy *policy = NULL;
    const char *answer;
    long rc = up_policy_start(&policy, "/bin/false", "nobody", "{}", 2, err);

    (void)s;
    if (rc == 0)
        rc = UP_AGAIN;
    while (rc == UP_AGAIN) {
        rc = up_policy_step(policy, &answer, err);
        usleep(200);
    }
    up_policy_close(policy);
    return rc == UP_REFUSED ? 0 : (int)rc; /* it has no answer: that is one */
}

/* The pipes get the lowest numbers then, and are moved away from them. */
static int ask_policy_from_nowhere(const struct scratch *s, struct up_error *err)
{
    int kept[2] = {dup(0), dup(1)}, rc;

    close(0);
    close(1);
    rc = ask_policy(s, err);
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    return rc;
}

static int wait_once(const struct scratch *s, struct up_error *err)
{
    struct up_loop *loop = NULL;
    int rc = up_loop_new(&loop, err);

    (void)s;
    if (rc == 0)
        rc = up_loop_poll(loop, NULL, 0, 0, err);
    up_loop_free(loop);
    return rc;
}

/* More descriptors than lie on the stack; one of them ends the wait at once. */
static int wait_for_many(const struct scratch *s, struct up_error *err)
{
    struct up_watch watches[40];
    struct up_loop *loop = NULL;
    int pair[2], rc;

    (void)s;
    assert_int_equal(__real_pipe2(pair, O_CLOEXEC), 0);
    close(pair[1]);
    for (int i = 0; i < 40; i++)
        watches[i] = (struct up_watch){.fd = i == 30 ? pair[0] : -1, .read = true};
    rc = up_loop_new(&loop, err);
    if (rc == 0)
        rc = up_loop_poll(loop, watches, 40, -1, err);
    if (rc == 0)
        for (int i = 0; i < 40; i++)
            assert_int_equal(watches[i].ready, i == 30);
    up_loop_free(loop);
    close(pair[0]);
    return rc;
}

/* However long it may wait, and for how many. */
static void a_wait_has_its_limits(void **state)
{
    static struct up_watch many[1025];
    struct up_watch one = {.read = true};
    struct up_loop *loop;
    struct up_error err;
    int pair[2];

    (void)state;
    assert_int_equal(__real_pipe2(pair, O_CLOEXEC), 0);
    close(pair[1]);
    one.fd = pair[0];
    must(up_loop_new(&loop, &err), &err);
    must(up_loop_poll(loop, &one, 1, INT_MAX, &err), &err);
    assert_true(one.ready);
    must(up_loop_poll(loop, &one, 1, -1, &err), &err);
    for (int i = 0; i < 1025; i++)
        many[i].fd = -1;
    must(up_loop_poll(loop, many, 1024, 0, &err), &err);
    must_fail(up_loop_poll(loop, many, 1025, 0, &err), UP_INTERNAL, "more than 1024 descriptors", &err);
    up_loop_free(loop);
    close(pair[0]);
}

static int listen_once(const struct scratch *s, struct up_error *err)
{
    char address[64];
    int fd = up_http_listen("127.0.0.1:0", address, sizeof address, err);

    (void)s;
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static int watch_signals(const struct scratch *s, struct up_error *err)
{
    struct up_signals *signals = NULL;
    int rc = up_signals_open(&signals, true, err);

    (void)s;
    if (rc == 0)
        (void)up_signals_next(signals);
    up_signals_close(signals);
    return rc;
}

static int tell_the_manager(const struct scratch *s, struct up_error *err)
{
    struct up_notify notify;
    char path[512];

    (void)err;
    setenv("NOTIFY_SOCKET", scratch_path(s, "nobody-listens", path), 1);
    up_notify_open(&notify);
    up_notify_send(&notify, "READY=1");
    up_notify_close(&notify);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

static int read_folder(const struct scratch *s, struct up_error *err)
{
    struct up_folder_entry entry;
    struct up_folder *folder = NULL;
    int rc = up_folder_open(&folder, s->dir, err);

    while (rc == 0 && up_folder_next(folder, &entry) > 0)
        ;
    if (rc == 0)
        up_folder_close(folder);
    return rc;
}

/* Without a broker; what fails then is told in an event. */
static int stay_connected(const struct scratch *s, struct up_error *err)
{
    const struct up_mqtt_options o = {.host = "127.0.0.1",
                                      .port = 1,
                                      .client_id = "check",
                                      .keepalive = 60,
                                      .clean = true,
                                      .back_off_min = 1000,
                                      .back_off_max = 1000,
                                      .queue = 2,
                                      .tls = true,
                                      .insecure = true};
    struct up_mqtt *m = NULL;
    struct up_mqtt_event event;
    uint64_t id;
    int rc = up_mqtt_open(&m, s->storage, &o, err);

    if (rc == 0)
        rc = up_mqtt_publish(m, "t", "x", 1, 1, false, &id, err);
    if (rc == 0)
        rc = up_mqtt_subscribe(m, "t", 1, err);
    for (int i = 0; rc == 0 && i < 3; i++)
        while (up_mqtt_step(m, &event))
            ;
    up_mqtt_close(m);
    return rc;
}

/* Nobody listens there: that it cannot connect is the answer. */
static int fetch_once(const struct scratch *s, struct up_error *err)
{
    const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};
    const struct up_fetch_options o = {.ranged = 1,
                                       .offset = 5,
                                       .length = 10,
                                       .if_range = "\"tag\"",
                                       .method = "POST",
                                       .body = "body",
                                       .body_len = 4,
                                       .headers = headers,
                                       .max_redirects = 1,
                                       .redirect_prefix = "http://127.0.0.1",
                                       .proxy = "http://127.0.0.1:1"};
    struct up_loop *loop = NULL;
    struct up_fetch *f = NULL;
    char byte;
    long rc = up_loop_new(&loop, err);

    (void)s;
    if (rc == 0)
        rc = up_fetch_open(&f, loop, "http://127.0.0.1:1/x", &o, err);
    if (rc == 0)
        rc = UP_AGAIN;
    while (rc == UP_AGAIN) {
        rc = up_fetch_read(f, &byte, 1, err);
        if (rc == UP_AGAIN && up_loop_poll(loop, NULL, 0, 20, err) < 0)
            rc = err->code;
    }
    up_fetch_close(f);
    up_loop_free(loop);
    return rc == UP_NETWORK ? 0 : (int)rc;
}

static int read_object(const struct scratch *s, struct up_error *err)
{
    struct up_loop *loop = NULL;
    struct up_source *source = NULL;
    char byte;
    long rc = up_loop_new(&loop, err);

    (void)s;
    if (rc == 0)
        rc = up_source_http(&source, loop, "http://127.0.0.1:1/x", NULL, err);
    if (rc == 0)
        rc = UP_AGAIN;
    while (rc == UP_AGAIN) {
        rc = source->ops->read(source, 0, &byte, 1, err);
        if (rc == UP_AGAIN && up_loop_poll(loop, NULL, 0, 20, err) < 0)
            rc = err->code;
    }
    if (source)
        source->ops->close(source);
    up_loop_free(loop);
    return rc == UP_NETWORK ? 0 : (int)rc;
}

static int follow_links(const struct scratch *s, struct up_error *err)
{
    char *to = NULL;
    int rc = up_url_check("http://host/a", err);

    (void)s;
    if (rc == 0)
        rc = up_url_follow(&to, "http://host/a/b", "../c", "http://host/", err);
    free(to);
    return rc;
}

static int listen_elsewhere(const struct scratch *s, struct up_error *err)
{
    static const char *const places[] = {"[::1]:0", "localhost:0", "0.0.0.0:0"};
    char address[64];

    (void)s;
    for (int i = 0; i < 3; i++) {
        int fd = up_http_listen(places[i], address, sizeof address, err);

        if (fd >= 0)
            close(fd);
        else if (i == 2) /* names and IPv6 are not everywhere */
            return fd;
    }
    return 0;
}

static int keep_files(const struct scratch *s, struct up_error *err)
{
    char dir[512], path[512], *text = NULL;
    int rc = up_storage_make_dir(s->storage, scratch_path(s, "dir", dir), 0755, err);

    if (rc == 0)
        rc = up_storage_write_file(s->storage, scratch_path(s, "dir/file", path), "text", 4, 0644, err);
    if (rc == 0)
        rc = up_storage_read_file(s->storage, path, 100, &text, NULL, err);
    if (rc == 0) {
        free(text);
        rc = up_storage_sync_parent(s->storage, path, err);
    }
    if (rc == 0)
        rc = up_storage_remove_tree(s->storage, dir, err);
    return rc;
}

static int keep_history(const struct scratch *s, struct up_error *err)
{
    struct up_event event = {.name = "armed"}, events[UP_HISTORY_RECORDS];
    int rc = up_history_create(s->storage, s->dir, err);

    if (rc == 0)
        rc = up_history_add(s->storage, s->dir, &event, err);
    if (rc == 0)
        rc = up_history_read(s->storage, s->dir, events, err);
    return rc > 0 ? 0 : rc;
}

static int read_secret(const struct scratch *s, struct up_error *err)
{
    char path[512], secret[UP_SECRET_MAX + 1];
    int rc = up_storage_write_file(s->storage, scratch_path(s, "secret", path), "word\n", 5, 0600, err);

    if (rc == 0)
        rc = up_secret_check(s->storage, path, err);
    if (rc == 0)
        rc = up_secret_read(s->storage, path, secret, err);
    return rc;
}

static int keep_record(const struct scratch *s, struct up_error *err)
{
    char *text = NULL;
    int rc = up_cloud_record_keep(s->storage, s->dir, "cloud", "text", 4, err);

    if (rc == 0)
        rc = up_cloud_record_read(s->storage, s->dir, "cloud", &text, NULL, err);
    free(text);
    if (rc == 0)
        rc = up_cloud_record_forget(s->storage, s->dir, "cloud", err);
    return rc;
}

static int keep_mac(const struct scratch *s, struct up_error *err)
{
    struct up_block_mac *macs = NULL;
    int rc = up_block_mac_new(&macs, s->storage, 1, err);

    if (rc == 0) {
        up_block_mac_put(macs, 0, "block", 5);
        assert_true(up_block_mac_fits(macs, 0, "block", 5));
        up_block_mac_free(macs);
    }
    return rc;
}

static int ask_loader(const struct scratch *s, struct up_error *err)
{
    struct up_config config;
    struct up_boot *boot = NULL;
    struct up_boot_state state;
    char id[37];
    int slot, rc;

    up_config_init(&config);
    config.state = (char *)(uintptr_t)s->dir;
    rc = up_boot_open(&boot, s->storage, up_config_boot(&config), err);
    config.state = NULL;
    if (rc == 0)
        rc = up_boot_started(boot, &slot, err);
    if (rc == 0)
        rc = up_boot_read(boot, &state, err);
    if (rc == 0)
        up_boot_id(boot, &state, id);
    up_boot_close(boot);
    up_config_free(&config);
    return rc;
}

static int count_entry(void *user, const char *name, enum up_node_kind kind)
{
    (void)name, (void)kind;
    ++*(unsigned *)user;
    return 0;
}

/* Every function of the table once; what each answers is storage_check's matter. */
static int use_table(const struct scratch *s, struct up_error *err)
{
    const struct up_storage_ops *ops = s->storage->ops;
    char *const nothing[] = {(char[]){"/bin/true"}, NULL};
    char path[512], other[512], buf[64], boot[37];
    struct up_medium medium;
    struct up_stat st;
    uint64_t room;
    unsigned count = 0;
    int file = ops->open(s->storage, scratch_path(s, "table", path), UP_CREATE, 0644);

    (void)err;
    scratch_path(s, "other", other);
    if (file >= 0) {
        (void)ops->pwrite(s->storage, file, "text", 4, 0);
        (void)ops->pread(s->storage, file, buf, 4, 0);
        (void)ops->zero_range(s->storage, file, 0, 8192);
        (void)ops->truncate(s->storage, file, 4096);
        (void)ops->lock(s->storage, file);
        (void)ops->sync(s->storage, file);
        (void)ops->drop_cache(s->storage, file, 0, 4096);
        (void)ops->start_writeback(s->storage, file, 0, 4096);
        (void)ops->stat_file(s->storage, file, &st);
        (void)ops->close(s->storage, file);
    }
    (void)ops->link(s->storage, path, other);
    (void)ops->unlink(s->storage, other);
    (void)ops->symlink(s->storage, "table", other);
    (void)ops->readlink(s->storage, other, buf, sizeof buf);
    (void)ops->rename(s->storage, other, path);
    (void)ops->chmod(s->storage, s->dir, 0700);
    (void)ops->stat(s->storage, path, &st);
    (void)ops->space(s->storage, s->dir, &room);
    (void)ops->list(s->storage, s->dir, count_entry, &count);
    (void)ops->sync_dir(s->storage, s->dir);
    (void)ops->mounted(s->storage, path);
    (void)ops->medium(s->storage, path, &medium);
    (void)ops->boot_id(s->storage, boot);
    (void)ops->random(s->storage, buf, sizeof buf);
    (void)ops->restart(s->storage, nothing);
    (void)ops->unlink(s->storage, path);
    return 0;
}

static long long give_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                              struct up_error *err)
{
    (void)user, (void)content, (void)offset, (void)err;
    memset(buf, 'x', len);
    return (long long)len;
}

/* The tree is the old one, whatever an earlier attempt left. */
static int end_plan(struct up_files *f, struct up_error *err)
{
    return up_files_undo(f, err) < 0 ? err->code : up_files_sweep(f, false, err);
}

/* A plan to its end and back. What one attempt leaves, the next ends first. */
static int change_tree(const struct scratch *s, struct up_error *err)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "there", .mode = 0644, .size = 3},
                               {.kind = UP_FILES_DELETE, .dir = "", .name = "gone"}};
    struct up_files_plan plan = {.id = {1}, .root_count = 1, .op = op, .op_count = 2};
    const struct up_files_source source = {NULL, give_content, NULL};
    struct up_files files;
    char root[512], gone[512];
    int rc;

    plan.root[0].path = scratch_path(s, "root", root);
    if (access(root, F_OK) < 0) { /* the first time, when nothing fails */
        assert_int_equal(mkdir(root, 0755), 0);
        assert_int_equal(mkdir(scratch_path(s, "root/gone", gone), 0755), 0);
        scratch_write(s, "root/there", "old", 3);
        scratch_write(s, "root/gone/file", "old", 3);
    }
    up_sha256("xxx", 3, op[0].digest);
    if (up_files_open(&files, s->storage, s->dir, err) < 0)
        return err->code;
    rc = end_plan(&files, err);
    if (rc == 0)
        rc = up_files_begin(&files, &plan, err);
    if (rc == 0)
        rc = up_files_fill(&files, &source, err);
    if (rc == 0)
        rc = up_files_switch(&files, err);
    if (rc == 0)
        rc = end_plan(&files, err);
    up_files_close(&files);
    return rc;
}

/* A redundant environment of two files; what was set reads back. */
static int set_boot_variables(const struct scratch *s, struct up_error *err)
{
    struct up_boot_variable v = {.name = "BOOT_ORDER", .value = "b a"};
    char config[512], text[1200];
    int rc;

    scratch_path(s, "fw_env.config", config);
    if (access(config, F_OK) < 0) { /* the first time, when nothing fails */
        uint8_t copy[4096] = {[5] = 'x', '=', 'y'};
        uint32_t crc = (uint32_t)crc32(0, copy + 5, sizeof copy - 5);

        memcpy(copy, &crc, sizeof crc);
        scratch_write(s, "env0", copy, sizeof copy);
        scratch_write(s, "env1", copy, sizeof copy);
        snprintf(text, sizeof text, "%s/env0 0 0x1000\n%s/env1 0 0x1000\n", s->dir, s->dir);
        scratch_write(s, "fw_env.config", text, strlen(text));
    }
    rc = s->storage->ops->boot_set(s->storage, config, &v, 1);
    v.value[0] = '\0';
    if (rc == 0)
        rc = s->storage->ops->boot_get(s->storage, config, &v, 1);
    if (rc < 0)
        return up_fail(err, UP_WRITE, "boot variables: %s", strerror(errno));
    assert_string_equal(v.value, "b a");
    return 0;
}

static void fail_each(const struct scratch *s, const char *what, attempt_fn *attempt)
{
    struct up_error err = {.code = UP_OK};
    bool met = true;

    must(attempt(s, &err), &err); /* and what is made once for all is made */
    for (unsigned long n = 1; met; n++) {
        unsigned before = open_descriptors();
        int rc;

        err = (struct up_error){.code = UP_OK};
        failing_start(n);
        rc = attempt(s, &err);
        met = failing_stop() >= n;
        if (rc != 0 && (!met || rc != err.code || !err.message[0]))
            fail_msg("%s, call %lu failed: %d, '%s'", what, n, rc, err.message);
        if (failing_live() > 0)
            fail_msg("%s, call %lu failed: %zu blocks leaked", what, n, failing_live());
        if (open_descriptors() != before)
            fail_msg("%s, call %lu failed: descriptors were left open", what, n);
        failed_calls++;
    }
}

static void any_call_below_may_fail(void **state)
{
    static const struct {
        const char *what;
        attempt_fn *attempt;
    } cases[] = {
        {"channel", talk},
        {"channel, stale", talk_over_stale},
        {"child", raise_child},
        {"policy", ask_policy},
        {"policy from nowhere", ask_policy_from_nowhere},
        {"loop", wait_once},
        {"loop with many", wait_for_many},
        {"fetch", fetch_once},
        {"source", read_object},
        {"url", follow_links},
        {"http_listen elsewhere", listen_elsewhere},
        {"http_listen", listen_once},
        {"signals", watch_signals},
        {"notify", tell_the_manager},
        {"folder", read_folder},
        {"mqtt", stay_connected},
        {"files", keep_files},
        {"history", keep_history},
        {"secret", read_secret},
        {"cloud record", keep_record},
        {"block mac", keep_mac},
        {"boot", ask_loader},
        {"table", use_table},
        {"boot variables", set_boot_variables},
        {"tree", change_tree},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fail_each(*state, cases[i].what, cases[i].attempt);
    failing_error(EINTR); /* interrupted: done again, or said */
    fail_each(*state, "channel, interrupted", talk);
    fail_each(*state, "child, interrupted", raise_child);
    fail_each(*state, "policy, interrupted", ask_policy);
    fail_each(*state, "boot variables, interrupted", set_boot_variables);
    failing_error(EAGAIN); /* not yet */
    fail_each(*state, "channel, later", talk);
    failing_error(ECONNABORTED); /* one that came is gone already */
    fail_each(*state, "channel, aborted", talk);
    failing_error(EADDRINUSE); /* by one that was faster */
    fail_each(*state, "channel, in use", talk_over_stale);
    failing_error(0);
    print_message("fail-nth-call: %lu system calls and allocations failed, 0 bad\n", failed_calls);
}

/* What one call to the table does, on an open file of 4096 bytes. */
typedef int step_fn(const struct scratch *s, int file);

static int reopen(const struct scratch *s, int file)
{
    char path[512];
    int again = s->storage->ops->open(s->storage, scratch_path(s, "steps", path), UP_READ, 0);

    (void)file;
    return again < 0 ? -1 : s->storage->ops->close(s->storage, again);
}

static int write_some(const struct scratch *s, int file)
{
    return s->storage->ops->pwrite(s->storage, file, "text", 4, 100);
}

static int read_some(const struct scratch *s, int file)
{
    char buf[8];

    return s->storage->ops->pread(s->storage, file, buf, sizeof buf, 4092) == 4 ? 0 : -1;
}

static int zero_some(const struct scratch *s, int file)
{
    char buf[200];
    int rc = s->storage->ops->zero_range(s->storage, file, 50, 100);

    if (rc == 0 && s->storage->ops->pread(s->storage, file, buf, sizeof buf, 0) == sizeof buf)
        for (int i = 50; i < 150; i++)
            rc = buf[i] ? -1 : rc;
    return rc;
}

static int shorten(const struct scratch *s, int file)
{
    return s->storage->ops->truncate(s->storage, file, 4096);
}

static int lock_it(const struct scratch *s, int file)
{
    return s->storage->ops->lock(s->storage, file);
}

static int sync_it(const struct scratch *s, int file)
{
    return s->storage->ops->sync(s->storage, file);
}

static int sync_its_folder(const struct scratch *s, int file)
{
    (void)file;
    return s->storage->ops->sync_dir(s->storage, s->dir);
}

static int drop_it(const struct scratch *s, int file)
{
    return s->storage->ops->drop_cache(s->storage, file, 0, 4096);
}

static int start_it(const struct scratch *s, int file)
{
    return s->storage->ops->start_writeback(s->storage, file, 0, 4096);
}

static int ask_space(const struct scratch *s, int file)
{
    uint64_t room;

    (void)file;
    return s->storage->ops->space(s->storage, s->dir, &room);
}

static int ask_chance(const struct scratch *s, int file)
{
    char buf[64];

    (void)file;
    return s->storage->ops->random(s->storage, buf, sizeof buf);
}

static int ask_boot(const struct scratch *s, int file)
{
    char boot[37];

    (void)file;
    return s->storage->ops->boot_id(s->storage, boot);
}

/* Each of the first `most` calls of the system under a step fails once with
 * `error`, and that is made good. */
static void made_good(const struct scratch *s, int error, const char *what, step_fn *step, unsigned long most)
{
    char path[512];
    int file = s->storage->ops->open(s->storage, scratch_path(s, "steps", path), UP_CREATE, 0644);
    bool met = true;

    assert_true(file >= 0);
    assert_int_equal(s->storage->ops->truncate(s->storage, file, 4096), 0);
    for (unsigned long n = 1; met && n <= most; n++) {
        int rc;

        failing_error(error);
        failing_start(n);
        rc = step(s, file);
        met = failing_stop() >= n;
        failing_error(0);
        if (rc < 0)
            fail_msg("%s, call %lu failed with %s: %s", what, n, strerror(error), strerror(errno));
    }
    s->storage->ops->close(s->storage, file);
}

static void what_was_interrupted_is_done_again(void **state)
{
    static const struct {
        const char *what;
        step_fn *step;
    } steps[] = {
        {"open", reopen},          {"pwrite", write_some},        {"pread", read_some},
        {"zero_range", zero_some}, {"truncate", shorten},         {"lock", lock_it},
        {"sync", sync_it},         {"sync_dir", sync_its_folder}, {"writeback", start_it},
        {"space", ask_space},      {"random", ask_chance},        {"boot_id", ask_boot},
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        made_good(*state, EINTR, steps[i].what, steps[i].step, ULONG_MAX);
    made_good(*state, EINTR, "drop_cache", drop_it, 1); /* nothing interrupts what is only advice */
}

/* File systems without a cache, or that punch no zeros. */
static void what_a_file_system_lacks_is_done_without(void **state)
{
    static const int errors[] = {EOPNOTSUPP, EINVAL, ENOSYS, ESPIPE};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        made_good(*state, errors[i], "drop_cache", drop_it, ULONG_MAX);
        made_good(*state, errors[i], "writeback", start_it, ULONG_MAX);
    }
}

static void zeros_are_written_where_they_cannot_be_asked_for(void **state)
{
    static const int errors[] = {EOPNOTSUPP, EINVAL, ENOSYS, EBUSY};
    const struct scratch *s = *state;
    char path[512], ones[200];

    memset(ones, 1, sizeof ones);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int file = s->storage->ops->open(s->storage, scratch_path(s, "zeros", path), UP_CREATE, 0644);

        assert_int_equal(s->storage->ops->pwrite(s->storage, file, ones, sizeof ones, 0), 0);
        failing_error(errors[i]);
        failing_start(1);
        assert_int_equal(zero_some(s, file), 0);
        assert_true(failing_stop() >= 1);
        failing_error(EIO);
        failing_start(1);
        assert_int_equal(zero_some(s, file), -1);
        failing_stop();
        failing_error(0);
        s->storage->ops->close(s->storage, file);
    }
}

static void a_write_that_takes_less_goes_on(void **state)
{
    const struct scratch *s = *state;
    const struct up_storage_ops *ops = s->storage->ops;
    char path[512], back[9] = "";
    int file = ops->open(s->storage, scratch_path(s, "short", path), UP_CREATE, 0600);

    assert_true(file >= 0);
    failing_take(3);
    assert_int_equal(ops->pwrite(s->storage, file, "abcdefgh", 8, 0), 0);
    failing_take(0); /* nothing more, and no word why */
    errno = 0;
    assert_int_equal(ops->pwrite(s->storage, file, "ijkl", 4, 8), -1);
    assert_int_equal(errno, ENOSPC);
    failing_take(SIZE_MAX);
    assert_int_equal(ops->pread(s->storage, file, back, sizeof back, 0), 8);
    assert_string_equal(back, "abcdefgh");
    ops->close(s->storage, file);
}

/* What the kernel is asked for: the most of it, so that a file or a device of
 * somebody else's is told apart. */
static void files_are_opened_as_asked(void **state)
{
    static const struct {
        unsigned flags;
        int how;
    } cases[] = {
        {UP_READ, O_RDONLY},
        {UP_UPDATE, O_RDWR},
        {UP_UPDATE | UP_EXCLUSIVE, O_RDWR | O_EXCL},
        {UP_CREATE, O_RDWR | O_CREAT},
        {UP_WRITE_ONLY_NEW, O_RDWR | O_CREAT | O_EXCL},
    };
    struct scratch *s = *state;
    char path[512];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int file = s->storage->ops->open(s->storage, scratch_path(s, "opened", path), cases[i].flags, 0600);

        assert_int_equal(failing_open_flags() & (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC), cases[i].how);
        assert_true(failing_open_flags() & O_CLOEXEC);
        if (file >= 0)
            s->storage->ops->close(s->storage, file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_call_below_may_fail, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(a_wait_has_its_limits),
        cmocka_unit_test_setup_teardown(a_write_that_takes_less_goes_on, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(files_are_opened_as_asked, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(what_was_interrupted_is_done_again, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(what_a_file_system_lacks_is_done_without, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(zeros_are_written_where_they_cannot_be_asked_for, scratch_set_up,
                                        scratch_tear_down),
    };

    signal(SIGPIPE, SIG_IGN); /* as the host does */
    up_log("calls: the log is opened with its first line, once for all");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
