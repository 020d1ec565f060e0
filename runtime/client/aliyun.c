/* Implements moult/aliyun.h by the agent's verb `ota`. */
#include "moult/aliyun.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "moult_base64.h"
#include "moult_private.h"

#define WITHIN 5000       /* ms within which the agent must answer */
#define PIECE 32768       /* bytes in one answer of the agent */
#define YIELD_MOST 60     /* seconds that the agent waits for more bytes */
#define YIELD_LATE 1000   /* ms by which its answer may be late then */
#define PROGRESS_MAX 256  /* bytes of the message that the SDK sends, */
#define PROGRESS_FRAME 40 /* of which so many are not text */

struct ota {
    struct moult *m;
    char *product, *device;
    int error; /* of the last failure */

    json_int_t job;        /* the job that `known` belongs to */
    uint64_t known;        /* bytes that came; of them `held` are still here */
    bool over;             /* nothing more is fetched of this job */
    bool failed, finished; /* as the agent said last */
    bool offered, armed;
    uint64_t size;
    char md5[33], version[136];

    uint8_t piece[PIECE];
    size_t held, at; /* [at, at + held) of the piece */
};

/* The only handle: a second one is refused. */
static struct ota *live;

static int fail(struct ota *h, int code, int result)
{
    h->error = code;
    return result;
}

/* A request with the fields that every call has. NULL: out of memory. */
static json_t *request(const struct ota *h, const char *call)
{
    return json_pack("{s:s, s:s*, s:s*, s:I, s:I, s:b}", "call", call, "product", h->product, "device",
                     h->device, "job", h->job, "known", (json_int_t)h->known, "copy", 1);
}

static int order(struct ota *h, json_t *fields, json_t **result, int timeout)
{
    return fields ? moult_call(h->m, "ota", fields, result, timeout) : MOULT_INTERNAL;
}

static void take_text(char *out, size_t size, const json_t *state, const char *name)
{
    const char *text = json_string_value(json_object_get(state, name));
    size_t len = text ? strlen(text) : 0;

    len = len < size ? len : size - 1;
    memcpy(out, text ? text : "", len);
    out[len] = '\0';
}

/* Take the agent's answer about the job. If it names a new job, the old one is over. */
static void take_state(struct ota *h, const json_t *state)
{
    json_int_t job = json_integer_value(json_object_get(state, "job"));

    if (job != h->job && h->known > 0 && !h->over) {
        h->over = h->failed = true;
        return;
    }
    if (job != h->job) {
        h->known = h->held = 0;
        h->over = false;
    }
    h->job = job;
    h->offered = json_is_string(json_object_get(state, "version"));
    h->armed = json_is_true(json_object_get(state, "armed"));
    h->finished = json_is_true(json_object_get(state, "finished"));
    h->failed = json_is_string(json_object_get(state, "code"));
    h->size = (uint64_t)json_integer_value(json_object_get(state, "size"));
    take_text(h->md5, sizeof h->md5, state, "md5");
    take_text(h->version, sizeof h->version, state, "version");
}

/* Ask for the state of the job: whether it is being fetched, or an error of the connection. */
static int look(struct ota *h)
{
    json_t *state;
    int code = order(h, request(h, "state"), &state, WITHIN);
    bool fetching;

    if (code < 0)
        return code;
    take_state(h, state);
    fetching = json_is_true(json_object_get(state, "fetching"));
    json_decref(state);
    return fetching && !h->over;
}

static void drop(struct ota *h)
{
    moult_close(h->m);
    free(h->product);
    free(h->device);
    free(h);
}

/* Copy a text that may be NULL. false: out of memory. */
static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

void *IOT_OTA_Init(const char *product_key, const char *device_name, void *ch_signal)
{
    struct ota *h = live ? NULL : calloc(1, sizeof *h);
    json_t *result = NULL;

    (void)ch_signal;
    if (!h)
        return NULL;
    h->m = moult_open_usual();
    if (!copy(&h->product, product_key) || !copy(&h->device, device_name) || !h->m ||
        order(h, request(h, "init"), &result, WITHIN) < 0) {
        drop(h);
        return NULL;
    }
    json_decref(result);
    live = h;
    return h;
}

int IOT_OTA_Deinit(void *handle)
{
    struct ota *h = handle;
    json_t *result = NULL;

    if (!h)
        return IOT_OTAE_INVALID_PARAM;
    (void)order(h, request(h, "deinit"), &result, WITHIN); /* else the end of the connection does it */
    json_decref(result);
    drop(h);
    live = NULL;
    return 0;
}

static int tell(struct ota *h, json_t *fields)
{
    json_t *result = NULL;
    int code = order(h, fields, &result, WITHIN);

    json_decref(result);
    if (code == 0)
        return 0;
    if (!moult_answered(h->m))
        return fail(h, IOT_OTAE_OSC_FAILED, -1);
    return fail(h, code == MOULT_NOTHING ? IOT_OTAE_INVALID_STATE : IOT_OTAE_GENERAL, -1);
}

int IOT_OTA_ReportVersion(void *handle, const char *version)
{
    struct ota *h = handle;
    json_t *fields;

    if (!h)
        return IOT_OTAE_INVALID_PARAM;
    if (!version || !*version)
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    if (strlen(version) >= OTA_VERSION_LEN_MAX)
        return fail(h, IOT_OTAE_STR_TOO_LONG, -1);
    fields = request(h, "version");
    if (fields)
        json_object_set_new(fields, "version", json_string(version));
    return tell(h, fields);
}

