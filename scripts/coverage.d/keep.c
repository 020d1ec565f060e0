/*
 * keep.c -- counters of processes that do not end by exit().
 *
 * Linked into the host of a coverage build only, by the linker's --wrap. Before
 * a process becomes another program or leaves by _exit(), its counters are
 * written. The policy process gives up the right to open files, and may be
 * killed; its counters go into memory shared with a helper that it leaves
 * behind before it gives up anything, and that writes them when it is gone.
 * What is measured is the code as it ships, with every wall up.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct up_error;

/* The counters lie here, among all that is zero at the start. */
extern char __bss_start[], _end[]; /* the linker's */

void __gcov_dump(void); /* libgcov's */
void __gcov_reset(void);

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
int __real_execv(const char *path, char *const argv[]);
int __wrap_execv(const char *path, char *const argv[]);
int __real_up_sandbox_lock(const char *user, struct up_error *err);
int __wrap_up_sandbox_lock(const char *user, struct up_error *err);

static bool helped; /* a helper writes the counters of this process */

_Noreturn void __wrap__exit(int status)
{
    if (!helped)
        __gcov_dump();
    __real__exit(status);
}

int __wrap_execv(const char *path, char *const argv[])
{
    __gcov_dump();
    __gcov_reset(); /* should it return, it goes on counting */
    return __real_execv(path, argv);
}

/* Give the pages of the counters to this process and its children in common. */
static bool share_counters(void)
{
    static char copy[4 << 20] __attribute__((section(".data.copy")));
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)__bss_start / page * page;
    size_t len = ((uintptr_t)_end + page - 1) / page * page - from;

    if (len > sizeof copy)
        return false;
    memcpy(copy, (void *)from, len);
    if (mmap((void *)from, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        return false;
    memcpy((void *)from, copy, len);
    return true;
}

int __wrap_up_sandbox_lock(const char *user, struct up_error *err)
{
    int parent = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (parent >= 0 && share_counters()) {
        pid_t helper = _Fork();

        if (helper == 0) {
            struct pollfd gone = {.fd = parent, .events = POLLIN};

            close(0);
            close(1);
            close(2);
            poll(&gone, 1, 60000);
            __gcov_dump();
            __real__exit(0);
        }
        helped = helper > 0;
    }
    return __real_up_sandbox_lock(user, err);
}
