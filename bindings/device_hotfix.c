/*
 * device_hotfix.c -- methods of update.native.device for hotfixes.
 */
#include "device.h"
#include "error.h"
#include "helpers.h"
#include "hotfix.h"
#include "script_archive.h"

/* device:hotfix_begin(package) -> true: its head is in device:spool(); its blocks can be carried then */
static int m_begin(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;

    return up_push_done(L, up_hotfix_begin(d, up_check_manifest(L, 2), &err), &err);
}

/* device:hotfix_bare() -> path of an empty folder, in which package.bare may make a hotfix that nobody signed, with its
 * folder `spool`; hotfix_begin() takes it from there */
static int m_bare(lua_State *L)
{
    char path[UP_PATH_SIZE];
    struct up_error err;

    if (up_hotfix_bare(up_check_device(L, 1), path, sizeof path, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, path);
    return 1;
}

/* device:hotfix_bare_end() -> true: that folder is gone */
static int m_bare_end(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_hotfix_bare_end(up_check_device(L, 1), &err), &err);
}

/* device:hotfix_finish(package) -> id of the complete folder, for the supervisor */
static int m_finish(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    char id[UP_HOTFIX_ID_SIZE];
    struct up_error err;

    if (up_hotfix_finish(d, up_check_manifest(L, 2), id, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, id);
    return 1;
}

/* device:hotfix_waiting() -> id of a complete folder that is not in force | nil */
static int m_waiting(lua_State *L)
{
    char id[UP_HOTFIX_ID_SIZE];

    up_hotfix_waiting(up_check_device(L, 1), id);
    if (id[0])
        lua_pushstring(L, id);
    else
        lua_pushnil(L);
    return 1;
}

/* device:hotfix_undo(name, all_above) -> true: without a supervisor */
static int m_undo(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct up_error err;

    return up_push_done(L, up_hotfix_undo(d, name, lua_toboolean(L, 3), &err), &err);
}

static void push_entry(lua_State *L, const struct up_device *d, const struct up_hotfix *h)
{
    char dir[UP_PATH_SIZE];

    lua_createtable(L, 0, 8);
    up_set_string(L, "id", h->id);
    up_set_string(L, "name", h->name);
    up_set_string(L, "version", h->version);
    up_set_string(L, "state", up_hotfix_ledger_state_name(h->state));
    up_set_sequence(L, h->sequence);
    up_set_integer(L, "time", h->time);
    if (h->why[0])
        up_set_string(L, "message", h->why);
    up_set_string(L, "dir", up_hotfix_path(d, h->id, "", dir, sizeof dir));
    if (up_hotfix_ledger_is_opaque(h))
        up_set_string(L, "opaque", up_hotfix_path(d, h->id, UP_OPAQUE_NAME, dir, sizeof dir));
}

int up_push_hotfixes(lua_State *L, const struct up_device *d, struct up_error *err)
{
    struct up_hotfix_ledger *ledger = lua_newuserdatauv(L, sizeof *ledger, 0);

    if (up_hotfix_ledger(d, ledger, err) < 0)
        return err->code;
    lua_createtable(L, (int)ledger->count, 0);
    for (uint32_t i = 0; i < ledger->count; i++) {
        push_entry(L, d, &ledger->entry[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 0;
}

/* device:hotfixes() -> {{id, name, version, state ("testing", "fresh", "applied", "undone", "dropped", "quarantined"),
 * sequence, time, message (why), dir (its folder), opaque (path of its bytes, which are for a handler)}, ...}, in the
 * order of application */
static int m_hotfixes(lua_State *L)
{
    struct up_error err;

    return up_push_hotfixes(L, up_check_device(L, 1), &err) < 0 ? up_push_fail(L, &err) : 1;
}

const luaL_Reg up_hotfix_methods[] = {
    {"hotfix_begin", m_begin},       {"hotfix_bare", m_bare},
    {"hotfix_bare_end", m_bare_end}, {"hotfix_finish", m_finish},
    {"hotfix_waiting", m_waiting},   {"hotfix_undo", m_undo},
    {"hotfixes", m_hotfixes},        {NULL, NULL},
};
