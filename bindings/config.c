/*
 * config.c -- convert the table of lua/update/config/init.lua to a struct
 * up_config.
 *
 * The table was checked there, field by field; this refuses a table that came
 * from somewhere else.
 */
#include "config.h"

#include <string.h>

#include "helpers.h"

static void copy_string(lua_State *L, int index, const char *name, char *out, size_t size)
{
    const char *value = up_field_string(L, index, name, NULL);

    if (!value)
        luaL_error(L, "field '%s' is missing", name);
    if (strlen(value) >= size)
        luaL_error(L, "field '%s' is longer than %d characters", name, (int)size - 1);
    memcpy(out, value, strlen(value) + 1);
}

static char *duplicate(lua_State *L, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        luaL_error(L, "not enough memory");
    return copy;
}

static char *copy_path(lua_State *L, int index, const char *name)
{
    const char *value = up_field_string(L, index, name, NULL);

    if (!value)
        luaL_error(L, "field '%s' is missing", name);
    return duplicate(L, value);
}

static enum up_boot_driver boot_driver(lua_State *L, const char *name)
{
    if (strcmp(name, "uboot") == 0)
        return UP_BOOT_UBOOT;
    if (strcmp(name, "file") != 0)
        luaL_error(L, "field 'core.boot': unknown driver '%s'", name);
    return UP_BOOT_FILE;
}

