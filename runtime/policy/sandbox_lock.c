/*
 * sandbox_lock.c -- give up every right that is not needed for answering a
 * question.
 *
 * Several independent barriers, so that a hole in one (or a kernel without it)
 * is not a hole in the sandbox: no descriptors, no user's rights, limited
 * memory, no files (Landlock), no system calls (seccomp).
 */
#include "sandbox_lock.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* AddressSanitizer maps terabytes for its shadow memory and makes system calls
 * of its own, so a sanitizer build has neither memory limits nor the system
 * call filter. It tests the code; the Release build is what is shipped. */
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

static int fail(struct up_error *err, const char *what)
{
    return up_fail(err, UP_INTERNAL, "policy process: %s: %s", what, strerror(errno));
}

/* Close whatever the caller had open, also what it forgot to mark close-on-exec. */
static int close_descriptors(struct up_error *err)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    /* Nobody reads the output of a policy process except its answer. */
    if (null < 0)
        close(2);
    else if (dup2(null, 2) < 0)
        return fail(err, "descriptor 2");
    if (null > 2)
        close(null);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return 0;
#endif
    for (long fd = 3, end = sysconf(_SC_OPEN_MAX); fd < (end < 3 || end > 65536 ? 65536 : end); fd++)
        close((int)fd);
    return 0;
}

static int set_limit(int what, uint64_t value, const char *name, struct up_error *err)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};
    struct rlimit now;

    /* A limit that is already lower stays. */
    if (getrlimit((unsigned)what, &now) == 0 && now.rlim_max < limit.rlim_max)
        limit.rlim_cur = limit.rlim_max = now.rlim_max;
    if (setrlimit((unsigned)what, &limit) < 0)
        return fail(err, name);
    return 0;
}

/* Bytes of address space in use; 0 if /proc is missing. */
static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int set_limits(uint64_t mapped, unsigned seconds, struct up_error *err)
{
    /* NOFILE 0 forbids new descriptors and leaves 0 and 1 open. */
    const struct {
        int what;
        uint64_t value;
        const char *name;
    } limits[] = {
        {RLIMIT_CPU, seconds, "RLIMIT_CPU"}, {RLIMIT_CORE, 0, "RLIMIT_CORE"},
        {RLIMIT_FSIZE, 0, "RLIMIT_FSIZE"},   {RLIMIT_NOFILE, 0, "RLIMIT_NOFILE"},
        {RLIMIT_NPROC, 0, "RLIMIT_NPROC"},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof limits / sizeof *limits; i++)
        rc = set_limit(limits[i].what, limits[i].value, limits[i].name, err);
    if (rc == 0 && mapped && !SANITIZER)
        rc = set_limit(RLIMIT_AS, mapped + UP_SANDBOX_DATA_MAX, "RLIMIT_AS", err);
    if (rc == 0 && !SANITIZER)
        rc = set_limit(RLIMIT_DATA, UP_SANDBOX_DATA_MAX, "RLIMIT_DATA", err);
    return rc;
}

static int find_user(const char *user, uid_t *uid, gid_t *gid, struct up_error *err)
{
    const struct passwd *pw;

    errno = 0;
    pw = getpwnam(user);
    if (!pw)
        return up_fail(err, UP_USAGE, "policy process: this system has no user %s", user);
    if (pw->pw_uid == 0)
        return up_fail(err, UP_USAGE, "policy process: user %s is root", user);
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return 0;
}

static int become(uid_t uid, gid_t gid, struct up_error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return fail(err, "give up root");
    if (setuid(0) == 0)
        return up_fail(err, UP_INTERNAL, "policy process: root can be regained");
    return 0;
}

/* The kernel's structure as far as we know it. Its size depends on the kernel's
 * version, so it is passed along. */
struct landlock_attr {
    uint64_t fs, net, scoped;
};

/* Handle every right and grant none. Where Landlock is missing or not enabled,
 * the other barriers remain. */
static int refuse_files(struct up_error *err)
{
#ifdef SYS_landlock_create_ruleset
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1U);
    struct landlock_attr attr = {0, 0, 0};
    /* By ABI version, from 1: the rights for files, and how much of attr it knows. */
    static const unsigned char rights[] = {13, 14, 15, 15, 16, 16}, known[] = {8, 8, 8, 16, 16, 24};
    size_t newest = sizeof known - 1, version, size;
    int fd;

    if (abi < 1)
        return 0;
    version = (size_t)abi - 1 < newest ? (size_t)abi - 1 : newest;
    size = known[version];
    attr.fs = (UINT64_C(1) << rights[version]) - 1;
    attr.net = abi >= 4 ? 3 : 0;
    attr.scoped = abi >= 6 ? 3 : 0;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0U);
    if (fd < 0)
        return fail(err, "Landlock rules");
    if (syscall(SYS_landlock_restrict_self, fd, 0U) < 0)
        return fail(err, "Landlock");
    close(fd);
#else
    (void)err;
#endif
    return 0;
}

/* By name, since not every architecture has all of them. */
static const char *const allowed[] = {
    "exit_group",      "exit",      "brk",           "munmap",    "mremap",
    "madvise",         "futex",     "clock_gettime", "time",      "gettimeofday",
    "clock_gettime64", "getrandom", "rt_sigreturn",  "sigreturn", "restart_syscall",
};

static int allow(scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
    int number = seccomp_syscall_resolve_name(name);

    return number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, args);
}

static int refuse_calls(struct up_error *err)
{
    const struct scmp_arg_cmp from = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 0};
    const struct scmp_arg_cmp to = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 1};
    /* Memory may be mapped, but never executable and never from a file. */
    const struct scmp_arg_cmp memory[] = {
        {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0},
        {.arg = 3, .op = SCMP_CMP_MASKED_EQ, .datum_a = MAP_ANONYMOUS, .datum_b = MAP_ANONYMOUS},
    };
    scmp_filter_ctx filter = seccomp_init(seccomp_api_get() >= 3 ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_KILL);
    int rc = filter ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof allowed / sizeof *allowed; i++)
        rc = allow(filter, allowed[i], 0, NULL);
    if (rc == 0)
        rc = allow(filter, "read", 1, &from);
    if (rc == 0)
        rc = allow(filter, "pread64", 1, &from);
    if (rc == 0)
        rc = allow(filter, "write", 1, &to);
    if (rc == 0)
        rc = allow(filter, "mmap", 2, memory);
    if (rc == 0)
        rc = allow(filter, "mmap2", 2, memory);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc == 0)
        return 0;
    errno = -rc;
    return fail(err, "system call filter");
}

int up_sandbox_lock(const char *user, struct up_error *err)
{
    return up_sandbox_lock_for(user, 2, err);
}

int up_sandbox_lock_for(const char *user, unsigned seconds, struct up_error *err)
{
    bool root = geteuid() == 0 && user;
    uint64_t mapped = address_space();
    uid_t uid = 0;
    gid_t gid = 0;
    int rc = root ? find_user(user, &uid, &gid, err) : 0;

    if (rc == 0)
        rc = close_descriptors(err);
    if (rc == 0 && root)
        rc = become(uid, gid, err);
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        rc = fail(err, "no new privileges");
    if (rc == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        rc = fail(err, "no dumps");
    if (rc == 0)
        rc = refuse_files(err);
    if (rc == 0)
        rc = set_limits(mapped, seconds, err);
    if (rc == 0 && !SANITIZER)
        rc = refuse_calls(err);
    return rc;
}
