/*
 * Whatever a dispatcher, a broker or a device of the Qinglian cloud may send, to
 * both sides: qinglian.lua beside this file. It must not raise, what is accepted
 * is written again as it was, and what is answered can be read.
 */
#include "fuzz.h"
#include "host.h"

#include <lauxlib.h>
#include <stdio.h>

#define MEMORY ((size_t)64 << 20)

static lua_State *L;

static void set_up(void)
{
    int rc;

    L = up_host_new();
    FUZZ_REQUIRE(L && up_host_limit(L, MEMORY) == 0);
    rc = luaL_loadfilex(L, FUZZ_FOLDER "/qinglian.lua", "t");
    if (rc == LUA_OK)
        rc = lua_pcall(L, 0, 1, 0);
    if (rc != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    FUZZ_REQUIRE(rc == LUA_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int rc;

    if (!L)
        set_up();
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    rc = lua_pcall(L, 1, 0, 0);
    if (rc != LUA_OK)
        fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
    FUZZ_REQUIRE(rc == LUA_OK);
    return 0;
}
