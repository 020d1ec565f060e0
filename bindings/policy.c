/*
 * update.native.policy -- ask the policy process; keep the last good policy.
 *
 *     local policy = require "update.native.policy"
 *     local p = assert(policy.start(question, "nobody"))   -- JSON; see lua/update/engine/policy_client.lua
 *     local text, message, code = p:step()
 *     while not text and code == "again" do
 *       loop:poll(p:remaining(), watches of p:fd() and p:wants_write())
 *       text, message, code = p:step()
 *     end
 *     p:close()
 *     policy.keep(state, "owner", text)
 */
#include "policy.h"

#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define POLICY "update.native.policy"

struct handle {
    struct up_policy *policy; /* NULL once closed, and while starting */
};

static struct up_policy *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, POLICY);

    if (!h->policy)
        luaL_error(L, "attempt to use a closed policy process");
    return h->policy;
}

/* start(question [, user [, program]]) -> p | nil, message, code
 * question is one JSON text; user a name, nil to stay who we are; program the
 * host, which is the running program unless plain lua5.4 is. */
static int f_start(lua_State *L)
{
    size_t len;
    const char *question = luaL_checklstring(L, 1, &len);
    const char *user = luaL_optstring(L, 2, NULL);
    const char *program = luaL_optstring(L, 3, "/proc/self/exe");
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_error err;

    h->policy = NULL;
    luaL_setmetatable(L, POLICY);
    if (up_policy_start(&h->policy, program, user, question, len, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* keep(state, name, text) -> true | nil, message, code: the last text that answered */
static int f_keep(lua_State *L)
{
    return up_keep_text(L, up_policy_keep);
}

/* kept(state, name) -> text | nil, message, code ("missing" when none is) */
static int f_kept(lua_State *L)
{
    return up_push_kept(L, up_policy_kept);
}

/* p:fd() -> the descriptor to watch for reading */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_policy_fd(check_open(L)));
    return 1;
}

/* p:wants_write() -> the descriptor to watch for writing | nil */
static int m_wants_write(lua_State *L)
{
    int fd;

    if (!up_policy_wants_write(check_open(L), &fd))
        return 0;
    lua_pushinteger(L, fd);
    return 1;
}

/* p:remaining() -> milliseconds until it is killed */
static int m_remaining(lua_State *L)
{
    lua_pushinteger(L, up_policy_remaining(check_open(L)));
    return 1;
}

/* p:pid() -> process number, 0 once it ended */
static int m_pid(lua_State *L)
{
    lua_pushinteger(L, up_policy_pid(check_open(L)));
    return 1;
}

/* p:step() -> answer, one JSON text | nil, message, code ("again": poll; "refused": it is over) */
static int m_step(lua_State *L)
{
    struct up_policy *p = check_open(L);
    const char *answer;
    struct up_error err;
    long n = up_policy_step(p, &answer, &err);

    if (n == UP_AGAIN) {
        lua_pushnil(L);
        lua_pushliteral(L, "nothing yet");
        lua_pushliteral(L, "again");
        return 3;
    }
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushlstring(L, answer, (size_t)n);
    return 1;
}

/* p:close(), also __gc and __close: kills the process. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, POLICY);

    up_policy_close(h->policy);
    h->policy = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},
    {"wants_write", m_wants_write},
    {"remaining", m_remaining},
    {"pid", m_pid},
    {"step", m_step},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"start", f_start},
    {"keep", f_keep},
    {"kept", f_kept},
    {NULL, NULL},
};

int luaopen_update_native_policy(lua_State *L)
{
    up_new_type(L, POLICY, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
