/*
 * The program among the files of a device without a script: processes that run its file,
 * what starts them at boot, and the table by which the helper and the supervisor know them.
 */
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "running.h"

#define PROGRAMS 8

static struct {
    struct up_running p; /* pid 0: none */
    uint64_t device, inode;
    uint64_t ends; /* ms, when it ends by itself; FOREVER: never */
    bool deaf;     /* does not end by SIGTERM */
    enum manner manner;
} programs[PROGRAMS];

static bool booted;   /* since the power came */
static bool stay;     /* nobody leaves any more */
static unsigned last; /* the release whose program was started last */
/* The one that was confirmed when nobody left any more: its program vouches for what comes. */
static unsigned kept;

void programs_reset(void)
{
    memset(programs, 0, sizeof programs);
    booted = stay = false;
}

void programs_stay(void)
{
    stay = true;
    kept = judge_idle() ? last : 0;
    booted = false; /* one that left before is started again with the next release */
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i].manner == LEAVES)
            programs[i].ends = FOREVER;
}

static void end_what_ends(void)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i].p.pid > 0 && programs[i].ends <= stage.now) {
            trace("program %ld ends by itself", programs[i].p.pid);
            programs[i].p.pid = 0;
        }
}

/* Of which release the content is: its number stands at the end. */
static unsigned number_of(const char *text)
{
    const char *seed = text ? strstr(text, "seed ") : NULL;

    return seed ? (unsigned)atoi(seed + 5) : 0;
}

static enum manner manner_of(unsigned number)
{
    for (int i = 0; i < PARCELS; i++)
        if (stage.parcel[i].number == number)
            return stage.parcel[i].manner;
    return GOOD;
}

static uint64_t life_of(enum manner manner, unsigned number)
{
    if (stay && number == kept)
        return FOREVER;
    if (manner == CRASHES)
        return stage.now + 100 + pick(3000);
    return manner == LEAVES && !stay ? stage.now + 2000 + pick(30000) : FOREVER;
}

bool programs_run(void)
{
    end_what_ends();
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i].p.pid > 0)
            return true;
    return false;
}

static int run_file(const struct up_running *as)
{
    struct sim *sim = sim_clone(stage.sim); /* in which nothing fails */
    struct up_stat st;
    char *text;
    int i = 0, rc = 0;

    sim_watch_calls(sim, NULL, NULL);
    sim_fail(sim, SIM_OPS, 0, 0, false);
    while (i < PROGRAMS && programs[i].p.pid > 0)
        i++;
    if (i == PROGRAMS || sim_storage(sim)->ops->stat(sim_storage(sim), PROGRAM, &st) < 0) {
        rc = -1;
    } else {
        text = sim_get(sim, PROGRAM, NULL);
        programs[i].p = as ? *as : (struct up_running){.owner = st.owner};
        programs[i].p.pid = ++stage.last_pid;
        programs[i].p.parent = 1;
        programs[i].device = st.device;
        programs[i].inode = st.inode;
        programs[i].manner = manner_of(number_of(text));
        programs[i].ends = life_of(programs[i].manner, number_of(text));
        programs[i].deaf = pick(6) == 0;
        last = number_of(text);
        trace("program %ld of release %u starts", programs[i].p.pid, number_of(text));
        judge_program(number_of(text));
        free(text);
        application_begin();
    }
    sim_free(sim);
    return rc;
}

void programs_boot(void)
{
    if (!stage.alone || booted || stage.current->dead)
        return;
    booted = true;
    if (!programs_run() && run_file(NULL) < 0)
        bad("there is no program to start");
}

static int each(struct up_running_table *t, const struct up_stat *file,
                int (*fn)(void *user, const struct up_running *p), void *user)
{
    (void)t;
    end_what_ends();
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i].p.pid > 0 && programs[i].device == file->device && programs[i].inode == file->inode &&
            fn(user, &programs[i].p) != 0)
            break;
    return 0;
}

static void send_signal(struct up_running_table *t, long pid, const struct up_stat *file, int number)
{
    (void)t;
    for (int i = 0; i < PROGRAMS && !stage.current->dead; i++)
        if (programs[i].p.pid == pid && programs[i].inode == file->inode &&
            (number == SIGKILL || !programs[i].deaf)) {
            trace("program %ld is ended", pid);
            programs[i].p.pid = 0;
        }
}

static void wait_ms(struct up_running_table *t, unsigned ms)
{
    (void)t;
    player_sleep(ms);
}

static int start(struct up_running_table *t, const char *path, const struct up_running *as)
{
    (void)t, (void)path;
    if (stage.current->dead || pick(40) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return run_file(as);
}

struct up_running_table *stage_running(void)
{
    static const struct up_running_ops ops = {
        .each = each, .signal = send_signal, .pause = wait_ms, .start = start};
    static struct up_running_table table = {&ops};

    return &table;
}
