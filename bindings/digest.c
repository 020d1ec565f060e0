/*
 * update.native.digest -- SHA-256, MD5 for vendors that still send it, and HMAC for their log-ins.
 *
 *     local digest = require "update.native.digest"
 *     local hex = digest.sha256("text")
 *     local d = assert(digest.new "sha256")   -- "blake2b512", "md5"
 *     d:update(chunk); print(d:final())       -- final() starts anew
 */
#include "digest.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define DIGEST "update.native.digest"
#define BLOCK 65536

struct handle {
    struct up_digest *digest; /* NULL once closed, and while opening */
};

static const char *const kinds[] = {"sha256", "blake2b512", "md5", NULL};
static const enum up_digest_kind kind_of[] = {UP_SHA256, UP_BLAKE2B512, UP_MD5};

static struct up_digest *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DIGEST);

    if (!h->digest)
        luaL_error(L, "attempt to use a closed digest");
    return h->digest;
}

static struct handle *new_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);

    h->digest = NULL;
    luaL_setmetatable(L, DIGEST);
    return h;
}

static int push_hex(lua_State *L, struct up_digest *d)
{
    uint8_t raw[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];

    up_hex(raw, up_digest_final(d, raw), hex);
    lua_pushstring(L, hex);
    return 1;
}

/* new(kind) -> digest | nil, message, code; kind: "sha256", "blake2b512", "md5" */
static int f_new(lua_State *L)
{
    enum up_digest_kind kind = kind_of[luaL_checkoption(L, 1, NULL, kinds)];
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_digest_new(&h->digest, kind, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* The same, and the digest goes now: one that is collected deep down in a
 * parser, where Lua has no room for the call, would be lost. */
static int push_last_hex(lua_State *L, struct handle *h)
{
    uint8_t raw[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    size_t len = up_digest_final(h->digest, raw);

    up_digest_free(h->digest);
    h->digest = NULL;
    up_hex(raw, len, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int of_text(lua_State *L, enum up_digest_kind kind)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_digest_new(&h->digest, kind, &err) < 0)
        return luaL_error(L, "%s", err.message);
    up_digest_update(h->digest, text, len);
    return push_last_hex(L, h);
}

/* sha256(text) -> hex */
static int f_sha256(lua_State *L)
{
    return of_text(L, UP_SHA256);
}

/* md5(text) -> hex; detects corruption, never trust it */
static int f_md5(lua_State *L)
{
    return of_text(L, UP_MD5);
}

/* hmac(kind, key, text) -> hex | nil, message, code; kind: "sha256", "sha1" */
static int f_hmac(lua_State *L)
{
    static const char *const hmac_kinds[] = {"sha256", "sha1", NULL};
    static const enum up_hmac_kind hmac_kind_of[] = {UP_HMAC_SHA256, UP_HMAC_SHA1};
    enum up_hmac_kind kind = hmac_kind_of[luaL_checkoption(L, 1, NULL, hmac_kinds)];
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 2, &key_len);
    const char *text = luaL_checklstring(L, 3, &len);
    uint8_t raw[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    struct up_error err;
    int size = up_hmac(kind, key, key_len, text, len, raw, &err);

    if (size < 0)
        return up_push_fail(L, &err);
    up_hex(raw, (size_t)size, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int hash_file(struct up_digest *d, const char *path, struct up_error *err)
{
    struct up_storage *s = up_storage_system();
    uint8_t block[BLOCK];
    uint64_t offset = 0;
    int file = s->ops->open(s, path, UP_READ, 0);
    long long n;

    if (file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", path, strerror(errno));
    do {
        n = s->ops->pread(s, file, block, sizeof block, offset);
        up_digest_update(d, block, n > 0 ? (size_t)n : 0);
        offset += n > 0 ? (uint64_t)n : 0;
    } while (n > 0);
    if (n < 0)
        up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    s->ops->close(s, file);
    return n < 0 ? UP_WRITE : 0;
}

/* file(path [, kind]) -> hex | nil, message, code ("missing", "write") */
static int f_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    enum up_digest_kind kind = kind_of[luaL_checkoption(L, 2, "sha256", kinds)];
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_digest_new(&h->digest, kind, &err) < 0 || hash_file(h->digest, path, &err) < 0)
        return up_push_fail(L, &err);
    return push_hex(L, h->digest);
}

/* digest:update(text) -> digest */
static int m_update(lua_State *L)
{
    struct up_digest *d = check_open(L);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);

    up_digest_update(d, text, len);
    lua_settop(L, 1);
    return 1;
}

/* digest:final() -> hex; the digest starts anew */
static int m_final(lua_State *L)
{
    return push_hex(L, check_open(L));
}

/* digest:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DIGEST);

    up_digest_free(h->digest);
    h->digest = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"update", m_update},
    {"final", m_final},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"new", f_new}, {"sha256", f_sha256}, {"md5", f_md5}, {"file", f_file}, {"hmac", f_hmac}, {NULL, NULL},
};

int luaopen_update_native_digest(lua_State *L)
{
    up_new_type(L, DIGEST, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
