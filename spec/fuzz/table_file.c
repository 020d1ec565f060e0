#include "table_file.h"

#include "fuzz.h"
#include "host.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY ((size_t)64 << 20)

static lua_State *L;
static int file = -1;

static void set_up(const char *module)
{
    char path[64];

    file = memfd_create("input", MFD_CLOEXEC);
    L = up_host_new();
    FUZZ_REQUIRE(file >= 0 && L && up_host_limit(L, MEMORY) == 0);
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    FUZZ_REQUIRE(lua_pcall(L, 1, 1, 0) == LUA_OK);
    FUZZ_REQUIRE(lua_getfield(L, -1, "load") == LUA_TFUNCTION);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    lua_pushstring(L, path);
}

void fuzz_table_file(const char *module, const uint8_t *data, size_t size, int (*check)(lua_State *))
{
    int top, rc;

    if (!L)
        set_up(module);
    top = lua_gettop(L);
    FUZZ_REQUIRE(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    lua_pushvalue(L, top - 1);
    lua_pushvalue(L, top);
    rc = lua_pcall(L, 1, 3, 0);
    if (rc != LUA_OK)
        fprintf(stderr, "%s raised: %s\n", module, lua_tostring(L, -1));
    FUZZ_REQUIRE(rc == LUA_OK);
    if (lua_isnil(L, -3)) {
        FUZZ_REQUIRE(lua_isstring(L, -2) && lua_isstring(L, -1));
        FUZZ_REQUIRE(strcmp(lua_tostring(L, -1), "usage") == 0);
    } else if (check) {
        FUZZ_REQUIRE(lua_istable(L, -3));
        lua_pop(L, 2);
        lua_pushcfunction(L, check);
        lua_insert(L, -2);
        rc = lua_pcall(L, 1, 0, 0);
        if (rc != LUA_OK)
            fprintf(stderr, "%s: what was taken is refused: %s\n", module, lua_tostring(L, -1));
        FUZZ_REQUIRE(rc == LUA_OK);
    }
    lua_settop(L, top);
}
