/*
 * update.native.folder -- what lies in a folder.
 *
 *     for _, entry in ipairs(assert(folder.list("packages"))) do
 *       print(entry.name, entry.size)
 *     end
 */
#include "folder.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define FOLDER "update.native.folder"

struct handle {
    struct up_folder *folder; /* NULL once closed, and while opening */
};

/* list(path) -> array of {name, size (bytes), changed (ns since 1970), regular} | nil, message, code
 * Links are followed; names that begin with '.' are left out; in no order. */
static int f_list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_folder_entry entry;
    struct up_error err;

    h->folder = NULL;
    luaL_setmetatable(L, FOLDER);
    if (up_folder_open(&h->folder, path, &err) < 0)
        return up_push_fail(L, &err);
    lua_newtable(L);
    for (lua_Integer i = 1; up_folder_next(h->folder, &entry); i++) {
        lua_createtable(L, 0, 4);
        up_set_string(L, "name", entry.name);
        up_set_integer(L, "size", entry.size);
        up_set_integer(L, "changed", (uint64_t)entry.changed);
        up_set_boolean(L, "regular", entry.regular);
        lua_rawseti(L, -2, i);
    }
    up_folder_close(h->folder);
    h->folder = NULL;
    return 1;
}

/* identity(path) -> text that a copy of the folder does not share: its inode, and ":" with the time at which it was
 * made if the file system tells | nil, message, code */
static int f_identity(lua_State *L)
{
    struct up_folder_identity identity;
    struct up_error err;

    if (up_folder_identity(luaL_checkstring(L, 1), &identity, &err) < 0)
        return up_push_fail(L, &err);
    if (identity.made == 0)
        lua_pushfstring(L, "%I", (LUAI_UACINT)identity.inode);
    else
        lua_pushfstring(L, "%I:%I", (LUAI_UACINT)identity.inode, (LUAI_UACINT)identity.made);
    return 1;
}

/* changed(path) -> ns since 1970 when names came or went last | nil, message, code */
static int f_changed(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct up_error err;
    int64_t changed;

    if (up_folder_changed(path, &changed, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, changed);
    return 1;
}

/* space(path) -> bytes of its file system, bytes that are free for a writer without rights | nil, message, code */
static int f_space(lua_State *L)
{
    struct up_folder_space space;
    struct up_error err;

    if (up_folder_space(luaL_checkstring(L, 1), &space, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, (lua_Integer)space.total);
    lua_pushinteger(L, (lua_Integer)space.free);
    return 2;
}

/* __gc: only when list raised half-way. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FOLDER);

    up_folder_close(h->folder);
    h->folder = NULL;
    return 0;
}

static const luaL_Reg functions[] = {
    {"list", f_list}, {"identity", f_identity}, {"changed", f_changed}, {"space", f_space}, {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {NULL, NULL},
};

int luaopen_update_native_folder(lua_State *L)
{
    up_new_type(L, FOLDER, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
