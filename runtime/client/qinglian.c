/* Implements moult/qinglian.h by the agent's verb `qinglian`. */
#include "moult/qinglian.h"

#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "moult_base64.h"
#include "moult_private.h"

/* A program defines the callbacks that it wants. */
#pragma weak iot_status_cb
#pragma weak iot_patches_list_cb
#pragma weak iot_patchs_list_cb
#pragma weak iot_ota_info_cb
#pragma weak iot_ota_upgrade_cb
#pragma weak iot_chunk_cb

#define WITHIN 5000     /* ms within which the agent must answer */
#define NEWS_MOST 70000 /* ms that it may wait for news, which is a minute, and the way */
#define AGAIN 1000      /* ms until an agent that went away is asked again */
#define PIECE 32768     /* bytes of a chunk at most */
#define TEXT 16         /* bytes of a name, a version and a serial number */
#define BUFFER_MOST 4194304

static atomic_bool started, option_set;

/* What the thread keeps between two events. */
struct listener {
    struct moult *m;
    json_int_t after; /* number of the last event; -1: none yet */
    bool refused;     /* the program wants no more of this package */
    json_t *patches;  /* the list that `list` points into */
    patches_list_t *list;
    uint8_t piece[PIECE];
};

static bool is_text(const char *text)
{
    return text && strnlen(text, TEXT + 1) <= TEXT && *text;
}

iot_s32 iot_config_info(INFO_TYPE_T info_type, void *info)
{
    const char *text = info;

    if (atomic_load(&started) || !text)
        return -1;
    if (info_type == INFO_TYPE_ENCRYPT)
        return strncmp(text, "AES", 3) == 0 || strncmp(text, "SSL", 3) == 0 ? 0 : -1;
    if (info_type != INFO_TYPE_SN || !is_text(text))
        return -1;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text))
            return -1;
    return 0;
}

iot_s32 iot_ota_option_set(iot_u32 expect_time, iot_u32 chunk_size, OTA_TYPE type)
{
    bool good = expect_time >= 120 && expect_time <= 3600 && chunk_size > 0 &&
                (chunk_size & (chunk_size - 1)) == 0 && chunk_size <= BUFFER_MOST &&
                (type == OTA_TYPE_BASIC || type == OTA_TYPE_BREAKPOINT);

    return good && !atomic_exchange(&option_set, true) ? 0 : -1;
}

/* Ask with a connection of its own, so that every thread may. The fields are stolen. */
static json_t *ask(json_t *fields)
{
    struct moult *m = moult_open_usual();
    json_t *result = NULL;

    if (!m) {
        json_decref(fields);
        return NULL;
    }
    (void)!moult_call(m, "qinglian", fields, &result, WITHIN);
    moult_close(m);
    return result;
}

static iot_s32 value_of(json_t *fields)
{
    json_t *result = fields ? ask(fields) : NULL;
    const json_t *value = json_object_get(result, "value");
    iot_s32 taken = json_is_integer(value) && json_integer_value(value) == 0 ? 0 : -1;

    json_decref(result);
    return taken;
}

iot_s32 iot_patch_req(const char *name, const char *version)
{
    if (!is_text(name) || !is_text(version))
        return -1;
    return value_of(json_pack("{s:s, s:s, s:s}", "what", "patch_req", "name", name, "version", version));
}

iot_s32 iot_patch_end(const char *name, const char *version, DEV_STATUS_T patch_state)
{
    bool ok = patch_state == DEV_STA_PATCH_SUCCESS;

    if (!is_text(name) || !is_text(version) || (!ok && patch_state != DEV_STA_PATCH_FAILED))
        return -1;
    return value_of(
        json_pack("{s:s, s:s, s:s, s:b}", "what", "patch_end", "name", name, "version", version, "ok", ok));
}

iot_u32 iot_get_onlinetime(void)
{
    json_t *result = ask(json_pack("{s:s}", "what", "time"));
    json_int_t time = json_integer_value(json_object_get(result, "time"));

    json_decref(result);
    return time > 0 && time <= UINT32_MAX ? (iot_u32)time : 0;
}

static json_int_t number_of(const json_t *news, const char *name)
{
    return json_integer_value(json_object_get(news, name));
}

static void tell_status(struct listener *l, const json_t *news)
{
    (void)l;
    if (iot_status_cb)
        iot_status_cb((DEV_STATUS_T)number_of(news, "state"), (iot_u32)number_of(news, "time"));
}

