/*
 * device_install.c -- methods of update.native.device that install a package: what it takes, begin, finish, abandon.
 */
#include "device.h"
#include "error.h"
#include "helpers.h"
#include "package.h"
#include "status.h"

const struct up_manifest *up_check_manifest(lua_State *L, int arg)
{
    struct up_package *p = up_check_package(L, arg);

    luaL_argcheck(L, up_package_has_manifest(p), arg, "the head of the package is not verified yet");
    return up_package_manifest(p);
}

/* device:learn_source(package) -> true | nil, message, "again" (call again) | nil,
 * message, code: read the running slot for the gate of a delta, a few MiB a call */
static int m_learn_source(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;
    int rc = up_device_learn_source(d, up_check_manifest(L, 2), &err);

    return rc == UP_AGAIN ? up_push_again(L) : up_push_done(L, rc, &err);
}

/* device:source() -> { slot = "a" | "b", mounted = "no" | "read-only" | "read-write" } of
 * the core that runs, which a delta would be against | nil without core slots |
 * nil, message, code: cannot be told */
static int m_source(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;

    return up_push_core_source(L, d, &err) < 0 ? up_push_fail(L, &err) : 1;
}

/* device:learn_script() -> true | nil, message, "again" (call again) | nil, message, code:
 * remember the digest of a script that an older program installed */
static int m_learn_script(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;
    int rc = up_device_learn_script(d, &err);

    return rc == UP_AGAIN ? up_push_again(L) : up_push_done(L, rc, &err);
}

/* device:begin(package) -> true */
static int m_begin(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;

    return up_push_done(L, up_device_begin(d, up_check_manifest(L, 2), &err), &err);
}

/* device:finish(package) -> "armed" | "provisioned", how it was read back ("past the cache") |
 *   nil, message, "again" | nil, message, code */
static int m_finish(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    const struct up_manifest *m = up_check_manifest(L, 2);
    struct up_error err = {.code = UP_AGAIN};
    int rc = up_device_finish(d, m, &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, up_device_state(d)->phase == UP_ARMED ? "armed" : "provisioned");
    lua_pushstring(L, up_storage_read_back_text(up_device_read_back(d)));
    return 2;
}

/* device:prepare(package) -> true: finish() will only arm | nil, message, "again" | nil, message, code */
static int m_prepare(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    const struct up_manifest *m = up_check_manifest(L, 2);
    struct up_error err = {.code = UP_AGAIN};
    int rc = up_device_prepare(d, m, &err);

    return rc == UP_AGAIN ? up_push_again(L) : up_push_done(L, rc, &err);
}

/* device:parts(package) -> array of the parts that this device would take; one
 * of the version that runs is left out, unless that leaves nothing */
static int m_parts(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    unsigned parts = up_device_parts(d, up_check_manifest(L, 2));
    lua_Integer n = 0;

    lua_newtable(L);
    for (int kind = 0; kind < UP_PART_KINDS; kind++) {
        if (!(parts & 1u << kind))
            continue;
        lua_pushstring(L, up_manifest_part_name((enum up_part_kind)kind));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* device:abandon(code, why) -> true */
static int m_abandon(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    const struct up_code_info *info = up_code_find(luaL_checkstring(L, 2));
    const char *why = luaL_checkstring(L, 3);
    struct up_error err;

    luaL_argcheck(L, info, 2, "not a code word");
    return up_push_done(L, up_device_abandon(d, info->code, why, &err), &err);
}

const luaL_Reg up_install_methods[] = {
    {"learn_source", m_learn_source},
    {"learn_script", m_learn_script},
    {"source", m_source},
    {"begin", m_begin},
    {"finish", m_finish},
    {"prepare", m_prepare},
    {"parts", m_parts},
    {"abandon", m_abandon},
    {NULL, NULL},
};
