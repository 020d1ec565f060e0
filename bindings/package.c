/*
 * update.native.package -- the head of a package: manifest, signature, indexes.
 *
 *     local p = assert(package.open(source, "keys", "state/tx"))
 *     repeat
 *       local done, why, code = p:step()         -- true: the head is verified
 *       if code == "again" then loop:poll(1000)
 *       elseif not done then error(why) end
 *     until done
 *     print(p:manifest().release)
 *     p:close()
 */
#include "package.h"

#include "error.h"
#include "helpers.h"
#include "minisign.h"
#include "preload.h"
#include "storage.h"

struct handle {
    struct up_package *package; /* first: see helpers.h. NULL once closed, and while opening */
    struct up_keyring *ring;
};

enum { ANCHOR_SOURCE = 1 };

/* open(source, keys [, spool]) -> package | nil, message, code ("untrusted": no key)
 * keys: a directory of *.pub files, or one such file. spool: a directory that
 * exists, where the head is kept. */
static int f_open(lua_State *L)
{
    struct up_source *source = up_check_source(L, 1);
    const char *keys = luaL_checkstring(L, 2), *spool = luaL_optstring(L, 3, NULL);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, ANCHOR_SOURCE);
    struct up_error err;

    h->package = NULL;
    h->ring = NULL;
    luaL_setmetatable(L, UP_PACKAGE_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, ANCHOR_SOURCE);
    if (up_keyring_open(&h->ring, up_storage_system(), keys, &err) < 0 ||
        up_package_open(&h->package, source, up_storage_system(), h->ring, spool, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* load(spool, keys) -> manifest | nil, message, code: of a head that was kept,
 * verified again */
static int f_load(lua_State *L)
{
    const char *spool = luaL_checkstring(L, 1), *keys = luaL_checkstring(L, 2);
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_keyring *ring;
    struct up_error err;
    int rc;

    if (up_keyring_open(&ring, up_storage_system(), keys, &err) < 0)
        return up_push_fail(L, &err);
    rc = up_package_load(&m, &layout, up_storage_system(), ring, spool, &err);
    up_keyring_free(ring);
    if (rc < 0)
        return up_push_fail(L, &err);
    up_push_manifest(L, &m);
    return 1;
}

/* package:step() -> true when the whole head is verified | nil, message, code
 * ("again": poll the loop first) */
static int m_step(lua_State *L)
{
    struct up_package *p = up_check_package(L, 1);
    struct up_error err;
    int rc;

    lua_getiuservalue(L, 1, ANCHOR_SOURCE);
    up_check_source(L, -1); /* a script may have closed it */
    rc = up_package_step(p, &err);
    if (rc == UP_AGAIN)
        return up_push_again(L);
    return up_push_done(L, rc, &err);
}

/* package:manifest() -> table of its fields | nil before the signature is
 * verified: digest (hex), project, product_key (hex of its hash), hardware
 * (list), sequence, release, script_version, core_name, core_version,
 * requires_core, requires_version, min_moult, issued, not_after (seconds since
 * 1970), deadline (seconds), override (list), text, meta_text (JSON), parts: list of {kind, size,
 * block_size, index_size, data_size (bytes), delta, and of a delta source_size
 * (bytes), source_sha256 (hex), source_version (of the core)}. What is not said is nil. */
static int m_manifest(lua_State *L)
{
    struct up_package *p = up_check_package(L, 1);

    if (up_package_has_manifest(p))
        up_push_manifest(L, up_package_manifest(p));
    else
        lua_pushnil(L);
    return 1;
}

/* package:offset() -> bytes of the file that came so far */
static int m_offset(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_package_offset(up_check_package(L, 1)));
    return 1;
}

/* package:layout() -> {size, head_size, manifest_size, signature_size} in
 * bytes | nil before the signature is verified */
static int m_layout(lua_State *L)
{
    struct up_package *p = up_check_package(L, 1);
    const struct up_package_layout *layout = up_package_layout(p);

    if (!up_package_has_manifest(p)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    up_set_integer(L, "size", layout->size);
    up_set_integer(L, "head_size", layout->head_size);
    up_set_integer(L, "manifest_size", layout->manifest_size);
    up_set_integer(L, "signature_size", layout->signature_size);
    return 1;
}

/* package:close(), also __gc and __close. Safe to call twice; the source stays open. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_PACKAGE_TYPE);

    up_package_free(h->package);
    up_keyring_free(h->ring);
    h->package = NULL;
    h->ring = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step},     {"offset", m_offset}, {"manifest", m_manifest},
    {"layout", m_layout}, {"close", m_close},   {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"load", f_load},
    {NULL, NULL},
};

int luaopen_update_native_package(lua_State *L)
{
    up_new_type(L, UP_PACKAGE_TYPE, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
