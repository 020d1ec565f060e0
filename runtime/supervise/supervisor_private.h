/*
 * supervisor_private.h -- what the files of the supervisor share: supervisor.c (loop, stop),
 * supervisor_say.c, supervisor_restart.c, supervisor_script.c (the script and its trial),
 * supervisor_protocol.c (what the children say), supervisor_trouble.c (what updating lacks),
 * supervisor_files.c (the helper that changes the tree of files), supervisor_words.c
 * (arguments of children), supervisor_alone.c (a device without a script),
 * supervisor_hotfix.c (orders about hotfixes), supervisor_hotfix_test.c (a hotfix while it is
 * tested or undone).
 */
#ifndef UP_SUPERVISOR_PRIVATE_H
#define UP_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "child.h"
#include "config.h"
#include "device.h"
#include "files_alive.h"
#include "files_programs.h"
#include "hotfix.h"
#include "notify.h"

#define UP_WHY_SIZE 200
#define UP_SWEEP_MS 20 /* between two looks for what the script left */
#define UP_SWEEP_MOST_MS 5000
#define UP_SAID_SIZE 1024

/* What follows when the script is down. */
enum up_intent {
    UP_INTENT_NONE,     /* it ended by itself: restart it after a pause */
    UP_INTENT_ANEW,     /* it asked for it: restart it after the usual pause */
    UP_INTENT_FIX,      /* a hotfix comes or goes: restart it at once */
    UP_INTENT_TRIAL,    /* begin the trial of what is armed */
    UP_INTENT_GIVE_UP,  /* no cloud answered what is on trial */
    UP_INTENT_ROLLBACK, /* what is on trial failed, or is not wanted */
};

/* How far a hotfix is that is tested or undone now. */
enum up_fix_turn {
    UP_FIX_NONE,
    UP_FIX_TAKEN, /* the script's handler was told */
    UP_FIX_ANEW,  /* the script is started anew with it */
    UP_FIX_TEST,  /* its test.lua runs */
    UP_FIX_ALIVE, /* the script has to live with it */
    UP_FIX_LEFT,  /* undone: the script's handler was told */
    UP_FIX_AGAIN  /* the test.lua of one that is in force runs */
};

/* What follows when both children are down. */
enum up_leave { UP_LEAVE_NOT, UP_LEAVE_STOP, UP_LEAVE_RESTART };

struct up_supervisor {
    const struct up_config *config;
    const char *program;
    int verbosity; /* enum up_verbosity; above 0: print what the children send */
    struct up_storage *storage;
    struct up_processes *processes;
    struct up_running_table *running;
    int claim;                  /* the state's folder, locked: there is no other `moult run`; or -1 */
    struct up_device *device;   /* NULL: it cannot be opened */
    struct up_trouble trouble;  /* why not */
    char said[UP_SAID_SIZE];    /* the trouble reported last; "": none */
    bool without_updates;       /* that was reported */
    bool mixed;                 /* the agent was told where the files are mixed */
    bool agent_knows;           /* it was told the same */
    uint64_t retry_at;          /* ms; when to look again */
    uint64_t retry_delay;       /* ms; 0: no trouble */
    char started[UP_SAID_SIZE]; /* the directory of the script that was started last */
    struct {
        uint32_t generation;
        unsigned times; /* how often it ended unrequested, not on trial */
        char why[UP_WHY_SIZE];
    } ends;
    struct up_child *agent, *script;
    struct up_files_worker worker; /* up_supervisor_files(), for the device */
    struct up_child *helper;       /* runs only within up_supervisor_files() */
    struct up_child *tester;       /* runs the test.lua of a hotfix */
    char overlays[UP_PATH_SIZE]; /* folders of modules that lead those of the script that was started last */
    struct {
        enum up_fix_turn turn;
        char id[UP_HOTFIX_ID_SIZE];
        char name[8 + 2 * UP_HOTFIX_SIZE];      /* "hotfix NAME VERSION" */
        bool lua;                               /* it has modules */
        bool opaque;                            /* only a handler of the script can take it */
        char called_failed[UP_HOTFIX_WHY_SIZE]; /* why a program calls it bad; "": none does */
        bool live;                              /* the script's handler takes it */
        bool led;                               /* the script that runs was started with it, */
        uint64_t led_at;                        /* ms; at this time */
        unsigned start;       /* up_child_starts() of the script that has it, or has to leave it */
        uint64_t until;       /* ms; when it has failed */
        uint64_t alive_at;    /* ms; when the script has lived with it */
        uint64_t look_at;     /* ms; without a script: when to look at the programs */
        uint64_t lived_at;    /* ms; when no hotfix of the script that runs is fresh any more; 0: none is */
        uint64_t sweep_until; /* ms; kill what a test left, until then at the latest; 0: nothing is left */
        uint64_t read_at;     /* ms; when the next one is compared with what was signed; 0: all were */
        uint32_t read;        /* how many were */
    } fix;
    struct {
        bool up;           /* what would be the script's start was counted and checked */
        uint64_t look_at;  /* ms; on trial, when to look at the programs */
        uint64_t ended_at; /* ms; when one of them ended that did not come back; 0: none */
        char why[UP_WHY_SIZE];
        struct up_files_alive programs;
    } alone; /* what runs, on a device without a script */
    struct up_notify notify;
    enum up_intent intent;
    bool answer_rollback; /* the agent is waiting for the result of the intent */
    char why[UP_WHY_SIZE];
    enum up_leave leave;
    bool checking;        /* a start on trial was counted, and is being checked */
    uint64_t look_at;     /* ms; when to check more of the running script; 0: not */
    uint64_t trial_until; /* ms; meaningful on trial */
    bool lacks_cloud;     /* an agent reported that nothing else is missing to confirm what runs */
    bool vouched;         /* an agent reported that somebody called what runs on trial good */
    uint64_t restart_at;  /* ms; when to retry the restart command; 0: not */
    uint64_t restart_delay;
    bool restart_ran;               /* the command, the last time; and the device is still up */
    struct up_trouble no_restart;   /* why the device is still up */
    struct up_trouble other_config; /* why it runs with another configuration than its owner's */
    uint64_t sweep_until; /* ms; kill what the script left, until then at the latest; 0: nothing is left */
    uint64_t confirm_by;  /* ms; until then a confirm waits for the script's first heartbeat; 0: none waits */
    uint64_t begun;       /* ms; start of this turn of the loop: what came later was not read yet */
    uint64_t expected;    /* ms; when the next turn should have begun at the latest; 0: no turn before */
    bool stale;           /* unread lines may be as old as the turn was late */
    uint64_t ready_by;    /* ms; report READY to the service manager then at the latest; 0: done */
};

