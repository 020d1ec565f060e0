/*
 * whole -- histories of a whole device, see stage.h.
 *
 *     whole [--faults] [--histories N] [--from SEED] [--jobs N]   10,000 when not said
 *     whole [--faults] --seed SEED   one, and all that happens in it
 *
 * Calls to the storage that change something fail at times, once or until it is
 * mended; with --faults those that read, too.
 */
#include "stage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define TWICE 50

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What all jobs add up. */
struct board {
    atomic_ulong next, histories, wrong, kills, cuts, turns;
};

/* One history; whether it was good. */
static bool play(uint64_t seed, FILE *log)
{
    stage.seed = seed;
    stage.trace = log;
    history_run();
    if (!stage.bad[0])
        return true;
    printf("bad: seed %llu: %s\n", (unsigned long long)seed, stage.bad);
    return false;
}

static int play_one(uint64_t seed)
{
    bool good;

    stderr = stdout;
    good = play(seed, stdout);
    printf("whole: 1 history, %d bad\n", !good);
    return !good;
}

/* Now and then one is played twice: a seed must reproduce it. */
static bool play_again(uint64_t seed)
{
    unsigned long turns = stage.turns, calls = stage.calls;
    uint64_t ended = stage.now;

    play(seed, NULL);
    if (stage.turns == turns && stage.calls == calls && stage.now == ended)
        return true;
    printf("bad: seed %llu: played again it goes another way\n", (unsigned long long)seed);
    return false;
}

static void play_some(struct board *board, uint64_t from, unsigned long count)
{
    unsigned long i;

    for (i = atomic_fetch_add(&board->next, 1); i < count; i = atomic_fetch_add(&board->next, 1)) {
        bool good = play(from + i, NULL);

        board->kills += stage.kills;
        board->cuts += stage.cuts;
        board->turns += stage.turns;
        if (i % TWICE == 0 && good)
            good = play_again(from + i);
        board->wrong += !good;
        board->histories++;
    }
}

static int play_many(uint64_t from, unsigned long count, unsigned jobs)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double began = seconds();
    FILE *terminal = stderr;

    if (board == MAP_FAILED)
        abort();
    stderr = fopen("/dev/null", "w");
    for (unsigned i = 1; i < jobs; i++)
        if (fork() == 0) {
            play_some(board, from, count);
            exit(0);
        }
    play_some(board, from, count);
    while (wait(NULL) > 0)
        ;
    fclose(stderr);
    stderr = terminal;
    printf("%lu turns, %lu kills, %lu power cuts, %.0f s\n", board->turns, board->kills, board->cuts,
           seconds() - began);
    if (board->histories != count) /* a job that died took its own along */
        printf("bad: %lu of %lu histories came to their end\n", board->histories, count);
    printf("whole: %lu histories, %lu bad\n", board->histories, board->wrong);
    return board->wrong > 0 || board->histories != count;
}

struct options {
    uint64_t count, from, jobs;
    bool one;
};

static int usage(void)
{
    fprintf(stderr, "usage: whole [--faults] [--histories N] [--from SEED] [--jobs N]\n"
                    "       whole [--faults] --seed SEED\n");
    return 2;
}

/* An option with a number; whether it is one. */
static bool take_option(struct options *o, const char *name, const char *value)
{
    char *end;
    uint64_t number = strtoull(value, &end, 10);

    if (strcmp(name, "--histories") == 0)
        o->count = number;
    else if (strcmp(name, "--jobs") == 0)
        o->jobs = number;
    else if (strcmp(name, "--from") == 0 || strcmp(name, "--seed") == 0)
        o->from = number;
    else
        return false;
    o->one = o->one || strcmp(name, "--seed") == 0;
    return *value >= '0' && *value <= '9' && !*end;
}

int main(int argc, char **argv)
{
    struct options o = {.count = 10000, .from = 1, .jobs = 1};

    setvbuf(stdout, NULL, _IOLBF, 0);
    unsetenv("NOTIFY_SOCKET");
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--faults") == 0)
            stage.faults = true;
        else if (i + 1 == argc || !take_option(&o, argv[i], argv[i + 1]))
            return usage();
        else
            i++;
    if (!up_host_lua_dir()) {
        fprintf(stderr, "whole: the Lua modules are not beside this program\n");
        return 1;
    }
    stage.trace = o.one ? stdout : NULL; /* is asked before the first history, too */
    agent_prepare();
    factory_prepare();
    return o.one ? play_one(o.from) : play_many(o.from, (unsigned long)o.count, (unsigned)o.jobs);
}
