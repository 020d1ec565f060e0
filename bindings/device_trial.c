/*
 * device_trial.c -- methods of update.native.device about trials: who let a release in, and what ends one.
 */
#include "device.h"
#include "error.h"
#include "helpers.h"

/* device:kept_out_due() -> whether device:count_kept_out() would write now */
static int m_kept_out_due(lua_State *L)
{
    lua_pushboolean(L, up_device_kept_out_due(up_check_device(L, 1)));
    return 1;
}

/* device:count_kept_out() -> days on which the release's own policy kept packages
 * out that passed every gate, this one included */
static int m_count_kept_out(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;

    if (up_device_count_kept_out(d, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, up_device_state(d)->kept_out.days);
    return 1;
}

/* device:unjudged() -> whether a release that no cloud answered waits for device:judge() */
static int m_unjudged(lua_State *L)
{
    lua_pushboolean(L, up_device_unjudged(up_check_device(L, 1)));
    return 1;
}

/* device:judge(reached) -> true: of a release that no cloud answered on trial, whether
 * one answered the old pair soon after its start. See up_device_judge() */
static int m_judge(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    struct up_error err;

    luaL_checktype(L, 2, LUA_TBOOLEAN);
    return up_push_done(L, up_device_judge(d, lua_toboolean(L, 2), &err), &err);
}

/* device:let_in(by_release): before begin(), whether the release's own policy let it in */
static int m_let_in(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);

    luaL_checktype(L, 2, LUA_TBOOLEAN);
    up_device_let_in(d, lua_toboolean(L, 2));
    return 0;
}

static int push_action(lua_State *L, int rc, enum up_start_action action, const struct up_error *err)
{
    if (rc < 0)
        return up_push_fail(L, err);
    lua_pushstring(L, action == UP_START_RUN ? "run" : "restart");
    return 1;
}

/* device:confirm() -> true */
static int m_confirm(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_device_confirm(up_check_device(L, 1), &err), &err);
}

/* device:rollback(failed, why) -> "run" | "restart" */
static int m_rollback(lua_State *L)
{
    struct up_device *d = up_check_device(L, 1);
    const char *why = luaL_checkstring(L, 3);
    enum up_start_action action;
    struct up_error err;
    int rc = up_device_rollback(d, lua_toboolean(L, 2), why, &action, &err);

    return push_action(L, rc, action, &err);
}

/* device:needs_restart() -> whether what is armed or on trial came with a core */
static int m_needs_restart(lua_State *L)
{
    lua_pushboolean(L, up_device_has_core(up_check_device(L, 1)));
    return 1;
}

const luaL_Reg up_trial_methods[] = {
    {"kept_out_due", m_kept_out_due},
    {"count_kept_out", m_count_kept_out},
    {"judge", m_judge},
    {"unjudged", m_unjudged},
    {"let_in", m_let_in},
    {"confirm", m_confirm},
    {"rollback", m_rollback},
    {"needs_restart", m_needs_restart},
    {NULL, NULL},
};
