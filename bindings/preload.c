#include "preload.h"

#include <lauxlib.h>
#include <stddef.h>

static const luaL_Reg bindings[] = {
    {"update.native.error", luaopen_update_native_error},
    {"update.native.printable", luaopen_update_native_printable},
    {"update.native.url", luaopen_update_native_url},
    {"update.native.log", luaopen_update_native_log},
    {"update.native.rights", luaopen_update_native_rights},
    {"update.native.json", luaopen_update_native_json},
    {"update.native.archive", luaopen_update_native_archive},
    {"update.native.digest", luaopen_update_native_digest},
    {"update.native.cipher", luaopen_update_native_cipher},
    {"update.native.secret", luaopen_update_native_secret},
    {"update.native.cloud_record", luaopen_update_native_cloud_record},
    {"update.native.minisign", luaopen_update_native_minisign},
    {"update.native.keys", luaopen_update_native_keys},
    {"update.native.permit", luaopen_update_native_permit},
    {"update.native.package", luaopen_update_native_package},
    {"update.native.pack", luaopen_update_native_pack},
    {"update.native.patch", luaopen_update_native_patch},
    {"update.native.verify", luaopen_update_native_verify},
    {"update.native.source", luaopen_update_native_source},
    {"update.native.loop", luaopen_update_native_loop},
    {"update.native.fetch", luaopen_update_native_fetch},
    {"update.native.dial", luaopen_update_native_dial},
    {"update.native.partial", luaopen_update_native_partial},
    {"update.native.channel", luaopen_update_native_channel},
    {"update.native.httpd", luaopen_update_native_httpd},
    {"update.native.exchange", luaopen_update_native_exchange},
    {"update.native.database", luaopen_update_native_database},
    {"update.native.password", luaopen_update_native_password},
    {"update.native.folder", luaopen_update_native_folder},
    {"update.native.command", luaopen_update_native_command},
    {"update.native.signals", luaopen_update_native_signals},
    {"update.native.mqtt", luaopen_update_native_mqtt},
    {"update.native.storage", luaopen_update_native_storage},
    {"update.native.boot", luaopen_update_native_boot},
    {"update.native.records", luaopen_update_native_records},
    {"update.native.slot", luaopen_update_native_slot},
    {"update.native.flash", luaopen_update_native_flash},
    {"update.native.device", luaopen_update_native_device},
    {"update.native.transfer", luaopen_update_native_transfer},
    {"update.native.policy", luaopen_update_native_policy},
};

void up_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++) {
        if (!bindings[i].func)
            continue;
        lua_pushcfunction(L, bindings[i].func);
        lua_setfield(L, -2, bindings[i].name);
    }
    lua_pop(L, 1);
}
