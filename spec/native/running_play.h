/*
 * running_play.h -- processes of a simulated device: the table of running.h, played.
 */
#ifndef RUNNING_PLAY_H
#define RUNNING_PLAY_H

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "running.h"

#define PLAY_PROCESSES 16

struct played {
    struct up_running p;
    uint64_t device, inode;
    bool deaf, immortal; /* does not end by SIGTERM; by nothing */
};

struct play {
    struct up_running_table table; /* first */
    struct up_storage *storage;
    struct played process[PLAY_PROCESSES];
    unsigned count, started, terms, kills;
    long next_pid;
    char commands[512]; /* that were run, one a line */
    int command_status; /* of each command */
    int start_error;    /* of each start */
    int blind;          /* the error of each look at who runs something; 0: it can be seen */
    bool managed;       /* the stop command ends what runs its {path} */
    void (*on_signal)(struct play *play);
    void *user;
};

static struct played *play_find(struct play *play, long pid)
{
    for (unsigned i = 0; i < play->count; i++)
        if (play->process[i].p.pid == pid)
            return &play->process[i];
    return NULL;
}

static int play_each(struct up_running_table *t, const struct up_stat *file,
                     int (*fn)(void *user, const struct up_running *p), void *user)
{
    const struct play before = *(struct play *)t; /* fn ends some */

    errno = before.blind;
    if (before.blind)
        return -1;
    for (unsigned i = 0; i < before.count; i++)
        if (before.process[i].device == file->device && before.process[i].inode == file->inode &&
            fn(user, &before.process[i].p) != 0)
            break;
    return 0;
}

static void play_end(struct play *play, struct played *one)
{
    *one = play->process[--play->count];
}

static void play_signal(struct up_running_table *t, long pid, const struct up_stat *file, int number)
{
    struct play *play = (struct play *)t;
    struct played *one = play_find(play, pid);

    if (play->on_signal)
        play->on_signal(play);
    play->terms += number == SIGTERM;
    play->kills += number == SIGKILL;
    if (one && one->inode == file->inode && !one->immortal && (number == SIGKILL || !one->deaf))
        play_end(play, one);
}

static void play_pause(struct up_running_table *t, unsigned ms)
{
    (void)t, (void)ms;
}

/* Somebody runs the file. */
static long play_run(struct play *play, const char *path, const struct up_running *as)
{
    struct played *one = &play->process[play->count];
    struct up_stat st;

    if (play->count == PLAY_PROCESSES || play->storage->ops->stat(play->storage, path, &st) < 0)
        return -1;
    *one = (struct played){.p = *as, .device = st.device, .inode = st.inode};
    one->p.pid = 100 + play->next_pid++;
    one->p.parent = 1;
    play->count++;
    return one->p.pid;
}

static int play_start(struct up_running_table *t, const char *path, const struct up_running *as)
{
    struct play *play = (struct play *)t;

    errno = play->start_error;
    if (play->start_error || play_run(play, path, as) < 0)
        return -1;
    play->started++;
    return 0;
}

static int play_command(struct up_running_table *t, char *const argv[])
{
    struct play *play = (struct play *)t;
    struct up_stat st;
    size_t len = strlen(play->commands);

    for (size_t i = 0; argv[i]; i++)
        len += (size_t)snprintf(play->commands + len, sizeof play->commands - len, "%s%s", i ? " " : "",
                                argv[i]);
    snprintf(play->commands + len, sizeof play->commands - len, "\n");
    if (play->managed && strcmp(argv[0], "stop") == 0 &&
        play->storage->ops->stat(play->storage, argv[1], &st) == 0)
        for (unsigned i = play->count; i-- > 0;)
            if (play->process[i].inode == st.inode)
                play_end(play, &play->process[i]);
    return play->command_status;
}

static const struct up_running_ops play_ops = {play_each, play_signal, play_pause, play_start, play_command};

/* How many run the file at `path` as it is now. */
static inline unsigned play_count(const struct play *play, const char *path)
{
    struct up_stat st;
    unsigned count = 0;

    if (play->storage->ops->stat(play->storage, path, &st) < 0)
        return 0;
    for (unsigned i = 0; i < play->count; i++)
        count += play->process[i].inode == st.inode && play->process[i].device == st.device;
    return count;
}

#endif
