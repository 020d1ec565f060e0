/* The protocol over the link: matches answers with calls, and handles events and facts. */
#include "moult.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moult_link.h"
#include "moult_private.h"

#define PROTOCOL 1      /* moult-control(7) */
#define FACTS_MAX 60000 /* bytes, so that a line has room for them and the rest of the object */
#define LINES_A_TURN 64 /* lines after which the caller's time limit is checked */

/* The id of the request that begins a connection. */
#define HELLO 0

struct moult {
    struct moult_link link;
    bool greeted;    /* the agent answered our hello */
    bool inside;     /* a callback runs */
    bool answered;   /* the last call ended with an answer of the agent */
    json_int_t last; /* number of the last request */

    json_int_t waiting; /* number of the call that is made, 0: none */
    int code;           /* of its answer: MOULT_TIMEOUT while there is none */
    json_t *result;

    moult_event_fn *on_event;
    void *user;
    json_t *facts;

    char message[512];
};

int moult_fail(struct moult *m, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(m->message, sizeof m->message, format, args);
    va_end(args);
    return code;
}

const char *moult_message(const struct moult *m)
{
    return m->message;
}

static const struct {
    int code;
    const char *word;
} words[] = {
    {MOULT_OK, "ok"},           {MOULT_INTERNAL, "internal"},   {MOULT_USAGE, "usage"},
    {MOULT_NOTHING, "nothing"}, {MOULT_RESTART, "restart"},     {MOULT_BUSY, "busy"},
    {MOULT_NETWORK, "network"}, {MOULT_MISSING, "missing"},     {MOULT_EXPIRED, "expired"},
    {MOULT_CORRUPT, "corrupt"}, {MOULT_UNTRUSTED, "untrusted"}, {MOULT_INCOMPATIBLE, "incompatible"},
    {MOULT_NOSPACE, "nospace"}, {MOULT_WRITE, "write"},         {MOULT_ROLLEDBACK, "rolledback"},
    {MOULT_REFUSED, "refused"}, {MOULT_DEFERRED, "deferred"},   {MOULT_STATELOST, "statelost"},
    {MOULT_TIMEOUT, "timeout"},
};

const char *moult_word(int code)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].code == code)
            return words[i].word;
    return "internal";
}

static int code_of(const char *word)
{
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    return MOULT_INTERNAL;
}

struct moult *moult_open(const char *path)
{
    struct moult *m = calloc(1, sizeof *m);

    if (!m || moult_link_open(&m->link, path))
        return m;
    moult_close(m);
    return NULL;
}

void moult_close(struct moult *m)
{
    if (!m)
        return;
    moult_link_close(&m->link);
    json_decref(m->facts);
    json_decref(m->result);
    free(m);
}

int moult_fd(const struct moult *m)
{
    return m->link.epoll;
}

/* End the call that waits, if one does. */
static void settle(struct moult *m, int code, json_t *result)
{
    if (m->waiting == 0 || m->code != MOULT_TIMEOUT)
        return;
    m->code = code;
    m->result = json_incref(result);
}

/* Whether to keep a connection even without an open call. */
static bool stays(const struct moult *m)
{
    return m->on_event || m->facts;
}

static void tell(struct moult *m, const char *event, const char *json)
{
    if (!m->on_event)
        return;
    m->inside = true;
    m->on_event(m->user, event, json);
    m->inside = false;
}

static void lose(struct moult *m, int code, const char *why)
{
    bool greeted = m->greeted;

    m->greeted = false;
    moult_link_drop(&m->link, stays(m));
    if (m->waiting != 0 && m->code == MOULT_TIMEOUT)
        settle(m, moult_fail(m, code, "%s", why), NULL);
    if (greeted)
        tell(m, "lost", "{\"event\":\"lost\"}");
}

