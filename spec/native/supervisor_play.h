/*
 * supervisor_play.h -- a supervisor with a device in the simulator, children
 * that are played, and a clock that only waiting moves on.
 *
 * Storage is the simulator's; processes, links, signals and waiting are played
 * here, behind processes.h. Whenever the supervisor waits, the next step of the play
 * happens; after the last one it is told to stop. No step takes real time.
 */
#ifndef SUPERVISOR_PLAY_H
#define SUPERVISOR_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "sim.h"
#include "supervisor.h"

enum play_who { AGENT, SCRIPT, TESTER, PLAYERS }; /* TESTER runs the test.lua of a hotfix */

enum play_what {
    PLAY_OVER,   /* SIGTERM, and nothing more */
    PLAY_SAY,    /* `who` says `line`; `number` ms pass before it can be heard */
    PLAY_FLOOD,  /* `who` says `number` lines at once: "line 1", ... */
    PLAY_WAIT,   /* `number` ms pass; those who are not mute beat all the while */
    PLAY_END,    /* `who` ends with the exit code `number` */
    PLAY_SIGNAL, /* the supervisor gets signal `number` */
    PLAY_DEAF,   /* `who` does not react to SIGTERM any more */
    PLAY_STUCK,  /* nor to SIGKILL: it is in a call that the kernel cannot break off */
    PLAY_FREE,   /* the call ends, and the process with it, if it was killed */
    PLAY_MUTE,   /* `who` does not beat by itself, now and after later starts */
    PLAY_WAITS,  /* `who` waits for the medium from now on, number 1, or no more, 0; so it does not beat */
    PLAY_CALL    /* `call` does something to the device */
};

struct play_step {
    enum play_what what;
    enum play_who who;
    long number;
    const char *line;
    void (*call)(void);
};

/* What the system refuses; set before play(), which takes it back. */
struct play_refusal {
    bool signals;    /* to catch them */
    unsigned child;  /* the n-th up_child_new() */
    unsigned starts; /* the first n starts of the agent and of the script */
    bool tester;     /* to start the test of a hotfix */
    bool orphans;    /* to adopt them */
};
extern struct play_refusal play_refuses;

/* In how many looks processes are found that the script left, each time less
 * one; UINT_MAX: for ever. play() takes it back. */
extern unsigned play_orphans;
/* The same of the test of a hotfix. */
extern unsigned play_test_orphans;

/* How many processes an earlier supervisor left that was killed. play() takes it back. */
extern unsigned play_left;

/* The simulator that up_storage_system() is. */
extern struct sim *play_sim;

/* Run the supervisor until it returns, and that; nothing may be left of it. */
int play(const struct up_config *config, enum up_verbosity verbosity, const struct play_step *steps,
         struct up_error *err);

/* Of the last play: what it wrote to stderr; and what it did, one line each:
 * "agent < TEXT" it told the agent, "agent started", "script ended",
 * "execute WORDS"; and what it told the service manager, with a line's end each. */
const char *play_said(void);
const char *play_done(void);
const char *play_told(void);
/* The arguments that `who` was started with last, a space after each; "": it was not. */
const char *play_words(enum play_who who);
/* When `text` was done for the n-th time, counted from 1, in ms of the clock; -1: it was not. */
long play_when(const char *text, unsigned nth);
/* How often `text` is in `where`. */
unsigned play_count(const char *where, const char *text);

#endif
