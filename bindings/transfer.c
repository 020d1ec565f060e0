/*
 * update.native.transfer -- carry the blocks of an open transaction.
 *
 *   local t = assert(transfer.open(device, package, source))
 *   repeat
 *     local what, message, code = t:step()   -- "block", "done"
 *     if code == "again" then loop:poll(...) end
 *   until what == "done" or not what and code ~= "again"
 *
 * When the link died: t:go_on(another_source), and step again.
 */
#include "transfer.h"

#include <stdbool.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define TRANSFER "update.native.transfer"

struct handle {
    struct up_transfer *transfer; /* NULL once closed, and while opening */
};

static struct up_transfer *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, TRANSFER);

    if (!h->transfer)
        luaL_error(L, "attempt to use a closed transfer");
    return h->transfer;
}

/* open(device, package, source [, reuse]) -> transfer | nil, message, code; reuse =
 * false: fetch also the blocks that the device has */
static int f_open(lua_State *L)
{
    struct up_device *device = up_check_device(L, 1);
    struct up_package *package = up_check_package(L, 2);
    struct up_source *source = up_check_source(L, 3);
    bool fetch_all = lua_isboolean(L, 4) && !lua_toboolean(L, 4);
    struct handle *h;
    struct up_error err;

    lua_settop(L, 3);
    h = lua_newuserdatauv(L, sizeof *h, 3);
    h->transfer = NULL;
    luaL_setmetatable(L, TRANSFER);
    /* The transfer refers to all three: keep them from being collected. */
    for (int i = 1; i <= 3; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i);
    }
    if (up_transfer_open(&h->transfer, device, package, source, &err) < 0)
        return up_push_fail(L, &err);
    if (fetch_all)
        up_transfer_fetch_all(h->transfer);
    return 1;
}

/* Raise when one of the three was closed under the transfer. */
static struct up_transfer *check_usable(lua_State *L)
{
    struct up_transfer *t = check_open(L);

    lua_getiuservalue(L, 1, 1);
    up_check_device(L, -1);
    lua_getiuservalue(L, 1, 2);
    up_check_package(L, -1);
    lua_getiuservalue(L, 1, 3);
    up_check_source(L, -1);
    lua_pop(L, 3);
    return t;
}

/* transfer:step() -> "block" | "done" | nil, message, code ("again": poll the loop) */
static int m_step(lua_State *L)
{
    struct up_error err = {.code = UP_AGAIN};
    int rc = up_transfer_step(check_usable(L), &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, rc ? "block" : "done");
    return 1;
}

/* transfer:go_on(source): the same package over another link; the source before may be closed */
static int m_go_on(lua_State *L)
{
    struct up_transfer *t = check_open(L);
    struct up_source *source = up_check_source(L, 2);

    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, 3);
    up_transfer_go_on(t, source);
    return 0;
}

/* transfer:progress() -> done, total (stored bytes), part, reused (of done, what did
 * not come from the source), wasted */
static int m_progress(lua_State *L)
{
    struct up_transfer_progress progress;

    up_transfer_progress(check_open(L), &progress);
    lua_pushinteger(L, (lua_Integer)progress.done);
    lua_pushinteger(L, (lua_Integer)progress.total);
    lua_pushstring(L, up_manifest_part_name(progress.part));
    lua_pushinteger(L, (lua_Integer)progress.reused);
    lua_pushinteger(L, (lua_Integer)progress.wasted);
    return 5;
}

/* transfer:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, TRANSFER);

    up_transfer_close(h->transfer);
    h->transfer = NULL;
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step}, {"go_on", m_go_on}, {"progress", m_progress}, {"close", m_close}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

int luaopen_update_native_transfer(lua_State *L)
{
    up_new_type(L, TRANSFER, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
