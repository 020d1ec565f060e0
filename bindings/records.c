/*
 * update.native.records -- the state of a device's records, for doctor.
 *
 *   local records = require "update.native.records"
 *   for _, record in ipairs(assert(records.inspect(config))) do   -- config: update.config.load()
 *     for _, file in ipairs(record.files) do print(record.name, file.path, file.state, file.size) end
 *   end
 *
 * Reads and changes nothing.
 */
#include "records.h"

#include "config.h"
#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

static void push_file(lua_State *L, const struct up_record_view *view)
{
    lua_createtable(L, 0, 3);
    up_set_string(L, "path", view->path);
    up_set_string(L, "state", view->state);
    up_set_integer(L, "size", view->size);
}

static void push_record(lua_State *L, const struct up_records_view *view)
{
    lua_createtable(L, 0, 2);
    up_set_string(L, "name", view->name);
    lua_createtable(L, 2, 0);
    for (int i = 0; i < 2; i++) {
        push_file(L, &view->file[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "files");
}

/* inspect(config) -> array of { name, files = { { path, state = "whole"|"absent"|"broken"|"unreadable", size }, ... } }
 * | nil, message, code */
static int f_inspect(lua_State *L)
{
    struct up_records_view *views = lua_newuserdatauv(L, UP_RECORDS * sizeof *views, 0);
    struct up_config config;
    struct up_error err;
    int count;

    up_check_config(L, 1, &config);
    count = up_records_inspect(views, up_storage_system(), &config, &err);
    up_config_free(&config);
    if (count < 0)
        return up_push_fail(L, &err);
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        push_record(L, &views[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static const luaL_Reg functions[] = {
    {"inspect", f_inspect},
    {NULL, NULL},
};

int luaopen_update_native_records(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
