/*
 * sandbox_lock_check.c -- the walls around the policy process, on a kernel that
 * the check plays: in which order they go up, what a kernel may lack, and that
 * one which does not stand is said, with nothing done behind it.
 *
 * Nothing is really given up. That the walls hold is sandbox_spec.lua's matter.
 */
#include "sandbox_lock.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "asked.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#endif
#ifndef SANITIZER
#define SANITIZER 0
#endif

/* The kernel; what it was asked for is in `asked`. */
static struct {
    bool on;
    uid_t euid;
    int null;      /* descriptor that /dev/null gets; below 0: it cannot be opened */
    long open_max; /* _SC_OPEN_MAX */
    int closed;    /* last */
    bool close_range;
    const char *statm; /* NULL: no /proc */
    rlim_t most;       /* the hard limit of everything */
    bool no_limits;    /* getrlimit fails */
    bool root_comes_back;
    long landlock; /* its ABI; below 0: not there */
    unsigned seccomp;
    unsigned rules, rule_refused;
    /* What mmap() may be asked for, the rules of it; and whether anything may
     * change what memory is later. */
    struct scmp_arg_cmp map[8];
    unsigned maps;
    bool protect;
} kernel;

static void boot(void)
{
    memset(&kernel, 0, sizeof kernel);
    memset(&asked, 0, sizeof asked);
    kernel.null = 7;
    kernel.open_max = 1024;
    kernel.close_range = true;
    kernel.statm = "100 50 25 10 0 40 0\n";
    kernel.most = RLIM_INFINITY;
    kernel.landlock = 6;
    kernel.seccomp = 6;
}

#define REAL(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

REAL(int, open, (const char *path, int flags, ...))
{
    va_list more;
    unsigned mode;

    va_start(more, flags);
    mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    if (!kernel.on)
        return __real_open(path, flags, mode);
    errno = ENOENT;
    return ask("open %s", path) < 0 ? -1 : kernel.null;
}

REAL(int, dup2, (int from, int to))
{
    if (!kernel.on)
        return __real_dup2(from, to);
    return ask("dup2 %d %d", from, to) < 0 ? -1 : to;
}

REAL(int, close, (int fd))
{
    if (!kernel.on)
        return __real_close(fd);
    kernel.closed = fd;
    return fd < 16 ? ask("close %d", fd) : 0;
}

REAL(long, sysconf, (int name))
{
    if (kernel.on && name == _SC_OPEN_MAX)
        return kernel.open_max;
    return kernel.on && name == _SC_PAGESIZE ? 4096 : __real_sysconf(name);
}

REAL(FILE *, fopen, (const char *path, const char *mode))
{
    if (!kernel.on)
        return __real_fopen(path, mode);
    return kernel.statm ? fmemopen((void *)(uintptr_t)kernel.statm, strlen(kernel.statm), "r") : NULL;
}

REAL(int, getrlimit, (__rlimit_resource_t what, struct rlimit *limit))
{
    if (!kernel.on)
        return __real_getrlimit(what, limit);
    limit->rlim_cur = limit->rlim_max = kernel.most;
    return kernel.no_limits ? -1 : 0;
}

REAL(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit))
{
    if (!kernel.on)
        return __real_setrlimit(what, limit);
    assert_true(limit->rlim_cur == limit->rlim_max);
    return ask("limit %d %llu", (int)what, (unsigned long long)limit->rlim_max);
}

REAL(uid_t, geteuid, (void))
{
    return kernel.on ? kernel.euid : __real_geteuid();
}

REAL(struct passwd *, getpwnam, (const char *name))
{
    static struct passwd somebody = {.pw_uid = 65534, .pw_gid = 65533}, root;

    if (!kernel.on)
        return __real_getpwnam(name);
    if (strcmp(name, "somebody") == 0)
        return &somebody;
    return strcmp(name, "root") == 0 ? &root : NULL;
}

REAL(int, setgroups, (size_t count, const gid_t *list))
{
    return kernel.on ? ask("groups %zu", count) : __real_setgroups(count, list);
}

REAL(int, setresgid, (gid_t real, gid_t effective, gid_t saved))
{
    return kernel.on ? ask("gid %u %u %u", real, effective, saved) : __real_setresgid(real, effective, saved);
}

