/*
 * update.native.minisign -- keys and signatures in minisign's file format.
 *
 *     assert(minisign.keygen "release")              -- release.key, release.pub
 *     local sig = assert(minisign.sign("release.key", text, "moult manifest sequence 7"))
 *     local comment = assert(minisign.verify("release.pub", text, sig))
 */
#include "minisign.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

/* keygen(name) -> true | nil, message, code ("usage": exists, "write").
 * Writes name.key, mode 0600, and name.pub. */
static int f_keygen(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_signing_key_generate(up_storage_system(), luaL_checkstring(L, 1), &err), &err);
}

/* sign(key_file, text, comment) -> signature file | nil, message, code */
static int f_sign(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *comment = luaL_checkstring(L, 3);
    size_t len, sig_len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct up_secret *key;
    char sig[UP_MINISIG_MAX];
    struct up_error err;
    int rc;

    if (up_signing_key_load(&key, up_storage_system(), path, &err) < 0)
        return up_push_fail(L, &err);
    rc = up_signing_key_sign(key, text, len, comment, sig, &sig_len, &err);
    up_signing_key_free(key);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushlstring(L, sig, sig_len);
    return 1;
}

/* verify(keys, text, signature) -> trusted comment | nil, message, code.
 * keys: a directory of *.pub files, or one public key file. */
static int f_verify(lua_State *L)
{
    const char *keys = luaL_checkstring(L, 1);
    size_t len, sig_len;
    const char *text = luaL_checklstring(L, 2, &len), *sig = luaL_checklstring(L, 3, &sig_len);
    struct up_keyring *ring;
    char comment[UP_TRUSTED_COMMENT_MAX];
    struct up_error err;
    int rc;

    if (up_keyring_open(&ring, up_storage_system(), keys, &err) < 0)
        return up_push_fail(L, &err);
    rc = up_keyring_verify(ring, text, len, sig, sig_len, comment, &err);
    up_keyring_free(ring);
    if (rc < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, comment);
    return 1;
}

static const luaL_Reg functions[] = {
    {"keygen", f_keygen},
    {"sign", f_sign},
    {"verify", f_verify},
    {NULL, NULL},
};

int luaopen_update_native_minisign(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
