/*
 * update.native.partial -- a file that comes from a server a part at a time, over
 * restarts and power cuts.
 *
 *     local p = assert(partial.open("state/bare/archive", "080507 http://...", source))
 *     repeat
 *       local done, why, code = p:step()      -- true: it is complete and durable
 *       if code == "again" then loop:poll(1000) end
 *     until done or code and code ~= "again"  -- false: some more came
 *     p:close()
 *     partial.forget "state/bare/archive"
 */
#include "partial.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define PARTIAL "update.native.partial"

struct handle {
    struct up_partial *partial; /* NULL once closed, and while opening */
};

enum { ANCHOR_SOURCE = 1 };

static struct up_partial *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PARTIAL);

    if (!h->partial)
        luaL_error(L, "attempt to use a closed part");
    return h->partial;
}

/* open(path, key, source [, most]) -> partial | nil, message, code. source: of
 * update.native.source, not read yet; key: for what it is; most: bytes, 1 GiB when absent */
static int f_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *key = luaL_checkstring(L, 2);
    struct up_source *source = up_check_source(L, 3);
    lua_Integer given = luaL_optinteger(L, 4, (lua_Integer)UP_PARTIAL_MAX);
    uint64_t most = (uint64_t)given;
    struct handle *h = lua_newuserdatauv(L, sizeof *h, ANCHOR_SOURCE);
    struct up_error err;

    luaL_argcheck(L, given > 0 && most <= UP_PARTIAL_MAX, 4, "out of range");
    h->partial = NULL;
    luaL_setmetatable(L, PARTIAL);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, ANCHOR_SOURCE);
    if (up_partial_open(&h->partial, up_storage_system(), path, key, source, most, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* size(path) -> bytes that are there; 0 when there are none */
static int f_size(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_partial_size(up_storage_system(), luaL_checkstring(L, 1)));
    return 1;
}

/* forget(path) -> true | nil, message, "write" */
static int f_forget(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_partial_forget(up_storage_system(), luaL_checkstring(L, 1), &err), &err);
}

/* partial:step() -> true when it is complete | false when more came | nil, message,
 * code ("again": poll the loop first) */
static int m_step(lua_State *L)
{
    struct up_partial *p = check_open(L);
    struct up_error err;
    int rc;

    lua_getiuservalue(L, 1, ANCHOR_SOURCE);
    up_check_source(L, -1); /* a script may have closed it */
    rc = up_partial_step(p, &err);
    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, rc == 0);
    return 1;
}

/* partial:progress() -> bytes in place, bytes of the object | nil while unknown */
static int m_progress(lua_State *L)
{
    struct up_partial *p = check_open(L);

    lua_pushinteger(L, (lua_Integer)up_partial_have(p));
    if (up_partial_total(p) == UINT64_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)up_partial_total(p));
    return 2;
}

/* partial:close(), also __gc and __close. Safe to call twice; the source stays open. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PARTIAL);

    up_partial_close(h->partial);
    h->partial = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step},
    {"progress", m_progress},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"size", f_size},
    {"forget", f_forget},
    {NULL, NULL},
};

int luaopen_update_native_partial(lua_State *L)
{
    up_new_type(L, PARTIAL, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
