/*
 * running.h -- the interface to the programs that run on the device: who runs a
 * file, to end it, to start it, and commands that do so in its place.
 *
 * As with storage.h, a test can play all of it; the system is in running_system.c.
 * Only pause() and run() wait.
 */
#ifndef UP_RUNNING_H
#define UP_RUNNING_H

#include <stdint.h>

#include "storage.h"

#define UP_RUNNING_GROUPS 32
#define UP_COMMAND_SECONDS 30 /* after that a command is killed */

/* As whom a program runs, and where. */
struct up_running {
    long pid, parent;
    uint32_t owner, group, group_count, groups[UP_RUNNING_GROUPS];
    char folder[UP_PATH_SIZE]; /* "": not known */
};

struct up_running_table;

struct up_running_ops {
    /* Each process whose executable is the file of this device and inode, but neither process 1
     * nor one of our own. fn returns 0 to go on. Returns 0, or -1 with errno. */
    int (*each)(struct up_running_table *t, const struct up_stat *file,
                int (*fn)(void *user, const struct up_running *p), void *user);
    /* Send a signal to it, if its executable still is the file. */
    void (*signal)(struct up_running_table *t, long pid, const struct up_stat *file, int number);
    void (*pause)(struct up_running_table *t, unsigned ms);
    /* Start the file at `path`: without arguments, in a session of its own, with no open file of ours and only
     * PATH in its environment. 0, or -1 with errno: it could not be executed (ETIMEDOUT: not within
     * UP_COMMAND_SECONDS). */
    int (*start)(struct up_running_table *t, const char *path, const struct up_running *as);
    /* Run a command, found in PATH, to its end, for at most UP_COMMAND_SECONDS. Its exit status, 128
     * plus the number of the signal that ended it; or -1 with errno (ETIMEDOUT: it was killed). */
    int (*run)(struct up_running_table *t, char *const argv[]);
};

struct up_running_table {
    const struct up_running_ops *ops;
};

/* Those of the operating system. Static, shared, never freed. */
struct up_running_table *up_running_system(void);

#endif
