/*
 * update.native.mqtt -- a client of an MQTT broker that stays connected by itself.
 *
 *     local m <close> = assert(mqtt.open { host = "127.0.0.1", port = 1883, client_id = "d1" })
 *     m:subscribe("offers/d1", 1)
 *     m:publish("reports/d1", "hello", 1)
 *     while true do
 *       local fd = m:fd()
 *       loop:poll(m:remaining(), fd and { { fd = fd, read = true, write = m:wants_write() } })
 *       for event in m.step, m do ... end
 *     end
 *
 * Events by `kind`: connected {session}, disconnected {message, code, retry_after (s)},
 * message {topic, payload, qos, retain}, published {id, unheard (true: nobody
 * listens), refused (text: the broker takes it and gives it to nobody)}, subscribed {topic, qos},
 * denied {topic, message, code}, dropped {topic, size, message, code: too large a message came},
 * lost {id, topic, size (of its packet), message, code: the broker ends connections over this message}. Pass
 * over a kind that you do not know.
 */
#include "mqtt.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define MQTT "update.native.mqtt"

struct handle {
    struct up_mqtt *client; /* NULL once closed, and while opening */
};

static struct up_mqtt *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, MQTT);

    if (!h->client)
        luaL_error(L, "attempt to use a closed client");
    return h->client;
}

/* Seconds, fractions allowed, as milliseconds. */
static uint64_t field_ms(lua_State *L, const char *name, uint64_t otherwise)
{
    lua_Number v;

    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        v = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(v > 0 && v < 1e6))
            luaL_error(L, "field '%s' must be seconds, more than 0 and less than 1000000", name);
        otherwise = (uint64_t)(v * 1000);
    }
    lua_pop(L, 1);
    return otherwise;
}

static unsigned field_unsigned(lua_State *L, const char *name, unsigned otherwise)
{
    uint64_t v = up_field_integer(L, 1, name, otherwise);

    return v > 0xffffffff ? 0xffffffff : (unsigned)v;
}

/* Leaves the table on the stack, which owns the strings; false when there is none. */
static int check_table(lua_State *L, const char *name)
{
    int type = lua_getfield(L, 1, name);

    if (type != LUA_TNIL && type != LUA_TTABLE)
        luaL_error(L, "field '%s' must be a table, not a %s", name, luaL_typename(L, -1));
    return type == LUA_TTABLE;
}