/* Queue one object, which is stolen. */
static int queue(struct moult *m, json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    int rc = line ? moult_link_send(&m->link, line, strlen(line)) : MOULT_INTERNAL;

    json_decref(object);
    free(line);
    if (rc == MOULT_USAGE)
        return moult_fail(m, rc, "a request of more than %d bytes", MOULT_LINE_MAX);
    if (rc == MOULT_BUSY)
        return moult_fail(m, rc, "the agent does not read its requests");
    return rc < 0 ? moult_fail(m, rc, "out of memory") : 0;
}

static void greet(struct moult *m)
{
    queue(m, json_pack("{s:s, s:i, s:i}", "verb", "hello", "id", HELLO, "protocol", PROTOCOL));
    if (stays(m))
        queue(m, json_pack("{s:s, s:b}", "verb", "watch", "facts", m->facts != NULL));
}

static void take_event(struct moult *m, const json_t *object, const char *event)
{
    const json_t *id = json_object_get(object, "id");
    char *json;

    if (strcmp(event, "facts") == 0) {
        if (m->facts && id)
            queue(m, json_pack("{s:s, s:O, s:O}", "verb", "facts", "id", id, "facts", m->facts));
        return;
    }
    json = m->on_event ? json_dumps(object, JSON_COMPACT) : NULL;
    if (json)
        tell(m, event, json);
    free(json);
}

static void take_answer(struct moult *m, const json_t *object)
{
    const json_t *id = json_object_get(object, "id");
    const char *message = json_string_value(json_object_get(object, "message"));
    bool ok = json_is_true(json_object_get(object, "ok"));

    if (json_is_integer(id) && json_integer_value(id) == HELLO) {
        m->greeted = ok;
        if (ok)
            tell(m, "connected", "{\"event\":\"connected\"}");
        else
            lose(m, MOULT_INCOMPATIBLE, message ? message : "the agent speaks another protocol");
    } else if (!id) { /* without an id: why the agent ends the connection */
        lose(m, code_of(json_string_value(json_object_get(object, "code"))), message ? message : "refused");
    } else if (json_is_integer(id) && json_integer_value(id) == m->waiting && m->code == MOULT_TIMEOUT) {
        m->answered = true;
        if (ok)
            settle(m, MOULT_OK, json_object_get(object, "result"));
        else
            settle(m,
                   moult_fail(m, code_of(json_string_value(json_object_get(object, "code"))), "%s",
                              message ? message : "no reason given"),
                   NULL);
    }
}

static void take_line(struct moult *m, const char *line, size_t len)
{
    json_error_t error;
    json_t *object = json_loadb(line, len, 0, &error);
    const char *event = json_string_value(json_object_get(object, "event"));

    if (!json_is_object(object))
        lose(m, MOULT_CORRUPT, "the agent's answer is not JSON");
    else if (event)
        take_event(m, object, event);
    else
        take_answer(m, object);
    json_decref(object);
}

static void take_lines(struct moult *m)
{
    const char *line;
    size_t len;

    for (int i = 0; i < LINES_A_TURN || moult_link_has_line(&m->link); i++) {
        int rc = moult_link_line(&m->link, &line, &len);

        if (rc == 1)
            take_line(m, line, len);
        else if (rc == MOULT_NETWORK)
            lose(m, rc, "the agent went away before it answered");
        else if (rc < 0)
            lose(m, rc, "the agent sent a line that is too long");
        if (rc == 0 || m->link.socket < 0)
            return;
    }
}

/* Handle what arrives, waiting at most until `till`. */
static int serve(struct moult *m, int64_t till)
{
    int found = moult_link_wait(&m->link, till);

    if (found < 0)
        return moult_fail(m, MOULT_INTERNAL, "epoll: %s", strerror(errno));
    if (found & MOULT_LINK_UP)
        greet(m);
    if (found & MOULT_LINK_READABLE)
        take_lines(m);
    return 0;
}

int moult_dispatch(struct moult *m, int timeout)
{
    if (m->inside)
        return MOULT_USAGE;
    m->message[0] = '\0';
    return serve(m, moult_link_now() + (timeout > 0 ? timeout : 0));
}