REAL(int, setresuid, (uid_t real, uid_t effective, uid_t saved))
{
    return kernel.on ? ask("uid %u %u %u", real, effective, saved) : __real_setresuid(real, effective, saved);
}

REAL(int, setuid, (uid_t uid))
{
    if (!kernel.on)
        return __real_setuid(uid);
    (void)ask("try uid %u", uid);
    return kernel.root_comes_back ? 0 : -1;
}

REAL(int, prctl, (int what, ...))
{
    va_list more;
    unsigned long value;

    va_start(more, what);
    value = va_arg(more, unsigned long);
    va_end(more);
    if (!kernel.on)
        return __real_prctl(what, value, 0UL, 0UL, 0UL);
    if (what == PR_SET_NO_NEW_PRIVS)
        return ask("no new privileges %lu", value);
    return what == PR_SET_DUMPABLE ? ask("dumpable %lu", value) : ask("prctl %d", what);
}

static long landlock(const uint64_t *attr, size_t size)
{
    char text[128] = "";

    if (!attr && kernel.landlock < 0)
        errno = ENOSYS;
    if (!attr)
        return kernel.landlock;
    for (size_t i = 0; i < size / sizeof *attr; i++)
        sprintf(text + strlen(text), " %llx", (unsigned long long)attr[i]);
    return ask("rules%s", text) < 0 ? -1 : 9;
}

