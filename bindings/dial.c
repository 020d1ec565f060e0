/*
 * update.native.dial -- a TCP connection by itself, with TLS or without.
 *
 *     local d <close> = assert(dial.open(loop, "cloud.example", 8990, { tls = true, connect_timeout = 2 }))
 *     repeat local ok, why, code = d:step() until code ~= "again" or not loop:poll(100)
 *     d:send "hello"
 *     local answer, why, code = d:receive()   -- string | false when it was closed
 *
 * Nothing waits: with code "again" poll the loop, once connected with d:fd() among its descriptors.
 */
#include "dial.h"

#include "error.h"
#include "fetch_options.h"
#include "helpers.h"
#include "preload.h"

#define DIAL "update.native.dial"
#define RECEIVE_MAX 4096

struct handle {
    struct up_dial *dial; /* NULL once closed, and while opening */
};

static struct up_dial *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DIAL);

    if (!h->dial)
        luaL_error(L, "attempt to use a closed connection");
    return h->dial;
}

/* open(loop, host, port [, options]) -> connection | nil, message, code ("usage")
 * options: tls (false), connect_timeout (seconds), ca_file, time_floor, as update.native.fetch has them */
static int f_open(lua_State *L)
{
    struct up_loop *loop = up_check_loop(L, 1);
    const char *host = luaL_checkstring(L, 2);
    uint64_t port = up_check_bytes(L, 3);
    struct up_fetch_options options = {0};
    int tls = 0;
    struct handle *h;
    struct up_error err;

    if (!lua_isnoneornil(L, 4)) {
        up_check_fetch_options(L, 4, &options);
        tls = up_field_boolean(L, 4, "tls", 0);
    }
    luaL_argcheck(L, port >= 1 && port <= 65535, 3, "1 to 65535");
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->dial = NULL;
    luaL_setmetatable(L, DIAL);
    if (up_dial_open(&h->dial, loop, host, (unsigned)port, tls, &options, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* connection:step() -> true: it is connected | nil, message, code ("again"; "network") */
static int m_step(lua_State *L)
{
    struct up_error err;
    int rc = up_dial_step(check_open(L), &err);

    return rc == UP_AGAIN ? up_push_again(L) : up_push_done(L, rc, &err);
}

/* connection:fd() -> descriptor to poll | nil: not connected */
static int m_fd(lua_State *L)
{
    int fd = up_dial_fd(check_open(L));

    if (fd < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, fd);
    return 1;
}

/* connection:send(bytes) -> how many went | nil, message, code ("again"; "network") */
static int m_send(lua_State *L)
{
    struct up_dial *d = check_open(L);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    struct up_error err;
    long n = up_dial_send(d, bytes, len, &err);

    if (n == UP_AGAIN)
        return up_push_again(L);
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, n);
    return 1;
}

/* connection:receive() -> bytes, at most 4096 | false: closed | nil, message, code ("again"; "network") */
static int m_receive(lua_State *L)
{
    struct up_dial *d = check_open(L);
    char bytes[RECEIVE_MAX];
    struct up_error err;
    long n = up_dial_receive(d, bytes, sizeof bytes, &err);

    if (n == UP_AGAIN)
        return up_push_again(L);
    if (n < 0)
        return up_push_fail(L, &err);
    if (n == 0)
        lua_pushboolean(L, 0);
    else
        lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

/* connection:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DIAL);

    up_dial_close(h->dial);
    h->dial = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step},       {"fd", m_fd},       {"send", m_send},
    {"receive", m_receive}, {"close", m_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_dial(lua_State *L)
{
    up_new_type(L, DIAL, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
