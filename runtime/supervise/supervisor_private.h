/*
 * supervisor_private.h -- what the files of the supervisor share: supervisor.c
 * (loop, stop), supervisor_say.c, supervisor_restart.c, supervisor_script.c (the script and its trial),
 * supervisor_protocol.c (what the children say), supervisor_trouble.c (what
 * updating lacks).
 */
#ifndef UP_SUPERVISOR_PRIVATE_H
#define UP_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "child.h"
#include "config.h"
#include "device.h"
#include "notify.h"

#define UP_WHY_SIZE 200
#define UP_SWEEP_MS 20 /* between two looks for what the script left */
#define UP_SWEEP_MOST_MS 5000
#define UP_SAID_SIZE 1024

/* What happens when the script is down. */
enum up_intent {
    UP_INTENT_NONE,     /* it ended by itself: start it again after a pause */
    UP_INTENT_ANEW,     /* it asked for it: start it again after the usual pause */
    UP_INTENT_TRIAL,    /* begin the trial of what is armed */
    UP_INTENT_GIVE_UP,  /* what is on trial was answered by no cloud */
    UP_INTENT_ROLLBACK, /* what is on trial failed, or is not wanted */
};

/* What happens when both children are down. */
enum up_leave { UP_LEAVE_NOT, UP_LEAVE_STOP, UP_LEAVE_RESTART };

struct up_supervisor {
    const struct up_config *config;
    const char *program;
    int verbosity; /* enum up_verbosity; above 0: say what the children say */
    struct up_storage *storage;
    struct up_processes *processes;
    struct up_device *device;   /* NULL: it cannot be opened */
    struct up_trouble trouble;  /* why not */
    char said[UP_SAID_SIZE];    /* of the trouble, last; "": there was none */
    bool without_updates;       /* said so */
    bool agent_knows;           /* it was told the same */
    uint64_t retry_at;          /* ms; when to look again */
    uint64_t retry_delay;       /* ms; 0: nothing is wrong */
    char started[UP_SAID_SIZE]; /* the directory of the script that was started last */
    struct {
        uint32_t generation;
        unsigned times; /* that it ended and nobody asked for it, not on trial */
        char why[UP_WHY_SIZE];
    } ends;
    struct up_child *agent, *script;
    struct up_notify notify;
    enum up_intent intent;
    bool answer_rollback; /* the agent waits to hear how the intent ended */
    char why[UP_WHY_SIZE];
    enum up_leave leave;
    bool checking;        /* a start on trial is counted, and what it starts is looked at */
    uint64_t look_at;     /* ms; when to look at more of the script that runs; 0: not */
    uint64_t trial_until; /* ms; meaningful on trial */
    bool lacks_cloud;     /* an agent said that nothing else is missing to confirm what runs */
    bool vouched;         /* an agent said that somebody called what runs on trial good */
    uint64_t restart_at;  /* ms; when to try the restart command again; 0: not */
    uint64_t restart_delay;
    struct up_trouble no_restart; /* why the device is still up */
    uint64_t sweep_until; /* ms; kill what the script left until then at the latest; 0: nothing is left */
    uint64_t confirm_by;  /* ms; a confirm waits until then for the script's first beat; 0: none does */
    uint64_t begun;       /* ms; when this turn of the loop began: what came later could not be heard */
    uint64_t expected;    /* ms; when the next one was to begin at the latest; 0: none before */
    bool stale;           /* what waits to be heard may be as old as the turn was late */
    uint64_t ready_by;    /* ms; the service manager is told then at the latest; 0: it was */
};

/* A line on stderr unless quiet; warn() always. */
void up_say(const struct up_supervisor *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void up_warn(const char *what, const struct up_error *err);

uint64_t up_supervisor_now(const struct up_supervisor *s); /* ms, monotonic */
enum up_phase up_supervisor_phase(const struct up_supervisor *s);
/* Read the journal: the agent may have written it. */
void up_supervisor_refresh(struct up_supervisor *s);
void up_tell_phase(struct up_supervisor *s);
void up_tell_script(struct up_supervisor *s);
/* READY=1, once. */
void up_tell_ready(struct up_supervisor *s);
/* WATCHDOG=1: the agent beats, or waits for the medium. */
void up_tell_alive(struct up_supervisor *s);
/* The agent asked for `verb`: how it ended. err is read when result < 0. */
void up_tell_answer(struct up_supervisor *s, const char *verb, int result, const struct up_error *err);

/* Stop both children, and end in that way; a stronger one that stands already stays. */
void up_leave(struct up_supervisor *s, enum up_leave how);
/* Stop both children, then restart the device; nothing when that was tried and
 * will be tried again. */
void up_leave_to_restart(struct up_supervisor *s, const char *why);

/* The children are down: run the command. They work on until the device goes down, too. */
void up_restart_device(struct up_supervisor *s);
/* One that did not happen is tried again when it is due; nobody is stopped for that. */
void up_look_after_restart(struct up_supervisor *s);
/* It is not wanted any more. */
void up_forget_restart(struct up_supervisor *s);

/* The script is to end, for `intent`; a stronger one that stands already stays. */
void up_intend(struct up_supervisor *s, enum up_intent intent, const char *why);
/* Roll back or disarm now, for s->why. The script is down, or only armed is undone.
 * unreached: see up_device_unreached(). */
void up_supervisor_rollback(struct up_supervisor *s, bool unreached);
/* What of updating does not work, and when it changes: say it, tell the agent. */
void up_tell_trouble(struct up_supervisor *s);
/* Try again what did not work, now and then. */
void up_look_after_trouble(struct up_supervisor *s);
/* <state>/script/<n>, or what runs without a device. False: there is nothing. */
bool up_script_path(const struct up_supervisor *s, char *buf, size_t len);
/* Whether the script was started without being counted as a start on trial. */
bool up_script_uncounted(const struct up_supervisor *s);

/* Start the script, watch it, follow up when it is over. */
void up_look_after_script(struct up_supervisor *s, bool over);
/* When it is to be started, ms; UINT64_MAX: it runs, or what it left does. */
uint64_t up_script_due(const struct up_supervisor *s);

/* From now on kill what the script left; nothing is started before it is gone,
 * or UP_SWEEP_MOST_MS passed: a process may hang in the kernel. */
void up_sweep(struct up_supervisor *s);

/* What became of a confirm that waits for the first beat. */
void up_look_after_confirm(struct up_supervisor *s);

/* Up to a bounded number of lines, so that a flood from one child starves
 * nobody. True: more may be there. */
bool up_hear_agent(struct up_supervisor *s);
bool up_hear_script(struct up_supervisor *s);

#endif
