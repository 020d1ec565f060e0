/*
 * update.native.boot -- what the boot loader's variables say, for doctor.
 *
 *   local boot = require "update.native.boot"
 *   local state = assert(boot.read(config))   -- config: update.config.load()
 *   print(state.running, table.concat(state.order, " "))
 *
 * Reads and changes nothing.
 */
#include "boot.h"
#include "config.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

static void push_slot(lua_State *L, const struct up_boot_state *s, int slot)
{
    lua_createtable(L, 0, 2);
    up_set_boolean(L, "good", s->good[slot]);
    up_set_integer(L, "tries", s->tries[slot]);
}

static void push_state(lua_State *L, const struct up_boot_state *s)
{
    lua_createtable(L, 0, 4);
    up_set_string(L, "running", s->running ? "b" : "a");
    lua_createtable(L, s->count, 0);
    for (int i = 0; i < s->count; i++) {
        lua_pushstring(L, s->order[i] ? "b" : "a");
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "order");
    push_slot(L, s, 0);
    lua_setfield(L, -2, "a");
    push_slot(L, s, 1);
    lua_setfield(L, -2, "b");
}

/* read(config) -> { running = "a"|"b", order = { "b", "a" }, a = { good, tries }, b = ... } | nil, message, code */
static int f_read(lua_State *L)
{
    struct up_config config;
    struct up_boot_state state;
    struct up_boot *boot;
    struct up_error err;
    int rc;

    up_check_config(L, 1, &config);
    rc = up_boot_open(&boot, up_storage_system(), up_config_boot(&config), &err);
    if (rc == 0) {
        rc = up_boot_read(boot, &state, &err);
        up_boot_close(boot);
    }
    up_config_free(&config);
    if (rc < 0)
        return up_push_fail(L, &err);
    push_state(L, &state);
    return 1;
}

static const luaL_Reg functions[] = {
    {"read", f_read},
    {NULL, NULL},
};

int luaopen_update_native_boot(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
