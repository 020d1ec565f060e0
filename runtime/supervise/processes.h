/*
 * processes.h -- the second interface to the operating system: programs that we
 * start, the links to them, and the signals that tell us to stop.
 *
 * Storage and clocks are in storage.h. The supervisor and its children go
 * through here, so that a test can play both in one process. A link is one end
 * of a connected stream, identified by a number; in the system's table that is
 * a descriptor (processes_system.c). Only wait() waits, and reap() not long.
 *
 * All calls return -1 with errno set on failure, unless they say otherwise.
 */
#ifndef UP_PROCESSES_H
#define UP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "orphans.h"

struct up_processes;

/* One link for wait(). */
struct up_link_watch {
    int link;   /* below 0: none */
    bool write; /* also wait until it is writable, not only until there is something to read */
};

struct up_processes_ops {
    /* Start a program; argv[0] is its path, NULL ends the array. It leads a
     * process group of its own and dies when we do. Its descriptors are 0
     * (/dev/null), 1 and 2 (pipes, copied to ours, or dropped if nobody reads
     * that), 3, the link whose other end is *link, which the caller closes, and
     * 4, its page of waits (waits.h), if there is one. Returns its number,
     * never 0. If the program cannot be executed, the process ends with code
     * 127. */
    pid_t (*start)(struct up_processes *p, const char *const argv[], int *link);
    /* Send a signal to the whole group of a program that was started and not reaped. */
    void (*signal)(struct up_processes *p, pid_t pid, int number);
    /* Whether it has ended; it is not reaped, and its number stays its own. */
    bool (*over)(struct up_processes *p, pid_t pid);
    /* Milliseconds since its start in which it could not send heartbeats, as it
     * reports itself; see waits.h. */
    uint64_t (*waited)(struct up_processes *p, pid_t pid);
    /* Reap one that has ended, or was killed and ends soon; the status as from
     * waitpid(). One that does not end is left, and becomes an orphan of ours. */
    int (*reap)(struct up_processes *p, pid_t pid);
    /* Execute another program in this process; returns only on failure. */
    int (*become)(struct up_processes *p, const char *const argv[]);

    /* From now on, a process below us that loses its parent becomes our child. */
    int (*adopt_orphans)(struct up_processes *p);
    /* Kill what the script, or the test of a hotfix, started and left behind (orphans.h), but not
     * `script` itself, nor `tester`, which runs the test of a hotfix; each may
     * be 0. Returns the number; their own children are found by the next call. */
    unsigned (*kill_orphans)(struct up_processes *p, enum up_orphans_of of, pid_t script, pid_t tester);
    /* Kill what the script of this state left when its supervisor was killed; before one is started.
     * Returns the number. */
    unsigned (*kill_left)(struct up_processes *p, const char *state);
    /* Reap children that have ended, except these three. */
    void (*forget_orphans)(struct up_processes *p, pid_t agent, pid_t script, pid_t tester);

    /* From now on SIGTERM, SIGINT and SIGHUP do not end us, but wait() returns
     * for them, and when a program ends. */
    int (*catch_signals)(struct up_processes *p);
    /* The next of these three that arrived; 0: none. */
    int (*next_signal)(struct up_processes *p);
    /* Restore them. Does nothing if they were not caught. */
    void (*release_signals)(struct up_processes *p);
    /* Wait until a link is ready or its other end is closed, a signal arrived,
     * or `timeout` ms passed. It may return early, and does not say why. */
    void (*wait)(struct up_processes *p, const struct up_link_watch *watches, size_t count, int timeout);

    /* Take over a link that the process inherited. ENOTSOCK: it is not one. */
    int (*adopt)(struct up_processes *p, int link);
    /* As send() and recv() on a non-blocking socket; without a signal if the other end is closed. */
    ssize_t (*send)(struct up_processes *p, int link, const void *data, size_t len);
    ssize_t (*receive)(struct up_processes *p, int link, void *buf, size_t len);
    void (*close)(struct up_processes *p, int link);
};

struct up_processes {
    const struct up_processes_ops *ops;
};

/* Those of the operating system. Static, shared, never freed. */
struct up_processes *up_processes_system(void);

#endif
