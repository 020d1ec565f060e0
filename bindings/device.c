/*
 * update.native.device -- one device: journal, slots, generations, boot loader.
 *
 *   local device = require "update.native.device"
 *   local d = assert(device.open(config, "lock"))
 *   local head = package.open(source, config.keys, d:spool())
 *   ... head:step() until it is whole, d:gates(head), ask policy ...
 *   d:begin(head)            -- then update.native.transfer carries the blocks
 *   repeat local ok, _, code = d:finish(head) until ok or code ~= "again"
 *
 * Installing is in device_install.c, what ends a trial in device_trial.c, what concerns hotfixes in device_hotfix.c.
 *
 * `config` is what update.config.load() returns. Modes: "read" (takes no
 * lock, writes nothing), "lock", "child" (the parent holds the lock).
 */
#include "device.h"
#include "device_settle.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "roots.h"
#include "running.h"
#include "status.h"

struct handle {
    struct up_device *device; /* NULL once closed, and while opening */
    struct up_config config;  /* the device refers to it */
};

static struct handle *check_handle(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_DEVICE_TYPE);

    if (!h->device)
        luaL_error(L, "attempt to use a closed device");
    return h;
}

static struct up_device *check_open(lua_State *L)
{
    return check_handle(L)->device;
}

static struct handle *new_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);

    h->device = NULL;
    up_config_init(&h->config);
    luaL_setmetatable(L, UP_DEVICE_TYPE);
    return h;
}

/* open(config, mode) -> device | nil, message, code */
static int f_open(lua_State *L)
{
    static const char *const modes[] = {"read", "lock", "child", NULL};
    static const unsigned flags[] = {UP_DEVICE_READ, UP_DEVICE_LOCK, UP_DEVICE_CHILD};
    int mode = luaL_checkoption(L, 2, "read", modes);
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    if (up_device_open(&h->device, up_storage_system(), &h->config, flags[mode], &err) < 0)
        return up_push_fail(L, &err);
    if (flags[mode] & UP_DEVICE_LOCK)
        up_device_by_hand(h->device, up_running_system());
    return 1;
}