static int no_agent(struct moult *m)
{
    if (m->link.why == EACCES || m->link.why == EPERM)
        return moult_fail(m, MOULT_REFUSED, "%s: this user may not ask the agent", m->link.path);
    if (m->link.why == EAGAIN)
        return moult_fail(m, MOULT_BUSY, "%s: the agent has too many clients; try again", m->link.path);
    return moult_fail(m, MOULT_NOTHING, "%s: no agent answers (%s); does `moult run` run?", m->link.path,
                      strerror(m->link.why));
}

/* One try, unless there is a connection. */
static bool connect_now(struct moult *m)
{
    bool fresh = m->link.socket < 0;

    if (!moult_link_connect(&m->link))
        return false;
    if (fresh)
        greet(m);
    return true;
}

/* Returns 0 if there is a connection before `till`. */
static int connect_until(struct moult *m, int64_t till)
{
    if (connect_now(m))
        return 0;
    while (m->link.socket < 0) {
        if (moult_link_now() >= till)
            return no_agent(m);
        if (serve(m, till) < 0)
            return MOULT_INTERNAL;
    }
    return 0;
}

static int wait_for_answer(struct moult *m, const char *verb, int64_t till)
{
    while (m->code == MOULT_TIMEOUT) {
        if (moult_link_now() >= till)
            return moult_fail(m, MOULT_TIMEOUT, "the agent did not answer %s in time", verb);
        if (serve(m, till) < 0)
            return MOULT_INTERNAL;
    }
    return m->code;
}

/* If the connection was lost while no call was open, make a new one, so that this call does not fail. */
static int refresh(struct moult *m)
{
    return m->link.socket >= 0 ? serve(m, 0) : 0;
}

int moult_call(struct moult *m, const char *verb, json_t *fields, json_t **result, int timeout)
{
    int64_t till = moult_link_now() + (timeout > 0 ? timeout : 0);
    json_t *request = fields ? fields : json_object();
    int code;

    *result = NULL;
    m->answered = false;
    if (m->inside) {
        json_decref(request);
        return MOULT_USAGE;
    }
    m->message[0] = '\0';
    code = refresh(m) < 0 ? MOULT_INTERNAL : connect_until(m, till);
    if (code < 0 || !request || json_object_set_new(request, "verb", json_string(verb)) < 0 ||
        json_object_set_new(request, "id", json_integer(++m->last)) < 0) {
        json_decref(request);
        return code < 0 ? code : moult_fail(m, MOULT_INTERNAL, "out of memory");
    }
    m->waiting = m->last;
    m->code = MOULT_TIMEOUT;
    code = queue(m, request);
    if (code == 0)
        code = wait_for_answer(m, verb, till);
    m->waiting = 0;
    *result = m->result;
    m->result = NULL;
    if (code == 0)
        m->message[0] = '\0';
    return code;
}

bool moult_answered(const struct moult *m)
{
    return m->answered;
}

/* Tell the agent what this connection is for. A new connection begins with that, now or later. */
static int announce(struct moult *m)
{
    if (m->link.socket < 0)
        return connect_now(m), 0;
    return queue(m, json_pack("{s:s, s:b}", "verb", "watch", "facts", m->facts != NULL));
}

int moult_watch(struct moult *m, moult_event_fn *fn, void *user)
{
    if (m->inside)
        return MOULT_USAGE;
    m->message[0] = '\0';
    m->on_event = fn;
    m->user = user;
    return fn ? announce(m) : 0;
}

int moult_facts(struct moult *m, const char *json)
{
    json_error_t error;
    json_t *facts = json ? json_loads(json, 0, &error) : NULL;

    if (m->inside || (json && !json_is_object(facts))) {
        json_decref(facts);
        return m->inside ? MOULT_USAGE : moult_fail(m, MOULT_USAGE, "facts: not a JSON object");
    }
    if (facts && json_dumpb(facts, NULL, 0, JSON_COMPACT) > FACTS_MAX) {
        json_decref(facts);
        return moult_fail(m, MOULT_USAGE, "facts: more than %d bytes", FACTS_MAX);
    }
    m->message[0] = '\0';
    json_decref(m->facts);
    m->facts = facts;
    return announce(m);
}