/* core = { slots = { a, b }, boot = "file" | "uboot" [, fw_env] [, cmdline] } */
static void read_core(lua_State *L, int index, struct up_config *out)
{
    if (lua_getfield(L, index, "core") == LUA_TTABLE) {
        out->boot = boot_driver(L, up_field_string(L, -1, "boot", "file"));
        if (out->boot == UP_BOOT_UBOOT) {
            out->fw_env = copy_path(L, lua_gettop(L), "fw_env");
            out->cmdline = copy_path(L, lua_gettop(L), "cmdline");
        }
        if (lua_getfield(L, -1, "slots") != LUA_TTABLE)
            luaL_error(L, "field 'core.slots' must be a table");
        out->slot[0] = copy_path(L, lua_gettop(L), "a");
        out->slot[1] = copy_path(L, lua_gettop(L), "b");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* The array of words on the stack. */
static void read_argv(lua_State *L, const char *field, char *argv[UP_ARGV_MAX + 1])
{
    lua_Integer n = luaL_len(L, -1);

    if (n < 1 || n > UP_ARGV_MAX)
        luaL_error(L, "field '%s' must have 1 to %d words", field, UP_ARGV_MAX);
    for (lua_Integer i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TSTRING)
            luaL_error(L, "field '%s' must be an array of strings", field);
        argv[i] = duplicate(L, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

/* restart = nil | "exit" | { "systemctl", "reboot" } */
static void read_restart(lua_State *L, int index, struct up_config *out)
{
    switch (lua_getfield(L, index, "restart")) {
    case LUA_TNIL:
        out->restart = UP_RESTART_SUPERVISOR;
        break;
    case LUA_TTABLE:
        read_argv(L, "restart", out->restart_argv);
        out->restart = UP_RESTART_COMMAND;
        break;
    default:
        if (!lua_isstring(L, -1) || strcmp(lua_tostring(L, -1), "exit") != 0)
            luaL_error(L, "field 'restart' must be \"exit\" or an array of strings");
        out->restart = UP_RESTART_EXIT;
    }
    lua_pop(L, 1);
}

/* script = false | { user = NAME [, groups = { NAME, ... }] } */
static void read_script(lua_State *L, int index, struct up_config *out)
{
    out->no_script = lua_getfield(L, index, "script") == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    if (lua_istable(L, -1) && up_field_string(L, -1, "user", NULL)) {
        out->script_user = copy_path(L, lua_gettop(L), "user");
        out->has_script_groups = lua_getfield(L, -1, "groups") == LUA_TTABLE;
        for (lua_Integer i = 0; out->has_script_groups && i < luaL_len(L, -1); i++) {
            if (i == UP_RIGHTS_GROUPS || lua_rawgeti(L, -1, i + 1) != LUA_TSTRING)
                luaL_error(L, "field 'script.groups' must be an array of at most %d names", UP_RIGHTS_GROUPS);
            out->script_group[i] = duplicate(L, lua_tostring(L, -1));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    out->control_group = up_field_string(L, index, "control_group", NULL) != NULL;
}

static void read_roots(lua_State *L, struct up_config *out)
{
    lua_Integer n = lua_getfield(L, -1, "roots") == LUA_TTABLE ? luaL_len(L, -1) : 0;

    if (n < 1 || n > UP_FILES_ROOTS)
        luaL_error(L, "field 'files.roots' must have 1 to %d elements", UP_FILES_ROOTS);
    for (lua_Integer i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TTABLE)
            luaL_error(L, "field 'files.roots' must be an array of tables");
        out->files.root[i].path = copy_path(L, lua_gettop(L), "path");
        out->files.root[i].weak = up_field_boolean(L, -1, "weak", 0);
        out->files.root_count++;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* clouds = { { [mit_ini = PATH] }, ... }: at most one of them has it */
static void read_mit_ini(lua_State *L, int index, struct up_config *out)
{
    lua_Integer n = lua_getfield(L, index, "clouds") == LUA_TTABLE ? luaL_len(L, -1) : 0;

    for (lua_Integer i = 1; i <= n && !out->mit_ini; i++) {
        if (lua_geti(L, -1, i) == LUA_TTABLE && up_field_string(L, lua_gettop(L), "mit_ini", NULL))
            out->mit_ini = copy_path(L, lua_gettop(L), "mit_ini");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* files = { roots = { { path = PATH [, weak] }, ... } [, stop = {...}] [, start = {...}] [, trim] [, run_mixed] } */
static void read_files(lua_State *L, int index, struct up_config *out)
{
    if (lua_getfield(L, index, "files") == LUA_TTABLE) {
        read_roots(L, out);
        if (lua_getfield(L, -1, "stop") == LUA_TTABLE)
            read_argv(L, "files.stop", out->files.stop);
        if (lua_getfield(L, -2, "start") == LUA_TTABLE)
            read_argv(L, "files.start", out->files.start);
        lua_pop(L, 2);
        out->files.trim = up_field_boolean(L, -1, "trim", 0);
        out->files.run_mixed = up_field_boolean(L, -1, "run_mixed", 0);
    }
    lua_pop(L, 1);
}

static uint32_t read_seconds(lua_State *L, int index, const char *name, uint32_t otherwise)
{
    uint64_t v = up_field_integer(L, index, name, otherwise);

    if (v > UINT32_MAX)
        luaL_error(L, "field '%s' is too large", name);
    return (uint32_t)v;
}

/* It owns what was copied until everything is, so that nothing leaks if a field raises. */
static int m_gc(lua_State *L)
{
    up_config_free(lua_touserdata(L, 1));
    return 0;
}

static struct up_config *new_draft(lua_State *L)
{
    struct up_config *draft = lua_newuserdatauv(L, sizeof *draft, 0);

    up_config_init(draft);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, m_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return draft;
}

void up_check_config(lua_State *L, int index, struct up_config *out)
{
    struct up_config *draft;

    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    draft = new_draft(L);
    draft->path = copy_path(L, index, "path");
    copy_string(L, index, "project", draft->project, sizeof draft->project);
    copy_string(L, index, "product_key", draft->product_key, sizeof draft->product_key);
    copy_string(L, index, "hardware", draft->hardware, sizeof draft->hardware);
    copy_string(L, index, "id", draft->id, sizeof draft->id);
    draft->state = copy_path(L, index, "state");
    draft->keys = copy_path(L, index, "keys");
    if (up_field_string(L, index, "journal_dir", NULL))
        draft->journal_dir = copy_path(L, index, "journal_dir");
    read_core(L, index, draft);
    read_files(L, index, draft);
    read_mit_ini(L, index, draft);
    read_restart(L, index, draft);
    draft->heartbeat = read_seconds(L, index, "heartbeat", draft->heartbeat);
    draft->deadline = read_seconds(L, index, "deadline", draft->deadline);
    draft->hotfix_time = read_seconds(L, index, "hotfix_time", draft->hotfix_time);
    draft->reuse = up_field_boolean(L, index, "reuse", draft->reuse);
    draft->script_memory = up_field_integer(L, index, "script_memory", draft->script_memory);
    read_script(L, index, draft);
    *out = *draft;
    memset(draft, 0, sizeof *draft);
    lua_pop(L, 1);
}
