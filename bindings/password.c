/*
 * update.native.password -- hash a password slowly, without waiting for it.
 *
 *     local p = assert(password.start("correct horse", salt))
 *     loop:poll(1000, { { fd = p:fd(), read = true } })
 *     local hex, why, code = p:result()    -- nil, "nothing yet", "again" while it is computed
 *     p:close()
 */
#include "password.h"

#include "digest.h"
#include "error.h"
#include "helpers.h"
#include "preload.h"

#define PASSWORD "update.native.password"

struct handle {
    struct up_password *password; /* NULL once closed, and while starting */
};

static struct up_password *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PASSWORD);

    if (!h->password)
        luaL_error(L, "attempt to use a closed password");
    return h->password;
}

/* start(text, salt) -> password | nil, message, code; scrypt in a process of its own */
static int f_start(lua_State *L)
{
    size_t len, salt_len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *salt = luaL_checklstring(L, 2, &salt_len);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_error err;

    h->password = NULL;
    luaL_setmetatable(L, PASSWORD);
    if (up_password_start(&h->password, text, len, salt, salt_len, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* password:fd() -> descriptor to poll for reading */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_password_fd(check_open(L)));
    return 1;
}

/* password:result() -> hex of 32 bytes | nil, message, code ("again": it is computed) */
static int m_result(lua_State *L)
{
    uint8_t hash[UP_PASSWORD_HASH];
    char hex[2 * UP_PASSWORD_HASH + 1];
    struct up_error err;
    int rc = up_password_poll(check_open(L), hash, &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    up_hex(hash, sizeof hash, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* password:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PASSWORD);

    up_password_close(h->password);
    h->password = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},
    {"result", m_result},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"start", f_start},
    {NULL, NULL},
};

int luaopen_update_native_password(lua_State *L)
{
    up_new_type(L, PASSWORD, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
