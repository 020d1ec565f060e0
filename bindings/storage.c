/*
 * update.native.storage -- small files and the clock, as the device sees them.
 *
 *     local text = assert(storage.read("state/spent", 64))
 *     assert(storage.replace("state/spent", "20000 1024\n"))
 *
 * For what is read and kept beside the journal; packages, slots and
 * generations have modules of their own.
 */
#include "storage.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define READ_MAX (1024 * 1024)

/* read(path [, limit]) -> text | nil, message, code ("missing"; "usage": larger
 * than limit bytes, 1 MiB when not said; "write": it cannot be read) */
static int f_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_Integer limit = luaL_optinteger(L, 2, READ_MAX);
    struct up_error err;
    char **text;
    size_t len;

    luaL_argcheck(L, limit > 0 && limit <= READ_MAX, 2, "between 1 byte and 1 MiB");
    text = up_new_text(L);
    if (up_storage_read_file(up_storage_system(), path, (size_t)limit, text, &len, &err) < 0)
        return up_push_fail(L, &err);
    return up_push_text(L, text, len);
}

/* replace(path, text) -> true | nil, message, code ("nospace", "write")
 * Whole or not at all, but nothing is synced: after a power cut it may be the
 * old text, or none. Readable and writable by the owner alone. */
static int f_replace(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct up_error err;

    return up_push_done(L, up_storage_replace_file(up_storage_system(), path, text, len, 0600, &err), &err);
}

/* write(path, text [, mode]) -> true | nil, message, code ("nospace", "write"): whole and durable, or as it was; the
 * mode of a file that is there stays, a new one is its owner's alone unless mode says otherwise */
static int f_write(lua_State *L)
{
    struct up_storage *s = up_storage_system();
    const char *path = luaL_checkstring(L, 1);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct up_stat st;
    unsigned fresh = (unsigned)luaL_optinteger(L, 3, 0600);
    unsigned mode = s->ops->stat(s, path, &st) == 0 && st.kind == UP_NODE_FILE ? st.mode : fresh;
    struct up_error err;

    if (up_storage_write_file(s, path, text, len, mode, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* remove(path) -> true | nil, message, "write": a file, a link, a directory with all in it, or nothing */
static int f_remove(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_storage_remove_tree(up_storage_system(), luaL_checkstring(L, 1), &err), &err);
}

/* now() -> seconds since 1970, as the system clock has it */
static int f_now(lua_State *L)
{
    struct up_storage *storage = up_storage_system();

    lua_pushinteger(L, (lua_Integer)storage->ops->now(storage));
    return 1;
}

static const luaL_Reg functions[] = {
    {"read", f_read},     {"replace", f_replace}, {"write", f_write},
    {"remove", f_remove}, {"now", f_now},         {NULL, NULL},
};

int luaopen_update_native_storage(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
