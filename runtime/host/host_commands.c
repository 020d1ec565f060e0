#include "host_commands.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "helpers.h"
#include "waits.h"

#define PIPES "update.native.host.pipes"

/* Call upvalue 1 with the same arguments and return or raise what it does. */
static int call_noted(lua_State *L)
{
    int rc;

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    up_waits_begin();
    rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    up_waits_end();
    return rc == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int call(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* io.popen(...): remember the pipe as long as it lives. */
static int open_pipe(lua_State *L)
{
    int count = call_noted(L);

    if (lua_isuserdata(L, 1)) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, PIPES);
        lua_pushvalue(L, 1);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    return count;
}

/* Whether argument 1 is such a pipe. */
static bool is_pipe(lua_State *L)
{
    bool is;

    luaL_checkany(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PIPES);
    lua_pushvalue(L, 1);
    is = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return is;
}

/* file:read(...) and file:close() */
static int use_file(lua_State *L)
{
    return is_pipe(L) ? call_noted(L) : call(L);
}

/* file:lines(...): the returned function notes the wait when it is called. */
static int lines_of_file(lua_State *L)
{
    bool is = is_pipe(L);
    int count = call(L);

    if (is && count == 1)
        lua_pushcclosure(L, call_noted, 1);
    return count;
}

/* Replace the function `name` of the table on top by `by`, which calls it. */
static void divert(lua_State *L, const char *name, lua_CFunction by)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, by, 1);
    lua_setfield(L, -2, name);
}

void up_host_commands_note(lua_State *L)
{
    /* The table has weak keys: it does not keep pipes alive. */
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PIPES);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_getglobal(L, "os");
    divert(L, "execute", call_noted);
    lua_getglobal(L, "io");
    divert(L, "popen", open_pipe);
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_getfield(L, -1, "__index");
    divert(L, "read", use_file);
    divert(L, "close", use_file);
    divert(L, "lines", lines_of_file);
    lua_pop(L, 5);
}

int up_host_commands_become(lua_State *L)
{
    const char *program = luaL_checkstring(L, 1);
    lua_Integer count;
    char **argv;
    struct up_error err;

    luaL_checktype(L, 2, LUA_TTABLE);
    count = luaL_len(L, 2);
    luaL_checkstack(L, (int)count + 1, "too many words");
    argv = lua_newuserdatauv(L, ((size_t)count + 2) * sizeof *argv, 0);
    argv[0] = (char *)program;
    for (lua_Integer i = 1; i <= count; i++) { /* each stays on the stack, which keeps it alive */
        lua_geti(L, 2, i);
        argv[i] = (char *)luaL_checkstring(L, -1);
    }
    argv[count + 1] = NULL;
    fflush(NULL);
    execv(program, argv);
    up_fail(&err, UP_MISSING, "%s cannot be run: %s", program, strerror(errno));
    return up_push_fail(L, &err);
}
