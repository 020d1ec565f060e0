/*
 * preload.h -- the bindings that are linked into the host.
 */
#ifndef UP_PRELOAD_H
#define UP_PRELOAD_H

#include <lua.h>

/* Symbols that plain lua5.4 looks up when a binding is a module of its own.
 * Weak: a program may leave bindings out. */
#define UP_EXPORT __attribute__((visibility("default"), weak))

UP_EXPORT int luaopen_update_native_error(lua_State *L);
UP_EXPORT int luaopen_update_native_printable(lua_State *L);
UP_EXPORT int luaopen_update_native_url(lua_State *L);
UP_EXPORT int luaopen_update_native_log(lua_State *L);
UP_EXPORT int luaopen_update_native_rights(lua_State *L);
UP_EXPORT int luaopen_update_native_json(lua_State *L);
UP_EXPORT int luaopen_update_native_archive(lua_State *L);
UP_EXPORT int luaopen_update_native_digest(lua_State *L);
UP_EXPORT int luaopen_update_native_cipher(lua_State *L);
UP_EXPORT int luaopen_update_native_secret(lua_State *L);
UP_EXPORT int luaopen_update_native_cloud_record(lua_State *L);
UP_EXPORT int luaopen_update_native_minisign(lua_State *L);
UP_EXPORT int luaopen_update_native_keys(lua_State *L);
UP_EXPORT int luaopen_update_native_permit(lua_State *L);
UP_EXPORT int luaopen_update_native_package(lua_State *L);
UP_EXPORT int luaopen_update_native_pack(lua_State *L);
UP_EXPORT int luaopen_update_native_patch(lua_State *L);
UP_EXPORT int luaopen_update_native_verify(lua_State *L);
UP_EXPORT int luaopen_update_native_source(lua_State *L);
UP_EXPORT int luaopen_update_native_loop(lua_State *L);
UP_EXPORT int luaopen_update_native_fetch(lua_State *L);
UP_EXPORT int luaopen_update_native_dial(lua_State *L);
UP_EXPORT int luaopen_update_native_partial(lua_State *L);
UP_EXPORT int luaopen_update_native_channel(lua_State *L);
UP_EXPORT int luaopen_update_native_httpd(lua_State *L);
UP_EXPORT int luaopen_update_native_exchange(lua_State *L);
UP_EXPORT int luaopen_update_native_database(lua_State *L);
UP_EXPORT int luaopen_update_native_password(lua_State *L);
UP_EXPORT int luaopen_update_native_folder(lua_State *L);
UP_EXPORT int luaopen_update_native_command(lua_State *L);
UP_EXPORT int luaopen_update_native_signals(lua_State *L);
UP_EXPORT int luaopen_update_native_mqtt(lua_State *L);
UP_EXPORT int luaopen_update_native_storage(lua_State *L);
UP_EXPORT int luaopen_update_native_boot(lua_State *L);
UP_EXPORT int luaopen_update_native_records(lua_State *L);
UP_EXPORT int luaopen_update_native_slot(lua_State *L);
UP_EXPORT int luaopen_update_native_flash(lua_State *L);
UP_EXPORT int luaopen_update_native_device(lua_State *L);
UP_EXPORT int luaopen_update_native_transfer(lua_State *L);
UP_EXPORT int luaopen_update_native_policy(lua_State *L);

/* Put every binding that there is into package.preload, so that require finds it built in. */
void up_preload(lua_State *L);

#endif