static void tell_info(struct listener *l, const json_t *news)
{
    const char *name = json_string_value(json_object_get(news, "name"));
    const char *version = json_string_value(json_object_get(news, "version"));
    char texts[2][TEXT + 1] = {{0}};

    l->refused = false;
    strncpy(texts[0], name ? name : "", TEXT);
    strncpy(texts[1], version ? version : "", TEXT);
    if (iot_ota_info_cb)
        iot_ota_info_cb(texts[0], texts[1], (iot_u32)number_of(news, "size"),
                        (iot_u16)number_of(news, "crc"));
}

static void tell_upgrade(struct listener *l, const json_t *news)
{
    (void)l;
    (void)news;
    if (iot_ota_upgrade_cb)
        iot_ota_upgrade_cb();
}

static char *text_in(json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));

    return (char *)(uintptr_t)(text ? text : ""); /* the SDK's type is not const */
}

static void tell_list(struct listener *l, const json_t *news)
{
    json_t *patches = json_object_get(news, "patches");
    size_t count = json_array_size(patches);
    patches_list_t *list = calloc(count ? count : 1, sizeof *list);

    if (!list)
        return;
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(patches, i);

        list[i].name = text_in(item, "name");
        list[i].version = text_in(item, "version");
        list[i].total_len = (iot_u32)number_of(item, "size");
    }
    if (iot_patches_list_cb)
        iot_patches_list_cb((iot_s32)count, list);
    else if (iot_patchs_list_cb)
        iot_patchs_list_cb((iot_s32)count, list);
    json_decref(l->patches);
    free(l->list);
    l->patches = json_incref(patches);
    l->list = list;
}

static void tell_chunk(struct listener *l, const json_t *news)
{
    const char *data = json_string_value(json_object_get(news, "data"));
    long size = data ? moult_base64_decode(l->piece, sizeof l->piece, data) : -1;

    if (size <= 0 || !iot_chunk_cb)
        return;
    l->refused = iot_chunk_cb((iot_u8)number_of(news, "stat"), (iot_u32)number_of(news, "offset"),
                              (iot_u32)size, (const iot_s8 *)l->piece) != ACK_OK;
}

static void tell(struct listener *l, const json_t *news)
{
    static const struct {
        const char *kind;
        void (*tell)(struct listener *l, const json_t *news);
    } kinds[] = {{"status", tell_status},
                 {"info", tell_info},
                 {"upgrade", tell_upgrade},
                 {"list", tell_list},
                 {"chunk", tell_chunk}};
    const char *kind = json_string_value(json_object_get(news, "kind"));

    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            kinds[i].tell(l, news);
}

/* Wait for the next event; by asking the program says that it has dealt with the last. */
static bool next(struct listener *l, json_t **news)
{
    json_t *fields =
        json_pack("{s:s, s:b, s:b}", "what", "wait", "copy", iot_chunk_cb != NULL, "refused", l->refused);

    *news = NULL;
    if (fields && l->after >= 0 && json_object_set_new(fields, "after", json_integer(l->after)) < 0) {
        json_decref(fields);
        return false;
    }
    return fields && moult_call(l->m, "qinglian", fields, news, NEWS_MOST) == 0;
}

static void *listen_for_ever(void *context)
{
    struct listener *l = context;

    for (;;) {
        json_t *news;

        if (!next(l, &news))
            poll(NULL, 0, AGAIN);
        else if (json_is_integer(json_object_get(news, "number"))) {
            l->after = number_of(news, "number");
            tell(l, news);
        }
        json_decref(news);
    }
    return NULL;
}

static bool is_valid(const struct iot_context *ctx)
{
    const char *v = ctx ? ctx->mcu_version : NULL;

    return v && isdigit((unsigned char)v[0]) && isdigit((unsigned char)v[1]) && v[2] == '.' &&
           isdigit((unsigned char)v[3]) && isdigit((unsigned char)v[4]) && ctx->server_addr &&
           strlen(ctx->server_addr) >= 5 && ctx->recvbuf_size <= BUFFER_MOST &&
           ctx->sendbuf_size <= BUFFER_MOST;
}

iot_s32 iot_start(struct iot_context *ctx)
{
    struct listener *l;
    pthread_t thread;

    if (!is_valid(ctx) || atomic_exchange(&started, true))
        return -1;
    l = calloc(1, sizeof *l);
    if (l) {
        l->m = moult_open_usual();
        l->after = -1;
    }
    if (!l || !l->m || pthread_create(&thread, NULL, listen_for_ever, l) != 0) {
        if (l && l->m)
            moult_close(l->m);
        free(l);
        atomic_store(&started, false);
        return -1;
    }
    pthread_detach(thread); /* it lives as long as the program, as the SDK's */
    return 0;
}
