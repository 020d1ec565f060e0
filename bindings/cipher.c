/*
 * update.native.cipher -- AES-128-CBC of whole blocks, for vendors whose messages need it.
 *
 *     local secret = assert(cipher.encrypt(key, iv, text))  -- 16, 16, a multiple of 16 bytes
 *     local text = assert(cipher.decrypt(key, iv, secret))
 */
#include "cipher.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

static const uint8_t *check_block(lua_State *L, int arg)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, arg, &len);

    luaL_argcheck(L, len == UP_CIPHER_BLOCK, arg, "16 bytes");
    return (const uint8_t *)bytes;
}

static int cbc(lua_State *L, bool encrypt)
{
    const uint8_t *key = check_block(L, 1), *iv = check_block(L, 2);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    struct up_error err;
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, len);

    if (up_cipher_cbc(encrypt, key, iv, text, len, out, &err) < 0) {
        luaL_pushresultsize(&b, 0);
        return up_push_fail(L, &err);
    }
    luaL_pushresultsize(&b, len);
    return 1;
}

/* encrypt(key, iv, text) -> bytes | nil, message, code ("usage": no whole blocks) */
static int f_encrypt(lua_State *L)
{
    return cbc(L, true);
}

/* decrypt(key, iv, bytes) -> text | nil, message, code ("usage": no whole blocks) */
static int f_decrypt(lua_State *L)
{
    return cbc(L, false);
}

static const luaL_Reg functions[] = {
    {"encrypt", f_encrypt},
    {"decrypt", f_decrypt},
    {NULL, NULL},
};

int luaopen_update_native_cipher(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
