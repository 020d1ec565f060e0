/*
 * update.native.fetch -- chunked download over HTTP and HTTPS, pulled.
 *
 *     local f = assert(fetch.open(loop, "https://example.org/file"))
 *     repeat
 *       local data, why, code = f:read()          -- string | false at the end
 *       if code == "again" then loop:poll(1000)
 *       elseif data then out:write(data)
 *       elseif data == nil then error(why) end
 *     until data == false
 *     f:close()
 *
 * Nothing waits, nothing is decoded, nobody calls back. While the script does
 * not read, the transfer stands still and memory does not grow.
 */
#include "fetch.h"

#include <limits.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define FETCH "update.native.fetch"
#define READ_DEFAULT 65536
#define READ_MAX (1024 * 1024)

struct handle {
    struct up_fetch *fetch; /* NULL once closed, and while opening */
};

static struct up_fetch *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FETCH);

    if (!h->fetch)
        luaL_error(L, "attempt to use a closed transfer");
    return h->fetch;
}

static unsigned field_unsigned(lua_State *L, int index, const char *name)
{
    uint64_t v = up_field_integer(L, index, name, 0);

    if (v > INT_MAX)
        luaL_error(L, "field '%s' is too large", name);
    return (unsigned)v;
}

/* range = {offset [, length]} */
static void check_range(lua_State *L, int index, struct up_fetch_options *o)
{
    int type = lua_getfield(L, index, "range");

    if (type != LUA_TNIL) {
        luaL_argcheck(L, type == LUA_TTABLE, index, "field 'range' is {offset, length}");
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        luaL_argcheck(L, lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 0, index,
                      "range: the offset is an integer");
        luaL_argcheck(L, lua_isnil(L, -1) || (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0), index,
                      "range: the length is an integer above 0");
        o->ranged = 1;
        o->offset = (uint64_t)lua_tointeger(L, -2);
        o->length = lua_isnil(L, -1) ? 0 : (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* headers = {name = value}: pushes what owns the list, at one stack place. */
static void check_headers(lua_State *L, int index, struct up_fetch_options *o)
{
    const char **list;
    size_t n = 0;
    int owner;

    if (lua_getfield(L, index, "headers") == LUA_TNIL)
        return;
    luaL_argcheck(L, lua_istable(L, -1), index, "field 'headers' is a table of name = value");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 1);
    lua_createtable(L, (int)n, 0);
    owner = lua_gettop(L);
    n = 0;
    for (lua_pushnil(L); lua_next(L, owner - 2); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, index,
                      "field 'headers' is a table of name = value");
        list[n] = lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_rawseti(L, owner, (lua_Integer)++n);
    }
    list[n] = NULL;
    lua_setiuservalue(L, owner - 1, 1);
    lua_remove(L, -2);
    o->headers = list;
}

static void check_options(lua_State *L, int index, struct up_fetch_options *o)
{
    luaL_checktype(L, index, LUA_TTABLE);
    check_range(L, index, o);
    o->if_range = up_field_string(L, index, "if_range", NULL);
    o->proxy = up_field_string(L, index, "proxy", NULL);
    o->ca_file = up_field_string(L, index, "ca_file", NULL);
    o->method = up_field_string(L, index, "method", NULL);
    o->redirect_prefix = up_field_string(L, index, "redirect_prefix", NULL);
    o->max_redirects = field_unsigned(L, index, "max_redirects");
    o->connect_timeout = field_unsigned(L, index, "connect_timeout");
    o->low_speed_limit = field_unsigned(L, index, "low_speed_limit");
    o->low_speed_time = field_unsigned(L, index, "low_speed_time");
    o->deadline = field_unsigned(L, index, "deadline");
    o->max_body = up_field_integer(L, index, "max_body", 0);
    if ((o->body = up_field_string(L, index, "body", NULL))) {
        lua_getfield(L, index, "body");
        o->body_len = lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    check_headers(L, index, o);
}

/* open(loop, url [, options]) -> transfer | nil, message, code ("usage")
 * options: range = {offset, length}, if_range, method, body, headers = {name =
 * value}, max_redirects (none are followed by default), redirect_prefix, proxy,
 * ca_file, max_body (bytes), connect_timeout, low_speed_time, deadline
 * (seconds), low_speed_limit (bytes a second). */
static int f_open(lua_State *L)
{
    struct up_loop *loop = up_check_loop(L, 1);
    const char *url = luaL_checkstring(L, 2);
    struct up_fetch_options options = {0};
    struct handle *h;
    struct up_error err;

    if (!lua_isnoneornil(L, 3))
        check_options(L, 3, &options);
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->fetch = NULL;
    luaL_setmetatable(L, FETCH);
    if (up_fetch_open(&h->fetch, loop, url, &options, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* transfer:read([max]) -> data, not empty, at most max (default 64 KiB) bytes
 * | false at the end | nil, message, code ("again": poll the loop first) */
static int m_read(lua_State *L)
{
    struct up_fetch *f = check_open(L);
    lua_Integer max = luaL_optinteger(L, 2, READ_DEFAULT);
    struct up_error err;
    luaL_Buffer b;
    char *data;
    long n;

    luaL_argcheck(L, max > 0 && max <= READ_MAX, 2, "between 1 byte and 1 MiB");
    data = luaL_buffinitsize(L, &b, (size_t)max);
    n = up_fetch_read(f, data, (size_t)max, &err);
    if (n > 0) {
        luaL_pushresultsize(&b, (size_t)n);
        return 1;
    }
    luaL_pushresultsize(&b, 0);
    if (n == UP_AGAIN)
        return up_push_again(L);
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 0);
    return 1;
}

/* transfer:status() -> HTTP status | nil while it is not known */
static int m_status(lua_State *L)
{
    int status = up_fetch_status(check_open(L));

    if (status)
        lua_pushinteger(L, status);
    else
        lua_pushnil(L);
    return 1;
}

/* transfer:header(name) -> value | nil; case does not matter */
static int m_header(lua_State *L)
{
    lua_pushstring(L, up_fetch_header(check_open(L), luaL_checkstring(L, 2)));
    return 1;
}

static void push_size(lua_State *L, uint64_t size)
{
    if (size == UINT64_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)size);
}

/* transfer:total() -> bytes of the whole object | nil */
static int m_total(lua_State *L)
{
    push_size(L, up_fetch_total(check_open(L)));
    return 1;
}

/* transfer:received() -> body bytes that came over the wire */
static int m_received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_fetch_received(check_open(L)));
    return 1;
}

/* transfer:progress() -> bytes received, bytes this body is to have | nil */
static int m_progress(lua_State *L)
{
    m_received(L);
    push_size(L, up_fetch_span(check_open(L)));
    return 2;
}

/* transfer:url() -> where it comes from, after redirects */
static int m_url(lua_State *L)
{
    lua_pushstring(L, up_fetch_url(check_open(L)));
    return 1;
}

/* transfer:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FETCH);

    up_fetch_close(h->fetch);
    h->fetch = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"read", m_read},   {"status", m_status},     {"header", m_header},
    {"total", m_total}, {"received", m_received}, {"progress", m_progress},
    {"url", m_url},     {"close", m_close},       {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_fetch(lua_State *L)
{
    up_new_type(L, FETCH, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
