/*
 * update.native.exchange -- a server of short questions, one on a connection.
 *
 *     local x <close> = assert(exchange.open "0.0.0.0:8990")  -- with cert and key, PEM texts: clients may use TLS
 *     loop:poll(1000, { { fd = x:fd(), read = true } })
 *     for id, question in x.next, x do
 *       x:answer(id, "hello")          -- or nothing, when more of it is to come
 *     end
 */
#include "exchange.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define EXCHANGE "update.native.exchange"

struct handle {
    struct up_exchange *exchange; /* NULL once closed, and while opening */
};

static struct up_exchange *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, EXCHANGE);

    if (!h->exchange)
        luaL_error(L, "attempt to use a closed server");
    return h->exchange;
}

/* open("HOST:PORT" [, cert, key]) -> server | nil, message, code */
static int f_open(lua_State *L)
{
    const char *listen = luaL_checkstring(L, 1), *cert = luaL_optstring(L, 2, NULL);
    const char *key = cert ? luaL_checkstring(L, 3) : NULL;
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_error err;

    h->exchange = NULL;
    luaL_setmetatable(L, EXCHANGE);
    if (up_exchange_open(&h->exchange, listen, cert, key, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* server:fd() -> descriptor to poll for reading */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_exchange_fd(check_open(L)));
    return 1;
}

/* server:address() -> "HOST:PORT" as it listens */
static int m_address(lua_State *L)
{
    lua_pushstring(L, up_exchange_address(check_open(L)));
    return 1;
}

/* server:next() -> id, all that came on that connection | nil: nothing new */
static int m_next(lua_State *L)
{
    const char *question = NULL;
    int id = -1;
    size_t len = up_exchange_next(check_open(L), &id, &question);

    if (!len) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, id);
    lua_pushlstring(L, question, len);
    return 2;
}

/* server:answer(id, bytes): and close the connection; "" only closes it */
static int m_answer(lua_State *L)
{
    struct up_exchange *x = check_open(L);
    int id = (int)luaL_checkinteger(L, 2);
    size_t len;
    const char *bytes = luaL_checklstring(L, 3, &len);

    up_exchange_answer(x, id, bytes, len);
    return 0;
}

/* server:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, EXCHANGE);

    up_exchange_close(h->exchange);
    h->exchange = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},         {"address", m_address}, {"next", m_next},
    {"answer", m_answer}, {"close", m_close},     {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_exchange(lua_State *L)
{
    up_new_type(L, EXCHANGE, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
