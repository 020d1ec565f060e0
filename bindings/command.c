/*
 * update.native.command -- run another program without waiting for it.
 *
 *     local c = assert(command.start { "ifup", "ppp0" })
 *     local status, why, code = c:poll()   -- nil, "nothing yet", "again" while it runs
 *     c:close()                            -- what still runs is killed
 *     local c, fd = command.start({ "store" }, true)
 *     local lines = channel.from_fd(fd)    -- to its standard input
 */
#include "command.h"

#include <stdbool.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define COMMAND "update.native.command"
#define WORDS 128

struct handle {
    struct up_command *command; /* NULL once closed, and while starting */
};

/* start(words [, linked]) -> command, descriptor | nil, message, code ("write": there is no such program)
 * The descriptor, with `linked`: our end of its standard input, for channel.from_fd. */
static int f_start(lua_State *L)
{
    char *argv[WORDS + 1];
    bool linked = lua_toboolean(L, 2);
    lua_Integer count;
    struct handle *h;
    struct up_error err;
    int rc, fd;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = luaL_len(L, 1);
    luaL_argcheck(L, count >= 1 && count <= WORDS, 1, "1 to 128 words");
    luaL_checkstack(L, (int)count + 4, NULL);
    for (lua_Integer i = 0; i < count; i++) {
        luaL_argcheck(L, lua_geti(L, 1, i + 1) == LUA_TSTRING, 1, "words are strings");
        /* posix_spawn() does not change them, and they stay on the stack. */
        argv[i] = (char *)(uintptr_t)lua_tostring(L, -1);
    }
    argv[count] = NULL;
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->command = NULL;
    luaL_setmetatable(L, COMMAND);
    rc = linked ? up_command_start_linked(&h->command, argv, &fd, &err)
                : up_command_start(&h->command, argv, &err);
    if (rc < 0)
        return up_push_fail(L, &err);
    if (!linked)
        return 1;
    lua_pushinteger(L, fd);
    return 2;
}

/* command:poll() -> exit status, 128 and more: a signal ended it | nil, message, code ("again": it runs) */
static int m_poll(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, COMMAND);
    struct up_error err;
    int status, rc;

    if (!h->command)
        return luaL_error(L, "attempt to use a closed command");
    rc = up_command_poll(h->command, &status, &err);
    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, status);
    return 1;
}

/* command:hang_up(): send it SIGHUP, if it still runs */
static int m_hang_up(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, COMMAND);

    if (!h->command)
        return luaL_error(L, "attempt to use a closed command");
    up_command_hang_up(h->command);
    return 0;
}

/* command:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, COMMAND);

    up_command_close(h->command);
    h->command = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"poll", m_poll},
    {"hang_up", m_hang_up},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"start", f_start},
    {NULL, NULL},
};

int luaopen_update_native_command(lua_State *L)
{
    up_new_type(L, COMMAND, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