REAL(long, syscall, (long number, ...))
{
    va_list more;
    long a[6];

    va_start(more, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(more, long);
    va_end(more);
    if (!kernel.on)
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    switch (number) {
    case SYS_close_range:
        return kernel.close_range ? ask("close from %u", (unsigned)a[0]) : -1;
    case SYS_landlock_create_ruleset:
        return landlock((const uint64_t *)(uintptr_t)a[0], (size_t)a[1]);
    case SYS_landlock_restrict_self:
        return ask("restrict %d", (int)a[0]);
    default:
        return ask("syscall %ld", number);
    }
}

REAL(unsigned, seccomp_api_get, (void))
{
    return kernel.seccomp;
}

REAL(scmp_filter_ctx, seccomp_init, (uint32_t action))
{
    return ask("filter %s", action == SCMP_ACT_KILL_PROCESS ? "process" : "thread") < 0
               ? NULL
               : __real_seccomp_init(action);
}

REAL(int, seccomp_rule_add_array,
     (scmp_filter_ctx filter, uint32_t action, int number, unsigned count, const struct scmp_arg_cmp *args))
{
    if (number == SCMP_SYS(mmap) && action == SCMP_ACT_ALLOW) {
        assert_true(count <= sizeof kernel.map / sizeof *kernel.map);
        memcpy(kernel.map, args, count * sizeof *args);
        kernel.maps = count;
    }
    kernel.protect = kernel.protect || number == SCMP_SYS(mprotect);
    return ++kernel.rules == kernel.rule_refused
               ? -EPERM
               : __real_seccomp_rule_add_array(filter, action, number, count, args);
}

REAL(int, seccomp_load, (scmp_filter_ctx filter))
{
    (void)filter;
    return ask("load") < 0 ? -EPERM : 0;
}

static struct up_error err;

static int lock(const char *user)
{
    int rc;

    kernel.on = true;
    rc = up_sandbox_lock(user, &err);
    kernel.on = false;
    return rc;
}

static bool told(const char *lines)
{
    return strstr(asked.lines, lines) != NULL;
}

static void must_refuse(const char *user, int code, const char *part)
{
    int rc = lock(user);

    if (rc != code || rc != err.code || !strstr(err.message, part))
        fail_msg("%d (%s) and not %s; told:\n%s", rc, rc < 0 ? err.message : "", part, asked.lines);
}

static void the_walls_go_up_in_this_order(void **state)
{
    (void)state;
    boot();
    assert_int_equal(lock("somebody"), 0);
    /* Landlock before the limits, which forbid its descriptor; the filter last,
     * since it forbids all of this. */
    if (!SANITIZER)
        assert_string_equal(asked.lines, "open /dev/null\ndup2 7 2\nclose 7\nclose from 3\n"
                                         "groups 0\ngid 65533 65533 65533\nuid 65534 65534 65534\ntry uid 0\n"
                                         "no new privileges 1\ndumpable 0\n"
                                         "rules ffff 3 3\nrestrict 9\nclose 9\n"
                                         "limit 0 2\nlimit 4 0\nlimit 1 0\nlimit 7 0\nlimit 6 0\n"
                                         "limit 9 25575424\nlimit 2 25165824\n"
                                         "filter process\nload\n");
}

static void whoever_is_no_root_stays_who_he_is(void **state)
{
    (void)state;
    boot();
    kernel.euid = 1000;
    assert_int_equal(lock("somebody"), 0);
    assert_true(!told("uid") && told("no new privileges 1\n") && told("restrict 9\n"));
    boot();
    assert_int_equal(lock(NULL), 0);
    assert_true(!told("uid") && told("no new privileges 1\n") && told("restrict 9\n"));
}

static void a_user_who_is_none_is_refused_at_once(void **state)
{
    (void)state;
    boot();
    must_refuse("nobody there", UP_USAGE, "no user nobody there");
    must_refuse("root", UP_USAGE, "user root is root");
    assert_string_equal(asked.lines, "");
}

static void a_wall_that_does_not_stand_is_said_and_the_last_thing_done(void **state)
{
    static const struct {
        const char *call, *said;
        bool sanitized; /* also in a sanitizer build */
    } walls[] = {
        {"dup2 7 2", "descriptor 2", true},
        {"groups", "give up root", true},
        {"gid", "give up root", true},
        {"uid", "give up root", true},
        {"no new privileges", "no new privileges", true},
        {"dumpable", "no dumps", true},
        {"rules", "Landlock rules", true},
        {"restrict", "Landlock", true},
        {"limit 0 ", "RLIMIT_CPU", true},
        {"limit 4 ", "RLIMIT_CORE", true},
        {"limit 1 ", "RLIMIT_FSIZE", true},
        {"limit 7 ", "RLIMIT_NOFILE", true},
        {"limit 6 ", "RLIMIT_NPROC", true},
        {"limit 9 ", "RLIMIT_AS", false},
        {"limit 2 ", "RLIMIT_DATA", false},
        {"load", "system call filter", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
        const char *last;

        if (SANITIZER && !walls[i].sanitized)
            continue;
        boot();
        asked.refused = walls[i].call;
        must_refuse("somebody", UP_INTERNAL, walls[i].said);
        assert_non_null(strstr(err.message, "not permitted"));
        last = strrchr(asked.lines, '\n');
        assert_int_equal(strncmp(last ? last + 1 : asked.lines, walls[i].call, strlen(walls[i].call)), 0);
    }
}

static void root_must_not_come_back(void **state)
{
    (void)state;
    boot();
    kernel.root_comes_back = true;
    must_refuse("somebody", UP_INTERNAL, "root can be regained");
    assert_false(told("no new privileges"));
}

static void a_filter_with_a_rule_missing_is_never_loaded(void **state)
{
    unsigned rules;

    (void)state;
    if (SANITIZER)
        skip();
    boot();
    assert_int_equal(lock(NULL), 0);
    rules = kernel.rules;
    assert_true(rules > 10);
    for (unsigned n = 1; n <= rules; n++) {
        boot();
        kernel.rule_refused = n;
        must_refuse(NULL, UP_INTERNAL, "system call filter");
        assert_false(told("load"));
    }
    boot();
    asked.refused = "filter";
    must_refuse(NULL, UP_INTERNAL, "Cannot allocate");
    boot();
    kernel.seccomp = 2; /* an older kernel ends the thread, which is the only one */
    assert_int_equal(lock(NULL), 0);
    assert_true(told("filter thread\nload\n"));
}

/* As the filter compares. */
static bool may_map(int protection, int flags)
{
    const uint64_t argument[6] = {0, 4096, (uint64_t)protection, (uint64_t)flags, 0, 0};

    for (unsigned i = 0; i < kernel.maps; i++) {
        const struct scmp_arg_cmp *c = &kernel.map[i];

        assert_int_equal(c->op, SCMP_CMP_MASKED_EQ);
        if ((argument[c->arg] & c->datum_a) != c->datum_b)
            return false;
    }
    return kernel.maps > 0;
}

static void memory_is_neither_code_nor_a_file(void **state)
{
    (void)state;
    if (SANITIZER)
        skip(); /* it has no filter */
    boot();
    assert_int_equal(lock(NULL), 0);
    assert_true(may_map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
    assert_true(may_map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
    assert_false(may_map(PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS));
    assert_false(may_map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS));
    assert_false(may_map(PROT_READ, MAP_PRIVATE));
    assert_false(may_map(PROT_READ, MAP_SHARED));
    assert_false(kernel.protect);
}

static void each_kernel_is_asked_for_the_rights_it_knows(void **state)
{
    static const struct {
        long abi;
        const char *rules;
    } kernels[] = {
        {1, "rules 1fff\nrestrict 9\n"},   {2, "rules 3fff\nrestrict 9\n"},
        {3, "rules 7fff\nrestrict 9\n"},   {4, "rules 7fff 3\nrestrict 9\n"},
        {5, "rules ffff 3\nrestrict 9\n"}, {7, "rules ffff 3 3\nrestrict 9\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        boot();
        kernel.landlock = kernels[i].abi;
        assert_int_equal(lock(NULL), 0);
        assert_true(told(kernels[i].rules));
    }
    boot();
    kernel.landlock = -1; /* none: the other walls stand alone */
    assert_int_equal(lock(NULL), 0);
    assert_false(told("rules") || told("restrict"));
    assert_true(told("dumpable 0\nlimit 0 2\n"));
}

static void descriptors_are_closed_one_by_one_where_they_must_be(void **state)
{
    static const struct {
        long most;
        int last;
    } cases[] = {{16, 15}, {-1, 65535}, {0, 65535}, {1L << 30, 65535}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        boot();
        kernel.close_range = false;
        kernel.landlock = -1;
        kernel.open_max = cases[i].most;
        assert_int_equal(lock(NULL), 0);
        assert_true(told("\nclose 3\nclose 4\nclose 5\n"));
        assert_int_equal(kernel.closed, cases[i].last);
    }
}

static void messages_go_nowhere_even_without_a_null_device(void **state)
{
    (void)state;
    boot();
    kernel.null = -1;
    assert_int_equal(lock(NULL), 0);
    assert_true(told("open /dev/null\nclose 2\nclose from 3\n"));
    boot();
    kernel.null = 2; /* it was closed already */
    assert_int_equal(lock(NULL), 0);
    assert_true(told("open /dev/null\ndup2 2 2\nclose from 3\n"));
}

static void a_lower_limit_stays_and_an_unknown_one_is_set(void **state)
{
    (void)state;
    boot();
    kernel.most = 1;
    assert_int_equal(lock(NULL), 0);
    assert_true(told("limit 0 1\nlimit 4 0\n"));
    assert_true(SANITIZER || told("limit 2 1\n"));
    boot();
    kernel.most = 1;
    kernel.no_limits = true;
    assert_int_equal(lock(NULL), 0);
    assert_true(told("limit 0 2\n"));
}

/* What is mapped is not known: a limit would be a guess. */
static void without_proc_the_address_space_is_not_limited(void **state)
{
    static const char *const tables[] = {NULL, "?\n"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        boot();
        kernel.statm = tables[i];
        assert_int_equal(lock(NULL), 0);
        assert_false(told("limit 9 "));
        assert_true(SANITIZER || told("limit 2 25165824\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walls_go_up_in_this_order),
        cmocka_unit_test(whoever_is_no_root_stays_who_he_is),
        cmocka_unit_test(a_user_who_is_none_is_refused_at_once),
        cmocka_unit_test(a_wall_that_does_not_stand_is_said_and_the_last_thing_done),
        cmocka_unit_test(root_must_not_come_back),
        cmocka_unit_test(a_filter_with_a_rule_missing_is_never_loaded),
        cmocka_unit_test(memory_is_neither_code_nor_a_file),
        cmocka_unit_test(each_kernel_is_asked_for_the_rights_it_knows),
        cmocka_unit_test(descriptors_are_closed_one_by_one_where_they_must_be),
        cmocka_unit_test(messages_go_nowhere_even_without_a_null_device),
        cmocka_unit_test(a_lower_limit_stays_and_an_unknown_one_is_set),
        cmocka_unit_test(without_proc_the_address_space_is_not_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
