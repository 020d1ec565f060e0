/*
 * update.native.slot -- what the device files of the slots are, and whether a
 * directory can be written to, for doctor.
 *
 *   local slot = require "update.native.slot"
 *   local view = assert(slot.inspect "/dev/mtd4")
 *   print(view.kind, view.capacity, view.bad)
 *
 * inspect() reads and changes nothing.
 */
#include "slot.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "slot_link.h"
#include "storage.h"

/* As the names of enum up_read_back. */
static const char *const ways[] = {"direct", "dropped", "cached"};

/* try(dir) -> how what was written there was read back, as in inspect(), milliseconds that the sync took |
 *   nil, message, code. Makes a small file and removes it. */
static int f_try(lua_State *L)
{
    struct up_error err;
    uint64_t sync_ms = 0;
    int how = up_storage_try(up_storage_system(), luaL_checkstring(L, 1), &sync_ms, &err);

    if (how < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, ways[how]);
    lua_pushinteger(L, (lua_Integer)sync_ms);
    return 2;
}

/* node(path) -> what it leads to, the path itself when it is no link | nil, message, code */
static int f_node(lua_State *L)
{
    char node[UP_PATH_SIZE];
    struct up_error err;
    struct up_stat st;

    if (up_slot_link_follow(up_storage_system(), luaL_checkstring(L, 1), node, &st, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, node);
    return 1;
}

/* check(a, b, state) -> true | nil, message, code: whether they can be the slots of this state */
static int f_check(lua_State *L)
{
    const char *slot[2] = {luaL_checkstring(L, 1), luaL_checkstring(L, 2)};
    struct up_error err;

    return up_push_done(L, up_slot_check(up_storage_system(), slot, luaL_checkstring(L, 3), &err), &err);
}

/* inspect(path) -> { node = what the path leads to, identity, there, mounted, writable, why (it is not), size,
 *   capacity, kind = "file"|"block"|"nor"|"nand"|"ubi", title = the kind for people, its traits made, cached,
 *   erasable, bad_blocks, atomic (slot.h), erase_size, write_size, blocks, bad, read_back = "direct" (past the
 *   cache) | "dropped" (the cache was dropped) | "cached" (may come from it) } (bytes and counts) | nil, message,
 *   code */
static int f_inspect(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct up_slot_view v;
    struct up_error err;

    if (up_slot_inspect(&v, up_storage_system(), path, &err) < 0)
        return up_push_fail(L, &err);
    lua_createtable(L, 0, 20);
    up_set_string(L, "node", v.node);
    up_set_string(L, "identity", v.identity);
    up_set_string(L, "kind", v.traits->name);
    up_set_string(L, "title", v.traits->title);
    up_set_boolean(L, "made", v.traits->made);
    up_set_boolean(L, "cached", v.traits->cached);
    up_set_boolean(L, "erasable", v.traits->erasable);
    up_set_boolean(L, "bad_blocks", v.traits->bad_blocks);
    up_set_boolean(L, "atomic", v.traits->atomic);
    up_set_boolean(L, "there", v.there);
    up_set_boolean(L, "mounted", v.mounted);
    up_set_boolean(L, "writable", v.writable);
    up_set_string(L, "why", v.why);
    up_set_integer(L, "size", v.size);
    up_set_integer(L, "capacity", v.capacity);
    up_set_integer(L, "erase_size", v.flash.erase_size);
    up_set_integer(L, "write_size", v.flash.write_size);
    up_set_integer(L, "blocks", v.blocks);
    up_set_integer(L, "bad", v.bad);
    up_set_string(L, "read_back", ways[v.read_back]);
    return 1;
}

static const luaL_Reg functions[] = {
    {"inspect", f_inspect}, {"check", f_check}, {"node", f_node}, {"try", f_try}, {NULL, NULL},
};

int luaopen_update_native_slot(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
