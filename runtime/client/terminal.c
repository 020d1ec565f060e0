/* Implements moult/terminal.h by the agent's verb `terminal`. */
#include "moult/terminal.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "moult_link.h"
#include "moult_private.h"

#define WITHIN 5000        /* ms within which the agent must answer */
#define CALL_WITHIN 120000 /* the same for a call, which may first bring the carrier's link down */
#define EVERY 1000         /* ms between two questions about progress */
#define SILENT_MOST 600000 /* ms without an answer, after which a call is over */

/* The vendor's calls have no handle, so there is one twin of each kind. */
struct twin {
    const char *name;
    struct moult *m; /* NULL before the first call */
    void (*on_state)(unsigned char state);
    void (*on_step)(unsigned char *file_name, long int total, long int step);
    bool busy; /* a call is under way, or its handler runs */
};

static struct twin app = {.name = "app"}, mdma = {.name = "mdma"};

/* Ask; `fields` is stolen and may be NULL. *result is a new reference, or NULL. */
static int ask(struct twin *t, const char *what, json_t *fields, json_t **result, int timeout)
{
    *result = NULL;
    if (!t->m)
        t->m = moult_open_usual();
    if (!fields)
        fields = json_object();
    if (!t->m || !fields || json_object_set_new(fields, "what", json_string(what)) < 0 ||
        json_object_set_new(fields, "twin", json_string(t->name)) < 0) {
        json_decref(fields);
        return MOULT_INTERNAL;
    }
    return moult_call(t->m, "terminal", fields, result, timeout);
}

/* Pass a pending state to the handler, and tell the agent, which then forgets it. */
static void deliver(struct twin *t, const json_t *state)
{
    json_int_t owed = json_integer_value(json_object_get(state, "owed"));
    json_t *result;

    if (owed <= 0 || owed > 255 || !t->on_state)
        return;
    t->on_state((unsigned char)owed);
    (void)!ask(t, "took", NULL, &result, WITHIN);
    json_decref(result);
}

/* Deliver a state that the agent has kept, to a new handler or before a call. 0, or an error without an agent. */
static int deliver_kept(struct twin *t)
{
    json_t *state;
    int code = ask(t, "state", NULL, &state, WITHIN);

    if (code == 0)
        deliver(t, state);
    json_decref(state);
    return code;
}

static void show_step(const struct twin *t, unsigned char *file_name)
{
    struct moult_status status;

    if (t->on_step && moult_status(t->m, &status, WITHIN) == 0 && status.total > 0)
        t->on_step(file_name, (long)status.total, (long)status.done);
}

/* Wait until the transfer of an accepted call is over. */
static void follow(struct twin *t, unsigned char *downfile)
{
    unsigned char *slash = (unsigned char *)strrchr((char *)downfile, '/');
    int64_t heard = moult_link_now();

    for (; moult_link_now() - heard < SILENT_MOST; poll(NULL, 0, EVERY)) {
        json_t *state;
        int code = ask(t, "state", NULL, &state, WITHIN);
        bool busy = json_is_true(json_object_get(state, "busy"));
        bool over = code == 0 && !busy && !json_is_true(json_object_get(state, "armed"));

        if (code == 0)
            heard = moult_link_now();
        if (over)
            deliver(t, state);
        json_decref(state);
        if (over)
            return;
        if (busy)
            show_step(t, slash ? slash + 1 : downfile);
    }
}

static bool add_text(json_t *call, const char *name, const unsigned char *text)
{
    return text && *text && json_object_set_new(call, name, json_string((const char *)text)) == 0;
}

static int send_call(struct twin *t, json_t *call)
{
    json_t *result;
    int code = ask(t, "update", json_pack("{s:O}", "call", call), &result, CALL_WITHIN);
    const json_t *value = json_object_get(result, "value");
    bool taken = code == 0 && json_is_integer(value) && json_integer_value(value) == 0;

    json_decref(result);
    return taken ? 0 : -1;
}

static int send_and_follow(struct twin *t, json_t *call, unsigned char *downfile)
{
    int rc;

    t->busy = true;
    rc = deliver_kept(t) == 0 ? send_call(t, call) : -1;
    if (rc == 0)
        follow(t, downfile);
    t->busy = false;
    return rc;
}

static int update(struct twin *t, unsigned char *const texts[7], char type)
{
    static const char *const names[7] = {"apn", "userid", "passwd", "ip", "port", "prover", "downfile"};
    json_t *call = json_pack("{s:i}", "type", type);
    bool fine = call && !t->busy;
    int rc;

    for (int i = 0; fine && i < 7; i++)
        fine = add_text(call, names[i], texts[i]);
    rc = fine ? send_and_follow(t, call, texts[6]) : -1;
    json_decref(call);
    return rc;
}

static int set_state(struct twin *t, void (*fn)(unsigned char state))
{
    if (!fn)
        return -1;
    t->on_state = fn;
    if (t->busy)
        return 0;   /* the call under way delivers it */
    t->busy = true; /* so that the handler is not called again from within itself */
    (void)!deliver_kept(t);
    t->busy = false;
    return 0;
}

static int set_step(struct twin *t, void (*fn)(unsigned char *file_name, long int total, long int step))
{
    if (!fn)
        return -1;
    t->on_step = fn;
    return 0;
}

int dm_app_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                         unsigned char *ip, unsigned char *port, unsigned char *prover,
                                         unsigned char *downfile, char type)
{
    return update(&app, (unsigned char *const[]){apn, userid, passwd, ip, port, prover, downfile}, type);
}

int dm_mdma_SendUpdateModuleUpdatedMsg_HB(unsigned char *apn, unsigned char *userid, unsigned char *passwd,
                                          unsigned char *ip, unsigned char *port, unsigned char *prover,
                                          unsigned char *downfile, char type)
{
    return update(&mdma, (unsigned char *const[]){apn, userid, passwd, ip, port, prover, downfile}, type);
}

int dm_app_RegisterUpdateStateHandle(void (*Fp)(unsigned char state))
{
    return set_state(&app, Fp);
}

int dm_mdma_RegisterUpdateStateHandle(void (*Fp)(unsigned char state))
{
    return set_state(&mdma, Fp);
}

int dm_app_UnRegisterUpdateStateHandle(void)
{
    app.on_state = NULL;
    return 0;
}

int dm_mdma_UnRegisterUpdateStateHandle(void)
{
    mdma.on_state = NULL;
    return 0;
}

int dm_app_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step))
{
    return set_step(&app, Fp);
}

int dm_mdma_RegisterDownLoadStepHandle(void (*Fp)(unsigned char *file_name, long int total, long int step))
{
    return set_step(&mdma, Fp);
}

int dm_app_UnRegisterDownLoadStepHandle(void)
{
    app.on_step = NULL;
    return 0;
}

int dm_mdma_UnRegisterDownLoadStepHandle(void)
{
    mdma.on_step = NULL;
    return 0;
}
