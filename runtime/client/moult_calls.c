/* The calls of moult.h: turns the answers, which are JSON, into structures. */
#include <stdlib.h>
#include <string.h>

#include "moult.h"
#include "moult_private.h"

/* Copy a text of an object, or "", cut between characters if it is too long. */
static void take(char *out, size_t size, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    size_t len = text ? strlen(text) : 0;

    if (len >= size)
        for (len = size - 1; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
}

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));

    return n > 0 ? (uint64_t)n : 0;
}

int moult_status(struct moult *m, struct moult_status *out, int timeout)
{
    const json_t *t, *last;
    json_t *result;
    int code = moult_call(m, "status", NULL, &result, timeout);

    memset(out, 0, sizeof *out);
    if (code < 0)
        return code;
    t = json_object_get(result, "transaction");
    last = json_object_get(result, "last");
    take(out->phase, sizeof out->phase, result, "phase");
    take(out->release, sizeof out->release, result, "release");
    take(out->version, sizeof out->version, json_object_get(result, "script"), "version");
    take(out->next, sizeof out->next, t, "release");
    take(out->last_code, sizeof out->last_code, last, "code");
    take(out->last_message, sizeof out->last_message, last, "message");
    take(out->trouble, sizeof out->trouble, json_object_get(result, "trouble"), "message");
    take(out->mixed, sizeof out->mixed, result, "mixed");
    out->done = number(t, "done");
    out->total = number(t, "total");
    json_decref(result);
    return 0;
}

int moult_check(struct moult *m, struct moult_offer *out, int timeout)
{
    const json_t *offer, *decision;
    json_t *result;
    int code = moult_call(m, "check", NULL, &result, timeout);

    memset(out, 0, sizeof *out);
    if (code == MOULT_NOTHING && moult_answered(m))
        return 0;
    if (code < 0)
        return code;
    offer = json_object_get(result, "offer");
    decision = json_object_get(result, "decision");
    take(out->action, sizeof out->action, decision, "action");
    take(out->reason, sizeof out->reason, decision, "reason");
    take(out->release, sizeof out->release, offer, "release");
    take(out->cloud, sizeof out->cloud, offer, "cloud");
    out->size = number(offer, "size");
    out->sequence = number(offer, "sequence");
    json_decref(result);
    return 0;
}

/* A request whose answer has no result. */
static int order(struct moult *m, const char *verb, json_t *fields, int timeout)
{
    json_t *result;
    int code = moult_call(m, verb, fields, &result, timeout);

    json_decref(result);
    return code;
}

int moult_install(struct moult *m, const char *source, int timeout)
{
    if (!source || !*source)
        return moult_fail(m, MOULT_USAGE, "install needs a source: a URL or an absolute path");
    return order(m, "install", json_pack("{s:s}", "source", source), timeout);
}

int moult_confirm(struct moult *m, int timeout)
{
    return order(m, "confirm", NULL, timeout);
}

int moult_rollback(struct moult *m, const char *reason, int timeout)
{
    return order(m, "rollback", reason ? json_pack("{s:s}", "reason", reason) : NULL, timeout);
}

int moult_ask(struct moult *m, const char *verb, const char *fields, char **result, int timeout)
{
    json_error_t error;
    json_t *request = fields ? json_loads(fields, 0, &error) : NULL, *answer;
    int code;

    if (result)
        *result = NULL;
    if (fields && !json_is_object(request)) {
        json_decref(request);
        return moult_fail(m, MOULT_USAGE, "%s: the fields are not a JSON object", verb);
    }
    code = moult_call(m, verb, request, &answer, timeout);
    if (code == 0 && result) {
        *result = json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!*result)
            code = moult_fail(m, MOULT_INTERNAL, "out of memory");
    }
    json_decref(answer);
    return code;
}

void moult_free(char *text)
{
    free(text);
}

struct moult *moult_open_usual(void)
{
    const char *path = getenv("MOULT_CONTROL");

    return moult_open(path && *path ? path : "/var/lib/moult/control");
}
