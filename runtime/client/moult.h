/*
 * moult.h -- talk to the agent of `moult run` from a C or C++ program.
 *
 * One struct moult is one connection to the agent's control socket,
 * <state>/control. It connects when it is first needed, and again when the
 * agent was restarted. It starts no thread, raises no signal, and waits no
 * longer than it is told.
 *
 *     struct moult *m = moult_open("/var/lib/moult/control");
 *     struct moult_status status;
 *
 *     if (moult_status(m, &status, 2000) == 0)
 *         printf("%s runs, %s\n", status.release, status.phase);
 *     else
 *         fprintf(stderr, "%s\n", moult_message(m));
 *     moult_close(m);
 *
 * In a program with a loop of its own, poll moult_fd() for reading and call
 * moult_dispatch(m, 0) when it is readable: events and the agent's questions
 * for facts are served there, and in every other call.
 *
 * A handle is used by one thread at a time, and after fork() by one of the two
 * processes: the other one may only call moult_close(). A callback may call only
 * moult_message() for its handle: other functions return MOULT_USAGE. Timeouts
 * are in milliseconds, sizes in bytes. Texts are UTF-8, NUL-terminated, and
 * truncated to fit.
 *
 * Who may ask for what: moult-control(7).
 */
#ifndef MOULT_H
#define MOULT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return: 0, or one of these. Negated, they are the exit codes of moult(1). */
enum moult_code {
    MOULT_OK = 0,
    MOULT_INTERNAL = -1,      /* out of memory, or the agent failed */
    MOULT_USAGE = -2,         /* wrong arguments, or not allowed here */
    MOULT_NOTHING = -3,       /* no agent runs; or nothing is on trial, or offered */
    MOULT_RESTART = -4,       /* armed: it runs after a restart */
    MOULT_BUSY = -5,          /* something else is under way; try again */
    MOULT_NETWORK = -10,      /* the agent went away before it answered */
    MOULT_MISSING = -11,      /* the server, or the path, has no such package */
    MOULT_EXPIRED = -12,      /* the link is too old */
    MOULT_CORRUPT = -13,      /* a size or digest is wrong; or the agent's answer makes no sense */
    MOULT_UNTRUSTED = -14,    /* no trusted key signed it */
    MOULT_INCOMPATIBLE = -15, /* it does not fit this device; or the agent is of another protocol */
    MOULT_NOSPACE = -16,
    MOULT_WRITE = -17,
    MOULT_ROLLEDBACK = -18,
    MOULT_REFUSED = -19, /* by policy; or this user may not ask for it */
    MOULT_DEFERRED = -20,
    MOULT_STATELOST = -21,
    MOULT_TIMEOUT = -100 /* no answer within the time; what was asked for may still happen */
};

struct moult; /* opaque; released with moult_close() */

/* A handle for the control socket at `path`. Connects only when something is asked; NULL: no memory. */
struct moult *moult_open(const char *path);
void moult_close(struct moult *m); /* NULL is allowed; what was started goes on without it */

/* Why the last call failed: one sentence, "" after success. Valid until the next call. */
const char *moult_message(const struct moult *m);
/* The word of a code, such as "busy"; "timeout" for MOULT_TIMEOUT. */
const char *moult_word(int code);

/* A descriptor to poll for reading. It stays the same as long as the handle lives. */
int moult_fd(const struct moult *m);
/* Handle what has arrived; wait at most `timeout` for it. 0, or MOULT_INTERNAL. */
int moult_dispatch(struct moult *m, int timeout);

struct moult_status {
    char phase[24];       /* "idle", "fetching", "armed", "trial" and so on */
    char release[136];    /* the running one */
    char version[136];    /* of the running script, "" without one */
    char next[136];       /* the release that is being installed or is on trial, or "" */
    uint64_t done, total; /* bytes of the part in transfer; 0: none */
    char last_code[24];   /* how the last update ended, such as "ok"; "" if there was none */
    char last_message[512];
    char trouble[512]; /* why updates do not work, or "" */
    char mixed[512];   /* where the files are neither the old nor the new ones, or "" */
};

struct moult_offer {
    char action[16]; /* "install", "defer", "refuse"; "" when nothing is offered */
    char release[136];
    char cloud[64];
    char reason[256];
    uint64_t size; /* bytes of the package */
    uint64_t sequence;
};

/* The state of the device. */
int moult_status(struct moult *m, struct moult_status *out, int timeout);

/* Ask the clouds what they offer, and policy whether to install it. Changes nothing. Clouds may take
 * half a minute. If nothing is offered: 0, and an empty action. */
int moult_check(struct moult *m, struct moult_offer *out, int timeout);

/* Install from a URL or an absolute path; returns when it is armed, or failed. After MOULT_TIMEOUT
 * the agent goes on: moult_status() tells how far it is. */
int moult_install(struct moult *m, const char *source, int timeout);

/* The release on trial works, as far as this program can tell. MOULT_NOTHING: none is on trial. */
int moult_confirm(struct moult *m, int timeout);

/* Abandon the update under way, or roll back the release on trial; reason may be NULL. */
int moult_rollback(struct moult *m, const char *reason, int timeout);

/*
 * Get every event from now on, also after a new connection: `event` is "offer",
 * "progress", "state", "retry", "done" or "error", `json` the whole object.
 * "connected" and "lost" tell of the connection itself: after "connected"
 * something may have been missed, so ask for the status. NULL ends it.
 */
typedef void moult_event_fn(void *user, const char *event, const char *json);
int moult_watch(struct moult *m, moult_event_fn *fn, void *user);

/* Facts about the device that policy gets besides those of the system: a JSON object of at most
 * 60000 bytes, such as {"battery":80,"moving":false}. They are kept until the next call; NULL: none.
 * Facts of the script take precedence over those of programs. */
int moult_facts(struct moult *m, const char *json);

/*
 * Any other verb of moult-control(7). `fields` is a JSON object with the fields
 * of the request, or NULL. *result becomes the answer as JSON, to be released
 * with moult_free(), and NULL after a failure; `result` may be NULL.
 */
int moult_ask(struct moult *m, const char *verb, const char *fields, char **result, int timeout);
void moult_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
