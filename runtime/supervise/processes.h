/*
 * processes.h -- the second seam to the operating system: programs that we
 * start, the links to them, and the signals that tell us to stop.
 *
 * Storage and clocks are storage.h's matter. The supervisor and its children
 * pass through here, so that both can be played in one process. A link is one
 * end of a connected stream, named by a number; in the system's table it is a
 * descriptor (processes_system.c). Nothing waits but wait() and reap().
 *
 * All calls return -1 with errno set on failure, unless they say otherwise.
 */
#ifndef UP_PROCESSES_H
#define UP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct up_processes;

/* One link that wait() looks at. */
struct up_link_watch {
    int link;   /* below 0: none */
    bool write; /* wait until it can be written to, too, not only until there is something to read */
};

struct up_processes_ops {
    /* Start a program; argv[0] is its path, NULL ends the words. It leads a
     * process group of its own and dies when we do. Its descriptors are 0
     * (/dev/null), 1 and 2 (pipes; what comes out is written to ours, dropped
     * when nobody reads that), 3, the link whose other end is *link,
     * which the caller closes, and 4, the page of its waits (waits.h), unless
     * there is none. Returns its number, 0 never. One that cannot
     * become the program ends with code 127. */
    pid_t (*start)(struct up_processes *p, const char *const argv[], int *link);
    /* Send a signal to the whole group of a program that was started and not reaped. */
    void (*signal)(struct up_processes *p, pid_t pid, int number);
    /* Whether it has ended; it is not forgotten, and its number stays its own. */
    bool (*over)(struct up_processes *p, pid_t pid);
    /* Milliseconds since its start that it could not beat in, as it says itself; waits.h. */
    uint64_t (*waited)(struct up_processes *p, pid_t pid);
    /* Wait for its end and forget it; its status, as waitpid() tells it. */
    int (*reap)(struct up_processes *p, pid_t pid);
    /* Become another program in this process, as argv says; returns only on failure. */
    int (*become)(struct up_processes *p, const char *const argv[]);

    /* From now on whoever loses its parent below us becomes our child. */
    int (*adopt_orphans)(struct up_processes *p);
    /* Kill what the script started and left to us (orphans.h), not `script` itself,
     * which may be 0. How many there were: their own children come with the next call. */
    unsigned (*kill_orphans)(struct up_processes *p, pid_t script);
    /* Forget those that have ended, but not these two. */
    void (*forget_orphans)(struct up_processes *p, pid_t agent, pid_t script);

    /* From now on SIGTERM, SIGINT and SIGHUP do not end us but wait() returns
     * for them, and for the end of a program. */
    int (*catch_signals)(struct up_processes *p);
    /* The next one that came, of the three; 0: none. */
    int (*next_signal)(struct up_processes *p);
    /* They end us again. Does nothing when they were not caught. */
    void (*release_signals)(struct up_processes *p);
    /* Wait until a link is ready or its other end is gone, a signal came, or
     * `timeout` ms passed. It may return early, and does not say why. */
    void (*wait)(struct up_processes *p, const struct up_link_watch *watches, size_t count, int timeout);

    /* Take over a link that the process was started with. ENOTSOCK: it is none. */
    int (*adopt)(struct up_processes *p, int link);
    /* As send() and recv() on a socket that does not wait; no signal when the
     * other end is gone. */
    ssize_t (*send)(struct up_processes *p, int link, const void *data, size_t len);
    ssize_t (*receive)(struct up_processes *p, int link, void *buf, size_t len);
    void (*close)(struct up_processes *p, int link);
};

struct up_processes {
    const struct up_processes_ops *ops;
};

/* The operating system's. Static, shared, never freed. */
struct up_processes *up_processes_system(void);

#endif
