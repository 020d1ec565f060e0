/*
 * helpers.h -- needed by every binding: failures, types, checked arguments.
 */
#ifndef UP_HELPERS_H
#define UP_HELPERS_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_config;
struct up_device;
struct up_manifest;
struct up_fetch_options;
struct up_storage;

/* Push nil, message, code word; returns 3. */
int up_push_fail(lua_State *L, const struct up_error *err);

/* Push true, or when rc is negative what up_push_fail() does; returns how many. */
int up_push_done(lua_State *L, int rc, const struct up_error *err);

/* Push nil, "nothing yet", "again": the form of UP_AGAIN in Lua; returns 3. */
int up_push_again(lua_State *L);

/* A metatable `name` whose __index is a table of methods of its own, so that
 * scripts cannot reach metamethods by name. */
void up_new_type(lua_State *L, const char *name, const luaL_Reg *metamethods, const luaL_Reg *methods);

/* More methods for that type. */
void up_add_methods(lua_State *L, const char *name, const luaL_Reg *methods);

/* Push a holder for a text that C allocates, so that the state owns the text
 * before anything can raise. up_push_text() turns it into a Lua string; returns
 * 1. */
char **up_new_text(lua_State *L);
int up_push_text(lua_State *L, char **text, size_t len);

/* Functions of Lua for a text that C keeps below the state directory:
 *     (state, name, text) -> true | nil, message, code
 *     (state, name) -> text | nil, message, code ("missing" when none is kept) */
typedef int up_keep_fn(struct up_storage *storage, const char *state, const char *name, const char *text,
                       size_t len, struct up_error *err);
typedef int up_kept_fn(struct up_storage *storage, const char *state, const char *name, char **text,
                       size_t *len, struct up_error *err);
int up_keep_text(lua_State *L, up_keep_fn *keep);
int up_push_kept(lua_State *L, up_kept_fn *kept);

/* A non-negative integer argument: bytes, offsets, counts. Raises otherwise. */
uint64_t up_check_bytes(lua_State *L, int arg);

/* Fields of the table at `index` (absolute or negative). A field of another
 * type raises with its name; an absent one gives the default. Strings stay
 * owned by the table. */
const char *up_field_string(lua_State *L, int index, const char *name, const char *otherwise);
uint64_t up_field_integer(lua_State *L, int index, const char *name, uint64_t otherwise);
int up_field_boolean(lua_State *L, int index, const char *name, int otherwise);

/* Set t[name] on the table at the top of the stack. */
void up_set_string(lua_State *L, const char *name, const char *value);
void up_set_integer(lua_State *L, const char *name, uint64_t value);
void up_set_boolean(lua_State *L, const char *name, int value);
/* `sequence`; of what nobody signed 0, and `unsigned`: how its SHA-256 begins, 14 hex digits. */
void up_set_sequence(lua_State *L, uint64_t sequence);

/* The normalised table of lua/update/config/init.lua at `index` as a C structure;
 * raises on a field of the wrong type. Release with up_config_free(). */
void up_check_config(lua_State *L, int index, struct up_config *out);

/* The options of a request, a table at `arg`, into *out, which is zeroed before;
 * strings stay owned by the table and by what this leaves on the stack. Fields:
 * range = {offset [, length]}, if_range, method, body, headers = {name = value},
 * time_floor (seconds since 1970), max_redirects (none are followed by default), redirect_prefix, proxy, ca_file,
 * max_body (bytes), connect_timeout, low_speed_time, deadline (seconds),
 * low_speed_limit (bytes a second). */
void up_check_fetch_options(lua_State *L, int arg, struct up_fetch_options *out);

/* Push a table of the manifest's fields, as update.native.package documents them. */
void up_push_manifest(lua_State *L, const struct up_manifest *m);
/* Push what device:status() and device:facts() of update.native.device give. */
void up_push_status(lua_State *L, const struct up_device *d);
void up_push_facts(lua_State *L, const struct up_device *d);
/* The same of device:history(), gates() and source(). 0, or an error, with nothing of use on the stack. */
UP_MUST_CHECK int up_push_history(lua_State *L, const struct up_device *d, struct up_error *err);
UP_MUST_CHECK int up_push_gates(lua_State *L, struct up_device *d, const struct up_manifest *m,
                                struct up_error *err);
UP_MUST_CHECK int up_push_core_source(lua_State *L, struct up_device *d, struct up_error *err);

/* Handles that one binding returns and another takes. They raise for another
 * type and for a closed handle. The taker anchors the userdata while it uses
 * it. */
struct up_loop *up_check_loop(lua_State *L, int arg);
struct up_source *up_check_source(lua_State *L, int arg);
struct up_package *up_check_package(lua_State *L, int arg);
struct up_device *up_check_device(lua_State *L, int arg);
/* The manifest of such a package; raises before its head is verified. */
const struct up_manifest *up_check_manifest(lua_State *L, int arg);

/* The methods of update.native.device that install. */
extern const luaL_Reg up_install_methods[];
/* Those that begin and end a trial. */
extern const luaL_Reg up_trial_methods[];
/* Those for hotfixes. */
extern const luaL_Reg up_hotfix_methods[];
/* The table of device:hotfixes(). 0, or an error, with nothing of use on the stack. */
UP_MUST_CHECK int up_push_hotfixes(lua_State *L, const struct up_device *d, struct up_error *err);

/* Type names of those userdata; each begins with a pointer that is NULL once closed. */
#define UP_LOOP_TYPE "update.native.loop"
#define UP_SOURCE_TYPE "update.native.source"
#define UP_PACKAGE_TYPE "update.native.package"
#define UP_DEVICE_TYPE "update.native.device"

#endif
