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

/* open(loop, url [, options]) -> transfer | nil, message, code ("usage")
 * options: range = {offset, length}, if_range, method, body, headers = {name =
 * value}, max_redirects (none are followed by default), redirect_prefix, proxy, public_only,
 * ca_file, time_floor (see fetch_options.h), max_body (bytes), connect_timeout, low_speed_time, deadline
 * (seconds), low_speed_limit (bytes a second). */
static int f_open(lua_State *L)
{
    struct up_loop *loop = up_check_loop(L, 1);
    const char *url = luaL_checkstring(L, 2);
    struct up_fetch_options options = {0};
    struct handle *h;
    struct up_error err;

    if (!lua_isnoneornil(L, 3))
        up_check_fetch_options(L, 3, &options);
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

/* transfer:date() -> the server's time, seconds since 1970 | nil: it did not say,
 * or its certificate was not verified */
static int m_date(lua_State *L)
{
    uint64_t date = up_fetch_date(check_open(L));

    if (date)
        lua_pushinteger(L, (lua_Integer)date);
    else
        lua_pushnil(L);
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
    {"read", m_read},         {"status", m_status},
    {"header", m_header},     {"date", m_date},
    {"total", m_total},       {"received", m_received},
    {"progress", m_progress}, {"url", m_url},
    {"close", m_close},       {NULL, NULL},
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
