/*
 * httpd.c -- update.native.httpd: serve HTTP from a script's own loop.
 *
 *     local h = httpd.open("127.0.0.1:0")
 *     local watch = { fd = h:fd(), read = true }
 *     while true do
 *       loop:poll(h:timeout(), { watch })
 *       h:run()
 *       local request = h:next()
 *       while request do
 *         h:reply(request.id, 200, { ["Content-Type"] = "text/plain" }, "hello\n")
 *         request = h:next()
 *       end
 *     end
 */
#include "httpd.h"

#include <stdbool.h>
#include <string.h>

#include "error.h"
#include "helpers.h"
#include "http_text.h"
#include "preload.h"

#define HTTPD "update.native.httpd"
#define HEADERS_MAX 16
#define PROXIES_MAX 16

struct handle {
    struct up_httpd *server; /* NULL once closed, and while opening */
};

static struct up_httpd *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HTTPD);

    if (!h->server)
        luaL_error(L, "attempt to use a closed server");
    return h->server;
}

/* The field `proxies` of the table at 2 into out. The strings stay on the
 * stack, so that they live as long as the call. */
static const char *const *check_proxies(lua_State *L, const char *out[PROXIES_MAX + 1])
{
    lua_Integer n = 0;

    if (lua_getfield(L, 2, "proxies") == LUA_TNIL)
        return NULL;
    luaL_argcheck(L, lua_istable(L, -1), 2, "proxies are an array of addresses");
    luaL_checkstack(L, PROXIES_MAX + 4, "too many proxies");
    for (int list = lua_gettop(L); lua_geti(L, list, n + 1) != LUA_TNIL; n++) {
        luaL_argcheck(L, n < PROXIES_MAX && lua_type(L, -1) == LUA_TSTRING, 2,
                      "proxies are an array of addresses, 16 at most");
        out[n] = lua_tostring(L, -1);
    }
    out[n] = NULL;
    return out;
}

/* open(listen [, {connections, timeout (seconds), head_max, body_max (bytes), cert, key (PEM texts, for HTTPS),
 * proxies = array of trusted addresses, early = path below which PUT and POST come before their body}])
 * -> server | nil, message, code */
static int f_open(lua_State *L)
{
    const char *listen = luaL_checkstring(L, 1);
    const char *proxies[PROXIES_MAX + 1];
    struct up_httpd_options options;
    struct up_error err;
    struct handle *h;

    memset(&options, 0, sizeof options);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        options.connections = (unsigned)up_field_integer(L, 2, "connections", 0);
        options.timeout = (unsigned)up_field_integer(L, 2, "timeout", 0);
        options.head_max = up_field_integer(L, 2, "head_max", 0);
        options.body_max = up_field_integer(L, 2, "body_max", 0);
        options.cert = up_field_string(L, 2, "cert", NULL);
        options.key = up_field_string(L, 2, "key", NULL);
        options.early = up_field_string(L, 2, "early", NULL);
        options.proxies = check_proxies(L, proxies);
    }
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->server = NULL;
    luaL_setmetatable(L, HTTPD);
    if (up_httpd_open(&h->server, listen, &options, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* server:address() -> "127.0.0.1:43211" */
static int m_address(lua_State *L)
{
    lua_pushstring(L, up_httpd_address(check_open(L)));
    return 1;
}

/* server:connections() -> how many there may be, fewer than asked for when descriptors are short */
static int m_connections(lua_State *L)
{
    lua_pushinteger(L, up_httpd_connections(check_open(L)));
    return 1;
}

/* server:retry_after(id) -> seconds after which who was told 503 may come again */
static int m_retry_after(lua_State *L)
{
    lua_pushinteger(L, up_httpd_retry_after(up_check_bytes(L, 2)));
    return 1;
}

/* server:fd() -> descriptor to poll for reading */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_httpd_fd(check_open(L)));
    return 1;
}

/* server:timeout() -> milliseconds after which run must be called; -1: no limit */
static int m_timeout(lua_State *L)
{
    lua_pushinteger(L, up_httpd_timeout(check_open(L)));
    return 1;
}

/* server:run() -> true | nil, message, code */
static int m_run(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_httpd_run(check_open(L), &err), &err);
}

