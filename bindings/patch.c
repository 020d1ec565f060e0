/*
 * update.native.patch -- the difference between two files: make it, apply it.
 *
 *     local p = assert(patch.make("old.img", "new.img", "new.patch"))
 *     repeat
 *       local done, message, code = p:step()
 *     until done or code ~= "again"
 *     p:close()
 */
#include "patch.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define PATCH "update.native.patch"

struct handle {
    struct up_patch *patch; /* NULL once closed, and while opening */
};

static struct up_patch *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PATCH);

    if (!h->patch)
        luaL_error(L, "attempt to use a closed patch");
    return h->patch;
}

static struct handle *new_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);

    h->patch = NULL;
    luaL_setmetatable(L, PATCH);
    return h;
}

/* make(old, new, out [, encoding]) -> patch | nil, message, code: out becomes the
 * difference between two files; encoding, "raw", "zstd" or "lzma" (default), is
 * of what the old one is of no use for */
static int f_make(lua_State *L)
{
    const char *old = luaL_checkstring(L, 1), *fresh = luaL_checkstring(L, 2), *out = luaL_checkstring(L, 3);
    enum up_encoding encoding = up_index_encoding_find(luaL_optstring(L, 4, "lzma"));
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_patch_make(&h->patch, up_storage_system(), old, fresh, out, encoding, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* apply(old, patch, out) -> patch | nil, message, code: out becomes the new file */
static int f_apply(lua_State *L)
{
    const char *old = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2), *out = luaL_checkstring(L, 3);
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_patch_apply(&h->patch, up_storage_system(), old, path, out, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* patch:step() -> true when the file lies at its path | nil, message, "again"
 * (call again) | nil, message, code */
static int m_step(lua_State *L)
{
    struct up_error err;
    int rc = up_patch_step(check_open(L), &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    return up_push_done(L, rc, &err);
}

/* patch:progress() -> done, total: in units of their own */
static int m_progress(lua_State *L)
{
    uint64_t done, total;

    up_patch_progress(check_open(L), &done, &total);
    lua_pushinteger(L, (lua_Integer)done);
    lua_pushinteger(L, (lua_Integer)total);
    return 2;
}

/* patch:size() -> bytes of the file that was made; 0 until then */
static int m_size(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_patch_size(check_open(L)));
    return 1;
}

/* patch:close(), also __gc and __close. Safe to call twice; what is not done is removed. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PATCH);

    up_patch_close(h->patch);
    h->patch = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step}, {"progress", m_progress}, {"size", m_size}, {"close", m_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"make", f_make},
    {"apply", f_apply},
    {NULL, NULL},
};

int luaopen_update_native_patch(lua_State *L)
{
    up_new_type(L, PATCH, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