static void check_tls(lua_State *L, struct up_mqtt_options *o)
{
    if (!check_table(L, "tls"))
        return;
    o->tls = true;
    o->ca = up_field_string(L, -1, "ca", NULL);
    o->cert = up_field_string(L, -1, "cert", NULL);
    o->key = up_field_string(L, -1, "key", NULL);
    o->server_name = up_field_string(L, -1, "server_name", NULL);
    o->insecure = up_field_boolean(L, -1, "insecure", 0);
    o->time_floor = up_field_integer(L, -1, "time_floor", 0);
    o->psk_identity = up_field_string(L, -1, "psk_identity", NULL);
    o->psk = up_field_string(L, -1, "psk", NULL);
    if (o->psk) {
        lua_getfield(L, -1, "psk");
        o->psk_len = lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
}

static int check_qos(lua_State *L, uint64_t qos)
{
    if (qos > 1)
        luaL_error(L, "qos is 0 or 1");
    return (int)qos;
}

static void check_will(lua_State *L, struct up_mqtt_options *o)
{
    if (!check_table(L, "will"))
        return;
    o->will_topic = up_field_string(L, -1, "topic", NULL);
    o->will_payload = up_field_string(L, -1, "payload", "");
    if (!o->will_topic)
        luaL_error(L, "field 'will' needs a topic");
    if (lua_getfield(L, -1, "payload") == LUA_TSTRING)
        o->will_len = lua_rawlen(L, -1);
    lua_pop(L, 1);
    o->will_qos = check_qos(L, up_field_integer(L, -1, "qos", 0));
    o->will_retain = up_field_boolean(L, -1, "retain", 0);
}

/* open(options) -> client | nil, message, code ("usage": an option, or a file that it names)
 * Returns at once, and connects by itself, again and again. Options: host, port, client_id
 * (made up when absent and clean), user, password, keepalive (60 s), clean (true), five (false;
 * true: MQTT 5, where the broker speaks it), tls = {ca, cert, key (files), server_name (host),
 * insecure (false), time_floor; or psk_identity, psk (bytes)}, will = {topic, payload, qos, retain},
 * back_off_min (1 s), back_off_max (300 s), queue (64 messages). */
static int f_open(lua_State *L)
{
    struct up_mqtt_options o = {0};
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    o.host = up_field_string(L, 1, "host", NULL);
    o.port = field_unsigned(L, "port", 0);
    o.client_id = up_field_string(L, 1, "client_id", NULL);
    o.user = up_field_string(L, 1, "user", NULL);
    o.password = up_field_string(L, 1, "password", NULL);
    o.keepalive = field_unsigned(L, "keepalive", 60);
    o.clean = up_field_boolean(L, 1, "clean", 1);
    o.five = up_field_boolean(L, 1, "five", 0);
    o.back_off_min = field_ms(L, "back_off_min", 1000);
    o.back_off_max = field_ms(L, "back_off_max", 300000);
    o.queue = field_unsigned(L, "queue", UP_MQTT_QUEUE);
    check_tls(L, &o);
    check_will(L, &o);
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->client = NULL;
    luaL_setmetatable(L, MQTT);
    if (up_mqtt_open(&h->client, up_storage_system(), &o, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* client:fd() -> descriptor to poll for reading, and for writing while wants_write() | nil
 * Another one after each step. */
static int m_fd(lua_State *L)
{
    int fd = up_mqtt_fd(check_open(L));

    if (fd < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, fd);
    return 1;
}

/* client:wants_write() -> whether something waits to be sent */
static int m_wants_write(lua_State *L)
{
    lua_pushboolean(L, up_mqtt_wants_write(check_open(L)));
    return 1;
}

/* client:remaining() -> milliseconds until step() is to be called at the latest */
static int m_remaining(lua_State *L)
{
    lua_pushinteger(L, up_mqtt_remaining(check_open(L)));
    return 1;
}

static const char *const kinds[] = {
    [UP_MQTT_CONNECTED] = "connected",   [UP_MQTT_DISCONNECTED] = "disconnected",
    [UP_MQTT_MESSAGE] = "message",       [UP_MQTT_PUBLISHED] = "published",
    [UP_MQTT_SUBSCRIBED] = "subscribed", [UP_MQTT_DENIED] = "denied",
    [UP_MQTT_DROPPED] = "dropped",       [UP_MQTT_LOST] = "lost",
};

static void set_failure(lua_State *L, const struct up_mqtt_event *e)
{
    up_set_string(L, "message", e->message);
    up_set_string(L, "code", up_code_word(e->code));
}

static void set_fields(lua_State *L, const struct up_mqtt_event *e)
{
    switch (e->kind) {
    case UP_MQTT_CONNECTED:
        up_set_boolean(L, "session", e->session);
        break;
    case UP_MQTT_DISCONNECTED:
        set_failure(L, e);
        up_set_integer(L, "retry_after", (e->retry_after + 999) / 1000);
        break;
    case UP_MQTT_MESSAGE:
        lua_pushlstring(L, e->payload ? e->payload : "", e->len);
        lua_setfield(L, -2, "payload");
        up_set_boolean(L, "retain", e->retain);
        up_set_integer(L, "qos", (uint64_t)e->qos);
        break;
    case UP_MQTT_PUBLISHED:
        up_set_integer(L, "id", e->id);
        if (e->unheard)
            up_set_boolean(L, "unheard", true);
        if (e->message)
            up_set_string(L, "refused", e->message);
        break;
    case UP_MQTT_LOST:
        up_set_integer(L, "id", e->id);
        up_set_integer(L, "size", e->len);
        set_failure(L, e);
        break;
    case UP_MQTT_SUBSCRIBED:
        up_set_integer(L, "qos", (uint64_t)e->qos);
        break;
    case UP_MQTT_DENIED:
        set_failure(L, e);
        break;
    case UP_MQTT_DROPPED:
        set_failure(L, e);
        up_set_integer(L, "size", e->len);
        break;
    }
}

/* client:step() -> event | nil
 * After each poll, until it gives nil. */
static int m_step(lua_State *L)
{
    struct up_mqtt *m = check_open(L);
    struct up_mqtt_event e = {0};

    if (!up_mqtt_step(m, &e)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 6);
    up_set_string(L, "kind", kinds[e.kind]);
    if (e.topic)
        up_set_string(L, "topic", e.topic);
    set_fields(L, &e);
    return 1;
}

/* client:publish(topic, payload, qos [, retain [, life]]) -> id | nil, message, code
 * ("network": too many wait already, or more than 64 KiB; "usage": the topic)
 * It waits until there is a connection; the event published says when it is through. life: seconds
 * after which it is of no use, for a client that speaks MQTT 5; such a message is not retained. */
static int m_publish(lua_State *L)
{
    struct up_mqtt *m = check_open(L);
    const char *topic = luaL_checkstring(L, 2);
    size_t len;
    const char *payload = luaL_checklstring(L, 3, &len);
    int qos = check_qos(L, up_check_bytes(L, 4));
    int retain = lua_toboolean(L, 5), rc;
    uint64_t life = lua_isnoneornil(L, 6) ? 0 : up_check_bytes(L, 6), id;
    struct up_error err;

    luaL_argcheck(L, life <= UINT32_MAX, 6, "seconds, less than 2^32");
    rc = life ? up_mqtt_publish_for(m, topic, payload, len, qos, (uint32_t)life, &id, &err)
              : up_mqtt_publish(m, topic, payload, len, qos, retain, &id, &err);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* client:subscribe(topic [, qos]) -> true | nil, message, code ("usage")
 * Remembered, and said anew on every connection. */
static int m_subscribe(lua_State *L)
{
    struct up_mqtt *m = check_open(L);
    const char *topic = luaL_checkstring(L, 2);
    int qos = check_qos(L, lua_isnoneornil(L, 3) ? 0 : up_check_bytes(L, 3));
    struct up_error err;

    return up_push_done(L, up_mqtt_subscribe(m, topic, qos, &err), &err);
}

/* client:unsubscribe(topic) -> true | nil, message, code ("nothing": it was not subscribed to) */
static int m_unsubscribe(lua_State *L)
{
    struct up_mqtt *m = check_open(L);
    const char *topic = luaL_checkstring(L, 2);
    struct up_error err;

    return up_push_done(L, up_mqtt_unsubscribe(m, topic, &err), &err);
}

/* client:hurry(): try to connect now, if it waits for its next attempt */
static int m_hurry(lua_State *L)
{
    up_mqtt_hurry(check_open(L));
    return 0;
}

/* client:status() -> {connected, queued (messages not published yet), attempts (to connect, so far)} */
static int m_status(lua_State *L)
{
    struct up_mqtt_status s;

    up_mqtt_status(check_open(L), &s);
    lua_createtable(L, 0, 3);
    up_set_boolean(L, "connected", s.connected);
    up_set_integer(L, "queued", s.queued);
    up_set_integer(L, "attempts", s.attempts);
    return 1;
}

/* client:close(), also __gc and __close. Safe to call twice. Takes leave of the broker, so
 * that no last will is published; what is still queued is gone. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, MQTT);

    up_mqtt_close(h->client);
    h->client = NULL;
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},
    {"wants_write", m_wants_write},
    {"remaining", m_remaining},
    {"step", m_step},
    {"publish", m_publish},
    {"subscribe", m_subscribe},
    {"unsubscribe", m_unsubscribe},
    {"hurry", m_hurry},
    {"status", m_status},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

int luaopen_update_native_mqtt(lua_State *L)
{
    up_new_type(L, MQTT, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