/* The fields of a query as a table; the first of a name counts. */
static void push_query(lua_State *L, const char *text)
{
    size_t size = strlen(text) + 1;
    char *rest = memcpy(lua_newuserdatauv(L, size, 0), text, size);
    char *name, *value;

    lua_newtable(L);
    while (up_http_text_query_next(&rest, &name, &value)) {
        bool known = lua_getfield(L, -1, name) != LUA_TNIL;

        lua_pop(L, 1);
        if (!known)
            up_set_string(L, name, value);
    }
    lua_remove(L, -2);
}

static void push_headers(lua_State *L, const struct up_httpd *h, const struct up_httpd_request *r)
{
    static const char *const names[] = {"range",
                                        "if-range",
                                        "if-none-match",
                                        "host",
                                        "content-type",
                                        "user-agent",
                                        "authorization",
                                        "cookie",
                                        "origin",
                                        "sec-fetch-site",
                                        "accept",
                                        "accept-language",
                                        "if-match",
                                        "last-event-id",
                                        "upload-offset",
                                        "x-csrf-token",
                                        "x-forwarded-proto",
                                        "x-forwarded-host",
                                        "x-forwarded-port",
                                        "x-forwarded-for"};

    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = up_httpd_header(h, r, names[i]);

        if (value)
            up_set_string(L, names[i], value);
    }
}

/* server:next() -> {id, method, path, query = {name = value}, raw_query, headers = {name = value},
 * client, body, early (its body of `expected` bytes has not come: receive it, or answer), fault (why it could not be
 * written, else nil)} | nil, message, "again". Header names in lower case; those that answers depend on. */
static int m_next(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    const struct up_httpd_request *r;

    if (up_httpd_next(h, &r) < 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "nothing yet");
        lua_pushliteral(L, "again");
        return 3;
    }
    lua_createtable(L, 0, 8);
    up_set_integer(L, "id", r->id);
    up_set_string(L, "method", r->method);
    up_set_string(L, "path", r->path);
    up_set_string(L, "raw_query", r->query);
    up_set_string(L, "client", r->client);
    lua_pushlstring(L, r->body, r->body_len);
    lua_setfield(L, -2, "body");
    if (r->early) {
        up_set_boolean(L, "early", 1);
        up_set_integer(L, "expected", r->expected);
    }
    if (*r->fault)
        up_set_string(L, "fault", r->fault);
    push_query(L, r->query);
    lua_setfield(L, -2, "query");
    push_headers(L, h, r);
    lua_setfield(L, -2, "headers");
    return 1;
}

/* Add the header whose value is on top of the stack, and its name at `name`, to
 * `lines`. The line stays on the stack in the value's place. */
static void add_line(lua_State *L, int arg, int name, const char *lines[HEADERS_MAX + 1], int *count)
{
    luaL_argcheck(L, lua_type(L, name) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, arg,
                  "header names and values must be strings");
    luaL_argcheck(L, *count < HEADERS_MAX, arg, "too many headers");
    lines[(*count)++] = lua_pushfstring(L, "%s: %s", lua_tostring(L, name), lua_tostring(L, -1));
    lines[*count] = NULL;
    lua_replace(L, -2);
}

/* Fill `lines` from the table {name = value, or array of values} at arg (or
 * nothing). The strings are left on the stack, so that they live as long as the
 * call. */
static void check_headers(lua_State *L, int arg, const char *lines[HEADERS_MAX + 1])
{
    int count = 0;

    lines[0] = NULL;
    if (lua_isnoneornil(L, arg))
        return;
    luaL_checktype(L, arg, LUA_TTABLE);
    luaL_checkstack(L, 2 * HEADERS_MAX + 8, "too many headers");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        int values = lua_gettop(L), name = values - 1;
        lua_Integer n = lua_istable(L, values) ? luaL_len(L, values) : 0;

        luaL_argcheck(L, n <= HEADERS_MAX, arg, "too many headers");
        for (lua_Integer i = 1; i <= n; i++) {
            lua_geti(L, values, i);
            add_line(L, arg, name, lines, &count);
        }
        if (!lua_istable(L, values))
            add_line(L, arg, name, lines, &count);
        lua_pushvalue(L, name); /* lua_next wants it on top; the lines stay below */
    }
}

/* 0 or up_push_fail's count; a request that is not waiting is the script's mistake. */
static int answered(lua_State *L, int rc, const struct up_error *err)
{
    if (rc == UP_USAGE)
        return luaL_error(L, "%s", err->message);
    if (rc < 0)
        return up_push_fail(L, err);
    lua_pushboolean(L, 1);
    return 1;
}