/* provision(config) -> device over an empty state | nil, message, code */
static int f_provision(lua_State *L)
{
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    if (up_device_provision(&h->device, up_storage_system(), &h->config, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* try_write(config) -> true | nil, message, code ("write", "nospace"): make, sync
 * and remove a file in the state */
static int f_try_write(lua_State *L)
{
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    if (up_device_try_write(up_storage_system(), &h->config, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* settle(config [, accept]) -> "whole", "waits", "old", "new", "trial", "accepted" | nil, message, code: see
 * up_device_settle() and, with accept, up_device_settle_accepting() */
static int f_settle(lua_State *L)
{
    struct handle *h;
    enum up_settled settled;
    bool accept = lua_toboolean(L, 2);
    struct up_error err;
    int rc;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    rc = accept ? up_device_settle_accepting(&settled, up_storage_system(), &h->config, &err)
                : up_device_settle(&settled, up_storage_system(), &h->config, &err);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, up_device_settled_name(settled));
    return 1;
}

/* clean_files(config, remove) -> number, path of one of them ("" of none) | nil, message, code: see
 * up_device_settle_files() */
static int f_clean_files(lua_State *L)
{
    struct handle *h;
    struct up_files_strays strays;
    bool removes = lua_toboolean(L, 2);
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    if (up_device_settle_files(removes, &strays, up_storage_system(), &h->config, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, strays.count);
    lua_pushstring(L, strays.first);
    return 2;
}

/* check_roots(config) -> true | nil, message, code ("incompatible", "write"): whether files.roots
 * are apart from one another and from what the device lives on */
static int f_check_roots(lua_State *L)
{
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    h = new_handle(L);
    up_check_config(L, 1, &h->config);
    if (up_roots_check(&h->config, up_storage_system(), &err) < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* device:status() -> { phase, release, core {name, version, running, tries},
 * script {version, generation, damage: what is wrong with its files}, floor, time {now, trusted, set}, kept_out (days),
 * mixed: where the files are neither the old nor the new ones, if they are not, transaction,
 * last {code, message, sequence, time, verdict: of a release that no cloud answered: "open", "again"},
 * trouble {code, message, updates: whether they work all the same} } */
static int m_status(lua_State *L)
{
    up_push_status(L, check_open(L));
    return 1;
}

/* device:facts() -> the `device` table of policy, as far as the device knows it */
static int m_facts(lua_State *L)
{
    up_push_facts(L, check_open(L));
    return 1;
}

/* device:time_floor() -> seconds since 1970: by what certificates are judged | nil:
 * by the clock, which is trusted */
static int m_time_floor(lua_State *L)
{
    uint64_t floor = up_device_time_floor(check_open(L));

    if (floor)
        lua_pushinteger(L, (lua_Integer)floor);
    else
        lua_pushnil(L);
    return 1;
}

/* device:witness(date) -> whether the clock agrees with a verified peer that it is
 * `date`, seconds since 1970; it is trusted then */
static int m_witness(lua_State *L)
{
    struct up_device *d = check_open(L);

    lua_pushboolean(L, up_device_witness(d, (uint64_t)luaL_checkinteger(L, 2)));
    return 1;
}

/* device:history() -> array of { number, time, event, sequence, transaction, release, code, message } */
static int m_history(lua_State *L)
{
    struct up_device *d = check_open(L);
    struct up_error err;

    return up_push_history(L, d, &err) < 0 ? up_push_fail(L, &err) : 1;
}

/* device:release_of(package) -> what its release is called here | nil, message, code */
static int m_release_of(lua_State *L)
{
    struct up_device *d = check_open(L);
    const struct up_manifest *m = up_check_manifest(L, 2);
    char release[UP_VERSION_SIZE];
    struct up_error err;

    if (up_manifest_release(m, up_status_confirmed(d)->script_version, release, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, release);
    return 1;
}

/* device:gates(package) -> { open, permitted, repairs, code, message, lines = { { gate, open, text }, ... } } */
static int m_gates(lua_State *L)
{
    struct up_device *d = check_open(L);
    const struct up_manifest *m = up_check_manifest(L, 2);
    struct up_error err;

    return up_push_gates(L, d, m, &err) < 0 ? up_push_fail(L, &err) : 1;
}

/* device:permit(path) -> true | nil, message, code: verify a permit file and have
 * the gates look at it; device:permit(nil) drops it */
static int m_permit(lua_State *L)
{
    struct up_device *d = check_open(L);
    struct up_error err;

    return up_push_done(L, up_device_permit(d, luaL_optstring(L, 2, NULL), &err), &err);
}

/* device:reload() -> true */
static int m_reload(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_device_reload(check_open(L), &err), &err);
}

/* device:spool() -> path of the directory for a package's head */
static int m_spool(lua_State *L)
{
    char path[UP_PATH_SIZE];
    struct up_error err;

    if (up_device_spool(check_open(L), path, sizeof path, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, path);
    return 1;
}

/* device:path(name) -> <state>/<name> */
static int m_path(lua_State *L)
{
    struct up_device *d = check_open(L);

    lua_pushfstring(L, "%s/%s", up_device_config(d)->state, luaL_checkstring(L, 2));
    return 1;
}

/* device:generation() -> number, path */
static int m_generation(lua_State *L)
{
    struct up_device *d = check_open(L);
    char path[UP_PATH_SIZE];

    lua_pushinteger(L, up_device_generation(d));
    lua_pushstring(L, up_device_generation_path(d, up_device_generation(d), path, sizeof path));
    return 2;
}

/* device:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_DEVICE_TYPE);

    up_device_close(h->device);
    h->device = NULL;
    up_config_free(&h->config);
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"provision", f_provision},
    {"try_write", f_try_write},
    {"check_roots", f_check_roots},
    {"settle", f_settle},
    {"clean_files", f_clean_files},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"status", m_status},   {"facts", m_facts},     {"time_floor", m_time_floor},
    {"witness", m_witness}, {"history", m_history}, {"release_of", m_release_of},
    {"gates", m_gates},     {"permit", m_permit},   {"reload", m_reload},
    {"spool", m_spool},     {"path", m_path},       {"generation", m_generation},
    {"close", m_close},     {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

int luaopen_update_native_device(lua_State *L)
{
    up_new_type(L, UP_DEVICE_TYPE, metamethods, methods);
    up_add_methods(L, UP_DEVICE_TYPE, up_install_methods);
    up_add_methods(L, UP_DEVICE_TYPE, up_trial_methods);
    up_add_methods(L, UP_DEVICE_TYPE, up_hotfix_methods);
    luaL_newlib(L, functions);
    return 1;
}