int IOT_OTA_ReportProgress(void *handle, IOT_OTA_Progress_t progress, const char *msg)
{
    struct ota *h = handle;
    json_t *fields;

    if (!h)
        return IOT_OTAE_INVALID_PARAM;
    if (progress < IOT_OTAP_BURN_FAILED || progress > IOT_OTAP_FETCH_PERCENTAGE_MAX)
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    if (msg && strlen(msg) + PROGRESS_FRAME >= PROGRESS_MAX)
        return fail(h, IOT_OTAE_STR_TOO_LONG, -1);
    fields = request(h, "progress");
    if (fields) {
        json_object_set_new(fields, "step", json_integer(progress));
        if (msg)
            json_object_set_new(fields, "text", json_string(msg));
    }
    return tell(h, fields);
}

int IOT_OTA_IsFetching(void *handle)
{
    struct ota *h = handle;

    return h && look(h) > 0;
}

int IOT_OTA_IsFetchFinish(void *handle)
{
    struct ota *h = handle;

    if (!h)
        return 0;
    if (!h->over && h->held == 0 && look(h) >= 0 && h->finished && (h->failed || h->known >= h->size))
        h->over = true;
    return h->over;
}

/* Take the bytes from the answer to a yield. */
static void take_piece(struct ota *h, const json_t *state)
{
    const char *data = json_string_value(json_object_get(state, "data"));
    long len = data && !h->over ? moult_base64_decode(h->piece, sizeof h->piece, data) : 0;

    if (len < 0) {
        h->over = h->failed = true;
        return;
    }
    h->held = (size_t)len;
    h->at = 0;
    h->known += h->held;
}

/* Fetch the next piece: 0, or the value that FetchYield returns. */
static int fetch(struct ota *h, uint32_t seconds)
{
    uint32_t till = seconds < YIELD_MOST ? seconds : YIELD_MOST;
    json_t *fields = request(h, "yield"), *state;
    int code;
    bool fetching;

    if (fields)
        json_object_set_new(fields, "seconds", json_integer(till));
    code = order(h, fields, &state, (int)till * 1000 + YIELD_LATE);
    if (code == MOULT_TIMEOUT || code == MOULT_NETWORK || (code == MOULT_NOTHING && !moult_answered(h->m)))
        return 0; /* the agent is asked again */
    if (code < 0) {
        h->over = h->failed = true;
        return fail(h, IOT_OTAE_FETCH_FAILED, -1);
    }
    take_state(h, state);
    take_piece(h, state);
    if (h->finished && h->held == 0 && h->known < h->size)
        h->failed = true; /* the agent has armed it without us, so no more bytes will come */
    fetching = json_is_true(json_object_get(state, "fetching"));
    json_decref(state);
    if (h->failed) {
        h->over = true;
        return fail(h, IOT_OTAE_FETCH_FAILED, -1);
    }
    return fetching || h->finished ? 0 : fail(h, IOT_OTAE_INVALID_STATE, IOT_OTAE_INVALID_STATE);
}

int IOT_OTA_FetchYield(void *handle, char *buf, uint32_t buf_len, uint32_t timeout_s)
{
    struct ota *h = handle;
    size_t n;
    int rc;

    if (!h)
        return IOT_OTAE_INVALID_PARAM;
    if (!buf || buf_len == 0)
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    if (h->over)
        return fail(h, IOT_OTAE_INVALID_STATE, IOT_OTAE_INVALID_STATE);
    rc = h->held == 0 ? fetch(h, timeout_s) : 0;
    if (rc < 0)
        return rc;
    n = h->held < buf_len ? h->held : buf_len;
    memcpy(buf, h->piece + h->at, n);
    h->at += n;
    h->held -= n;
    return (int)n;
}

static int put_number(struct ota *h, void *buf, size_t buf_len, uint64_t value)
{
    uint32_t number = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;

    if (buf_len != sizeof number || (uintptr_t)buf % sizeof number != 0)
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    memcpy(buf, &number, sizeof number);
    return 0;
}

static int put_text(char *buf, size_t buf_len, const char *text)
{
    size_t len = strlen(text) < buf_len ? strlen(text) : buf_len - 1;

    memcpy(buf, text, len);
    buf[len] = '\0';
    return 0;
}

int IOT_OTA_Ioctl(void *handle, IOT_OTA_CmdType_t type, void *buf, size_t buf_len)
{
    struct ota *h = handle;

    if (!h)
        return IOT_OTAE_INVALID_PARAM;
    if (!buf || buf_len == 0)
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    if (!h->over || type == IOT_OTAG_CHECK_FIRMWARE)
        look(h);
    if (!h->offered)
        return fail(h, IOT_OTAE_INVALID_STATE, IOT_OTAE_INVALID_STATE);
    switch (type) {
    case IOT_OTAG_FETCHED_SIZE:
        return put_number(h, buf, buf_len, h->failed ? 0 : h->known - h->held);
    case IOT_OTAG_FILE_SIZE:
        return put_number(h, buf, buf_len, h->size);
    case IOT_OTAG_MD5SUM:
        return put_text(buf, buf_len, h->md5);
    case IOT_OTAG_VERSION:
        return put_text(buf, buf_len, h->version);
    case IOT_OTAG_CHECK_FIRMWARE:
        return h->over ? put_number(h, buf, buf_len, h->armed) : fail(h, IOT_OTAE_INVALID_STATE, -1);
    default:
        return fail(h, IOT_OTAE_INVALID_PARAM, -1);
    }
}

int IOT_OTA_GetLastError(void *handle)
{
    const struct ota *h = handle;

    return h ? h->error : IOT_OTAE_INVALID_PARAM;
}

int IOT_MQTT_Yield(void *handle, int timeout_ms)
{
    (void)handle;
    poll(NULL, 0, timeout_ms > 0 ? timeout_ms : 0);
    return 0;
}