/* A line on stderr unless quiet; warn() always. */
void up_supervisor_say(const struct up_supervisor *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void up_supervisor_warn(const char *what, const struct up_error *err);

uint64_t up_supervisor_now(const struct up_supervisor *s); /* ms, monotonic */
enum up_phase up_supervisor_phase(const struct up_supervisor *s);
/* Read the journal again: the agent may have written it. */
void up_supervisor_refresh(struct up_supervisor *s);
void up_supervisor_tell_phase(struct up_supervisor *s);
void up_supervisor_tell_script(struct up_supervisor *s);
/* READY=1, once. */
void up_supervisor_tell_ready(struct up_supervisor *s);
/* WATCHDOG=1: the agent sends heartbeats, or waits for the medium. */
void up_supervisor_tell_alive(struct up_supervisor *s);
/* Answer the agent's request for `verb`. err is read if result < 0. */
void up_supervisor_tell_answer(struct up_supervisor *s, const char *verb, int result,
                               const struct up_error *err);

/* Stop both children, then restart the device; does nothing if that was tried and will be retried. Of what
 * is armed without a core only files need that, whatever `why` says. */
void up_supervisor_leave_to_restart(struct up_supervisor *s, const char *why);

/* The children are down: run the command. They run again until the device goes down. */
void up_supervisor_restart_device(struct up_supervisor *s);
/* A restart that did not happen is retried when due, without stopping anybody. */
void up_supervisor_look_after_restart(struct up_supervisor *s);
/* A restart is no longer wanted. */
void up_supervisor_forget_restart(struct up_supervisor *s);

/* The arguments of the script's process; there is room for its user and groups, too. With `tree`, those
 * of the process that runs test.lua there. They refer to *s and `tree`. */
struct up_script_words {
    const char *argv[13 + UP_RIGHTS_GROUPS];
    char heartbeat[16], memory[24];
};
void up_supervisor_script_words(const struct up_supervisor *s, const char *tree, struct up_script_words *w);

/* "hotfix REST" of the agent. */
void up_supervisor_hear_hotfix(struct up_supervisor *s, const char *rest);
/* s->fix says which one: have it tested, until s->fix.until. */
void up_supervisor_fix_begin(struct up_supervisor *s);
/* The same for one that is in force; the result changes nothing. */
void up_supervisor_fix_begin_again(struct up_supervisor *s);
/* It is out of force: its handler takes it out, or the script is started without it. */
void up_supervisor_fix_take_out(struct up_supervisor *s);
/* The script's handler has answered. */
void up_supervisor_fix_handled(struct up_supervisor *s, bool yes);
/* A task of the script failed, or policy says that it is not healthy: which of them is `what`. */
void up_supervisor_fix_failed(struct up_supervisor *s, const char *what, const char *message);
/* A program that looked at it calls it bad. */
void up_supervisor_fix_called_failed(struct up_supervisor *s, const char *why);
/* No hotfix is tested: what a cut left, and what does not fit the release, goes out of force. */
void up_supervisor_fix_settle(struct up_supervisor *s);
/* Which hotfixes lead the script that is started next; that start is counted. */
void up_supervisor_fix_before_start(struct up_supervisor *s);
/* asked: it was stopped in order. */
void up_supervisor_fix_script_ended(struct up_supervisor *s, bool asked);
/* We were `late` ms late: that counts against no hotfix. */
void up_supervisor_fix_forgive(struct up_supervisor *s, uint64_t late, uint64_t now);
void up_supervisor_look_after_hotfix(struct up_supervisor *s);
/* When it has to be looked at again, ms; UINT64_MAX: never. */
uint64_t up_supervisor_hotfix_due(const struct up_supervisor *s);

/* Stop the script for `intent`; a stronger earlier intent stays. */
void up_supervisor_intend(struct up_supervisor *s, enum up_intent intent, const char *why);
/* Roll back or disarm now, for s->why. The script is down, or only armed is
 * undone. unreached: see up_device_unreached(). */
void up_supervisor_rollback(struct up_supervisor *s, bool unreached);
/* When the trouble changes: report it and tell the agent. */
void up_supervisor_tell_trouble(struct up_supervisor *s);
/* Retry what did not work, now and then. */
void up_supervisor_look_after_trouble(struct up_supervisor *s);
/* <state>/script/<n>, or the script for a device that cannot be opened. Errors: UP_NOTHING the device has none;
 * those of up_device_last_resort(). */
UP_MUST_CHECK int up_supervisor_script_path(const struct up_supervisor *s, char *buf, size_t len,
                                            struct up_error *err);
/* Whether the script was started without being counted as a start on trial. */
bool up_supervisor_script_uncounted(const struct up_supervisor *s);

/* Whether what is to run now has a script. */
bool up_supervisor_has_script(const struct up_supervisor *s);
/* Whether what is to run does: the script is a process of ours; without one, its start was counted and checked. */
bool up_supervisor_release_runs(const struct up_supervisor *s);

/*
 * Without a script a start is one of this process, and a trial is about the programs that were started with the
 * new files: the time to confirm begins again when one ends, and one that does not come back rolls it back.
 */
void up_supervisor_alone_begin(struct up_supervisor *s);
/* Another start is to be made. */
void up_supervisor_alone_end(struct up_supervisor *s);
void up_supervisor_look_after_alone(struct up_supervisor *s);
/* Whether all of them run now. Errors: UP_DEFERRED; UP_WRITE it cannot be told. */
UP_MUST_CHECK int up_supervisor_alone_lively(struct up_supervisor *s, struct up_error *err);
/* Somebody called the release good. */
void up_supervisor_alone_vouched(struct up_supervisor *s);
/* Whether the programs that a hotfix started still run; the first look after up_supervisor_alone_forget() finds them.
 * Errors: UP_DEFERRED one ended; UP_WRITE it cannot be told. */
UP_MUST_CHECK int up_supervisor_alone_look(struct up_supervisor *s, struct up_error *err);
void up_supervisor_alone_forget(struct up_supervisor *s);
/* When up_supervisor_look_after_alone() has to be called, ms; UINT64_MAX: never. */
uint64_t up_supervisor_alone_due(const struct up_supervisor *s);

/* Start the script, watch it, and act when it has ended. */
void up_supervisor_look_after_script(struct up_supervisor *s, bool over);
/* When to start it, ms; UINT64_MAX: it runs, or its leftovers do. */
uint64_t up_supervisor_script_due(const struct up_supervisor *s);

/* From now on kill what the script left. Nothing is started before that is gone
 * or UP_SWEEP_MOST_MS passed, because a process may hang in the kernel. */
void up_supervisor_sweep(struct up_supervisor *s);

/* Do this on the tree of files, in the helper, and wait for its end. As up_files_program_do(); also
 * UP_INTERNAL: it cannot be started, or ended without a result again and again. */
UP_MUST_CHECK int up_supervisor_files(void *supervisor, enum up_files_task task, const uint8_t *plan,
                                      enum up_files_outcome *outcome, struct up_error *err);
/* Whether what was put in place is what runs: only then does a time on trial show anything. Errors:
 * UP_DEFERRED not yet. */
UP_MUST_CHECK int up_supervisor_tried(const struct up_supervisor *s, struct up_error *err);
/* Handle the signals that arrived. */
void up_supervisor_hear_signals(struct up_supervisor *s);

/* Decide about a confirm that waits for the first heartbeat. */
void up_supervisor_look_after_confirm(struct up_supervisor *s);

/* Handle a limited number of lines, so that a flood from one child starves
 * nobody. True: there may be more. */
bool up_supervisor_hear_agent(struct up_supervisor *s);
bool up_supervisor_hear_script(struct up_supervisor *s);

#endif
