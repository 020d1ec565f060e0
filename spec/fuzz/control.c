/*
 * What comes over the control socket: bytes in any pieces, taken apart into
 * lines, each read as JSON by the binding. What is read can be written, and
 * reads as the same again.
 */
#include "channel.h"
#include "error.h"
#include "fuzz.h"
#include "preload.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES_MAX 64

static lua_State *L;

/* encode(decode(line)), or nothing when the line is not JSON. */
static int through_json(lua_State *S)
{
    lua_settop(S, 1);
    luaL_getsubtable(S, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(S, -1, "json");
    lua_getfield(S, -1, "decode");
    lua_pushvalue(S, 1);
    lua_call(S, 1, 3);
    if (lua_isnil(S, -3) && lua_isstring(S, -2)) {
        FUZZ_REQUIRE(strcmp(lua_tostring(S, -1), "corrupt") == 0);
        return 0;
    }
    lua_pop(S, 2);
    lua_getfield(S, 3, "encode");
    lua_insert(S, -2);
    lua_call(S, 1, 1);
    return 1;
}

static void set_up(void)
{
    L = luaL_newstate();
    FUZZ_REQUIRE(L);
    luaL_openlibs(L);
    luaL_requiref(L, "json", luaopen_update_native_json, 0);
    lua_settop(L, 0);
}

/* The line once more, on the stack; false when it is no JSON. */
static bool again(void)
{
    lua_pushcfunction(L, through_json);
    lua_insert(L, -2);
    /* Nothing that is read may be impossible to write. */
    FUZZ_REQUIRE(lua_pcall(L, 1, 1, 0) == LUA_OK);
    return lua_isstring(L, -1);
}

static void take_line(const char *line, size_t len)
{
    FUZZ_REQUIRE(line[len] == '\0' && !memchr(line, '\n', len));
    lua_pushlstring(L, line, len);
    if (again()) {
        lua_pushvalue(L, -1);
        FUZZ_REQUIRE(again());
        FUZZ_REQUIRE(lua_rawequal(L, -1, -2));
    }
    lua_settop(L, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    size_t piece = fuzz_u8(&in) * (size_t)16 + 1, expected = 0, lines = 0;
    struct up_channel *c;
    struct up_error err;
    const char *line;
    long n = UP_AGAIN;
    int pair[2];

    if (!L)
        set_up();
    if (piece < in.left / PIECES_MAX) /* each costs two system calls */
        piece = in.left / PIECES_MAX;
    for (size_t i = 0; i < in.left; i++)
        expected += in.at[i] == '\n';
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    FUZZ_REQUIRE(up_channel_from_fd(&c, pair[0], &err) == 0);
    while (in.left) {
        const uint8_t *bytes;
        size_t len = fuzz_take(&in, &bytes, piece);

        FUZZ_REQUIRE(send(pair[1], bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
        for (n = up_channel_receive(c, &line, &err); n >= 0; n = up_channel_receive(c, &line, &err)) {
            take_line(line, (size_t)n);
            lines++;
        }
        if (n != UP_AGAIN)
            break;
    }
    close(pair[1]);
    FUZZ_REQUIRE(n == UP_CORRUPT || up_channel_receive(c, &line, &err) == UP_NOTHING);
    FUZZ_REQUIRE(n == UP_CORRUPT || lines == expected);
    up_channel_close(c);
    return 0;
}
