#include "lua_target.h"

#include "fuzz.h"
#include "host.h"

#include <lauxlib.h>
#include <stdio.h>

#define MEMORY ((size_t)64 << 20)

static lua_State *L;

static void set_up(const char *name)
{
    char path[4096];
    int rc;

    L = up_host_new();
    FUZZ_REQUIRE(L && up_host_limit(L, MEMORY) == 0);
    snprintf(path, sizeof path, "%s/%s.lua", FUZZ_FOLDER, name);
    rc = luaL_loadfilex(L, path, "t");
    if (rc == LUA_OK)
        rc = lua_pcall(L, 0, 1, 0);
    if (rc != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    FUZZ_REQUIRE(rc == LUA_OK);
}

void fuzz_lua(const char *name, const uint8_t *data, size_t size)
{
    int rc;

    if (!L)
        set_up(name);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    rc = lua_pcall(L, 1, 0, 0);
    if (rc != LUA_OK)
        fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
    FUZZ_REQUIRE(rc == LUA_OK);
}
