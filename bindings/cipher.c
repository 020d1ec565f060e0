/*
 * update.native.cipher -- AES-128-CBC of whole blocks, for vendors whose messages need it; and AES-256-GCM, for secrets
 * that a server keeps.
 *
 *     local secret = assert(cipher.encrypt(key, iv, text))  -- 16, 16, a multiple of 16 bytes
 *     local text = assert(cipher.decrypt(key, iv, secret))
 *     local sealed = assert(cipher.seal(key, nonce, name, text))  -- 32 and 12 bytes; a nonce is used once
 *     local text = assert(cipher.unseal(key, nonce, name, sealed))
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

/* key, nonce and name, from 1 on */
static struct up_seal check_seal(lua_State *L)
{
    size_t key_len, nonce_len;
    struct up_seal seal;

    seal.key = (const uint8_t *)luaL_checklstring(L, 1, &key_len);
    seal.nonce = (const uint8_t *)luaL_checklstring(L, 2, &nonce_len);
    seal.name = luaL_checklstring(L, 3, &seal.name_len);
    luaL_argcheck(L, key_len == UP_SEAL_KEY, 1, "32 bytes");
    luaL_argcheck(L, nonce_len == UP_SEAL_NONCE, 2, "12 bytes");
    return seal;
}

typedef int gcm(const struct up_seal *, const void *, size_t, void *, struct up_error *);

/* The text or bytes at 4 through `work`, whose result is longer by UP_SEAL_TAG, or shorter. */
static int push_gcm(lua_State *L, gcm *work, bool longer)
{
    struct up_seal seal = check_seal(L);
    size_t len;
    const char *in = luaL_checklstring(L, 4, &len);
    struct up_error err;
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, len + UP_SEAL_TAG);

    if (work(&seal, in, len, out, &err) < 0) {
        luaL_pushresultsize(&b, 0);
        return up_push_fail(L, &err);
    }
    luaL_pushresultsize(&b, longer ? len + UP_SEAL_TAG : len - UP_SEAL_TAG);
    return 1;
}

/* seal(key, nonce, name, text) -> bytes | nil, message, code */
static int f_seal(lua_State *L)
{
    return push_gcm(L, up_cipher_seal, true);
}

/* unseal(key, nonce, name, bytes) -> text | nil, message, code ("untrusted": another key, or it was changed) */
static int f_unseal(lua_State *L)
{
    return push_gcm(L, up_cipher_unseal, false);
}

static const luaL_Reg functions[] = {
    {"encrypt", f_encrypt}, {"decrypt", f_decrypt}, {"seal", f_seal}, {"unseal", f_unseal}, {NULL, NULL},
};

int luaopen_update_native_cipher(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