/* server:reply(id, status [, headers [, body]]) -> true | nil, message, code */
static int m_reply(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    uint64_t id = up_check_bytes(L, 2);
    lua_Integer status = luaL_checkinteger(L, 3);
    size_t len;
    const char *body = luaL_optlstring(L, 5, "", &len);
    const char *lines[HEADERS_MAX + 1];
    struct up_error err;

    luaL_argcheck(L, status >= 200 && status <= 599, 3, "must be a final HTTP status");
    lua_settop(L, 5);
    check_headers(L, 4, lines);
    return answered(L, up_httpd_reply(h, id, (unsigned)status, lines, body, len, &err), &err);
}

/* server:reply_file(id, path [, headers [, tag]]) -> true | nil, message, code
 * After a failure the request is still open, to be answered otherwise. */
static int m_reply_file(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    uint64_t id = up_check_bytes(L, 2);
    const char *path = luaL_checkstring(L, 3);
    const char *tag = luaL_optstring(L, 5, NULL);
    const char *lines[HEADERS_MAX + 1];
    struct up_error err;

    lua_settop(L, 5);
    check_headers(L, 4, lines);
    return answered(L, up_httpd_reply_file(h, id, path, tag, lines, &err), &err);
}

/* server:receive(id [, path [, offset]]) -> true | nil, message, code ("nospace", "write")
 * Let the body of an early request come, into the file from byte `offset` on, or into memory. */
static int m_receive(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    uint64_t id = up_check_bytes(L, 2), offset = lua_isnoneornil(L, 4) ? 0 : up_check_bytes(L, 4);
    const char *path = luaL_optstring(L, 3, NULL);
    struct up_error err;

    return answered(L, up_httpd_receive(h, id, path, offset, &err), &err);
}

/* server:reply_stream(id, status [, headers]) -> true | nil, message, code */
static int m_reply_stream(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    uint64_t id = up_check_bytes(L, 2);
    lua_Integer status = luaL_checkinteger(L, 3);
    const char *lines[HEADERS_MAX + 1];
    struct up_error err;

    luaL_argcheck(L, status >= 200 && status <= 599, 3, "must be a final HTTP status");
    lua_settop(L, 4);
    check_headers(L, 4, lines);
    return answered(L, up_httpd_reply_stream(h, id, (unsigned)status, lines, &err), &err);
}

/* server:push(id, text) -> true | nil, message, code ("missing": the client has left; "busy": it was too slow) */
static int m_push(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    uint64_t id = up_check_bytes(L, 2);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    struct up_error err;

    return up_push_done(L, up_httpd_push(h, id, text, len, &err), &err);
}

/* server:end_stream(id) -> true | nil, message, code ("missing": the client has left) */
static int m_end_stream(lua_State *L)
{
    struct up_httpd *h = check_open(L);
    struct up_error err;

    return up_push_done(L, up_httpd_end_stream(h, up_check_bytes(L, 2), &err), &err);
}

/* server:finished() -> {id, method, path, client, status, complete, bytes (nil: unknown), ms, note (why it was turned
 * away without being handed out, else nil)}
 * | nil, message, "again" */
static int m_finished(lua_State *L)
{
    struct up_httpd_event event;

    if (up_httpd_finished(check_open(L), &event) < 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "nothing yet");
        lua_pushliteral(L, "again");
        return 3;
    }
    lua_createtable(L, 0, 8);
    up_set_integer(L, "id", event.id);
    up_set_string(L, "method", event.method);
    up_set_string(L, "path", event.path);
    up_set_string(L, "client", event.client);
    up_set_integer(L, "status", event.status);
    up_set_boolean(L, "complete", event.complete);
    up_set_integer(L, "ms", event.ms);
    if (*event.why)
        up_set_string(L, "note", event.why);
    if (event.bytes != UINT64_MAX)
        up_set_integer(L, "bytes", event.bytes);
    return 1;
}

/* server:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HTTPD);

    up_httpd_close(h->server);
    h->server = NULL;
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"address", m_address},
    {"connections", m_connections},
    {"retry_after", m_retry_after},
    {"fd", m_fd},
    {"timeout", m_timeout},
    {"run", m_run},
    {"next", m_next},
    {"reply", m_reply},
    {"reply_file", m_reply_file},
    {"receive", m_receive},
    {"reply_stream", m_reply_stream},
    {"push", m_push},
    {"end_stream", m_end_stream},
    {"finished", m_finished},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

int luaopen_update_native_httpd(lua_State *L)
{
    up_new_type(L, HTTPD, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
