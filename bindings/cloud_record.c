/*
 * update.native.cloud_record -- remember a cloud's offer across a restart.
 *
 *     local record = require "update.native.cloud_record"
 *     assert(record.keep(state, "aliyun", text))
 *     local text = record.read(state, "aliyun")
 */
#include "cloud_record.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

/* keep(state, name, text) -> true | nil, message, code; replaces what was there, at most 4 KiB */
static int f_keep(lua_State *L)
{
    return up_keep_text(L, up_cloud_record_keep);
}

/* read(state, name) -> text | nil, message, code ("missing" when there is none) */
static int f_read(lua_State *L)
{
    return up_push_kept(L, up_cloud_record_read);
}

/* forget(state, name) -> true | nil, message, code; true also when there is none */
static int f_forget(lua_State *L)
{
    const char *state = luaL_checkstring(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct up_error err;

    return up_push_done(L, up_cloud_record_forget(up_storage_system(), state, name, &err), &err);
}

static const luaL_Reg functions[] = {
    {"keep", f_keep},
    {"read", f_read},
    {"forget", f_forget},
    {NULL, NULL},
};

int luaopen_update_native_cloud_record(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
