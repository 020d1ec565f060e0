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

#include "bare_package.h"
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

#define BARE "update.native.package.bare"

struct bare {
    struct up_bare_package *bare; /* NULL once closed, and while opening */
};

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

/* bare(options) -> maker | nil, message, code: the package that a bare archive of
 * files makes, or a hotfix, which nobody signed. options: archive, dir (where it is unpacked for
 * a while), spool, project, product_key (hex of its hash), release, files_version,
 * user (of the process that unpacks), program (the host), trim. Of a hotfix: hotfix_name, hotfix_version,
 * base_script, base_core, base_files, lua, opaque; see bare_package.h */
static int f_bare(lua_State *L)
{
    struct up_bare_options o;
    struct bare *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    o = (struct up_bare_options){.program = up_field_string(L, 1, "program", "/proc/self/exe"),
                                 .user = up_field_string(L, 1, "user", NULL),
                                 .archive = up_field_string(L, 1, "archive", ""),
                                 .dir = up_field_string(L, 1, "dir", ""),
                                 .spool = up_field_string(L, 1, "spool", ""),
                                 .project = up_field_string(L, 1, "project", ""),
                                 .product_key = up_field_string(L, 1, "product_key", ""),
                                 .release = up_field_string(L, 1, "release", ""),
                                 .files_version = up_field_string(L, 1, "files_version", ""),
                                 .trim = up_field_boolean(L, 1, "trim", 0),
                                 .hotfix_name = up_field_string(L, 1, "hotfix_name", NULL),
                                 .hotfix_version = up_field_string(L, 1, "hotfix_version", NULL),
                                 .base = {[UP_SCRIPT] = up_field_string(L, 1, "base_script", NULL),
                                          [UP_CORE] = up_field_string(L, 1, "base_core", NULL),
                                          [UP_FILES] = up_field_string(L, 1, "base_files", NULL)},
                                 .lua = up_field_boolean(L, 1, "lua", 0),
                                 .opaque = up_field_boolean(L, 1, "opaque", 0)};
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->bare = NULL;
    luaL_setmetatable(L, BARE);
    if (up_bare_package_open(&h->bare, up_storage_system(), &o, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

static struct up_bare_package *check_bare(lua_State *L)
{
    struct bare *h = luaL_checkudata(L, 1, BARE);

    if (!h->bare)
        luaL_error(L, "attempt to use a closed maker");
    return h->bare;
}

/* maker:step() -> package, number of lines with blanks | nil, message, code ("again":
 * watch fd() first, or just call again) */
static int b_step(lua_State *L)
{
    struct up_bare_package *b = check_bare(L);
    struct handle *h;
    struct up_error err;
    int rc;

    h = lua_newuserdatauv(L, sizeof *h, ANCHOR_SOURCE);
    *h = (struct handle){.package = NULL};
    luaL_setmetatable(L, UP_PACKAGE_TYPE);
    rc = up_bare_package_step(b, &err);
    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    h->package = up_bare_package_take(b);
    luaL_argcheck(L, h->package, 1, "the package was taken");
    lua_pushinteger(L, up_bare_package_blanks(b));
    return 2;
}

/* maker:fd() -> descriptor to watch | nil: there is something to do */
static int b_fd(lua_State *L)
{
    int fd = up_bare_package_fd(check_bare(L));

    if (fd >= 0)
        lua_pushinteger(L, fd);
    else
        lua_pushnil(L);
    return 1;
}

/* maker:close(), also __gc and __close. Safe to call twice. */
static int b_close(lua_State *L)
{
    struct bare *h = luaL_checkudata(L, 1, BARE);

    up_bare_package_close(h->bare);
    h->bare = NULL;
    return 0;
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

    if (lua_getiuservalue(L, 1, ANCHOR_SOURCE) != LUA_TNIL)
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

static const luaL_Reg bare_metamethods[] = {
    {"__gc", b_close},
    {"__close", b_close},
    {NULL, NULL},
};

static const luaL_Reg bare_methods[] = {
    {"step", b_step},
    {"fd", b_fd},
    {"close", b_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"bare", f_bare},
    {"load", f_load},
    {NULL, NULL},
};

int luaopen_update_native_package(lua_State *L)
{
    up_new_type(L, UP_PACKAGE_TYPE, metamethods, methods);
    up_new_type(L, BARE, bare_metamethods, bare_methods);
    luaL_newlib(L, functions);
    return 1;
}
