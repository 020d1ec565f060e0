/*
 * update.native.flash -- write the firmware of another chip: to a file, a block device, raw flash (MTD) or a
 * UBI volume.
 *
 *     local flash = require "update.native.flash"
 *     local f <close> = assert(flash.open("/dev/mtd5", #firmware))
 *     assert(f:write(0, firmware))      -- or in pieces, each with its offset
 *     assert(f:sync())
 *
 * A slot of this device, its state, the running root, and what is mounted or in use are refused ("usage", "busy"),
 * under whatever name and also as the whole disk. Under `moult run` the device's own paths are known. Elsewhere,
 * name them in `apart`.
 *
 * The rules of the medium are kept: erase blocks are erased before their pages are written in order, bad blocks are
 * passed over, a volume is replaced as a whole. Nothing is promised before sync() returns true: after a power cut,
 * write the image again from its start. On NOR the rest of the last erase block is lost; on NAND and UBI the whole
 * partition or volume belongs to the image; a regular file ends with it.
 */
#include "flash.h"

#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define FLASH "update.native.flash"
#define HOST "update.native.host"
#define OWN_MAX 32
#define READ_MAX (1 << 20)

struct handle {
    struct up_flash_image *image; /* NULL once closed, and while opening */
};

static struct up_flash_image *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FLASH);

    if (!h->image)
        luaL_error(L, "attempt to use a closed flash");
    return h->image;
}

/* Add the strings of the array on top of the stack; the table keeps them alive, so it stays there. */
static unsigned add_paths(lua_State *L, const char *what, const char **own, unsigned count)
{
    lua_Integer n;

    if (lua_isnil(L, -1))
        return count;
    if (!lua_istable(L, -1))
        luaL_error(L, "%s must be an array of paths", what);
    n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, -1, i) != LUA_TSTRING || count == OWN_MAX)
            luaL_error(L, "%s must be an array of at most %d paths", what, OWN_MAX);
        own[count++] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    own[count] = NULL;
    return count;
}

/* What the supervisor told the host that this device lives on. */
static unsigned add_own(lua_State *L, const char **own)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, HOST) == LUA_TTABLE)
        lua_getfield(L, -1, "own");
    else
        lua_pushnil(L);
    return add_paths(L, "own", own, 0);
}

/* open(path, size [, options]) -> flash | nil, message, code ("usage", "busy", "missing", "nospace", "write")
 * size: bytes of the image. options: offset (0) of the image on the medium, on NOR the start of an erase block and
 * on NAND and UBI always 0; apart = { path, ... }: what else must not be touched; read_only (false): nothing is
 * refused, and without a size it is all that is there. A missing file is made, a missing device is not. */
static int f_open(lua_State *L)
{
    const char *own[OWN_MAX + 1] = {NULL};
    struct up_flash_place place = {.path = luaL_checkstring(L, 1), .own = own};
    int read_only = 0, rc;
    struct handle *h;
    struct up_error err;
    unsigned count;

    lua_settop(L, 3);
    place.size = lua_isnil(L, 2) ? 0 : up_check_bytes(L, 2);
    count = add_own(L, own);
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        place.offset = up_field_integer(L, 3, "offset", 0);
        read_only = up_field_boolean(L, 3, "read_only", 0);
        lua_getfield(L, 3, "apart");
        add_paths(L, "apart", own, count);
    }
    luaL_argcheck(L, read_only || place.size > 0, 2, "the size of the image is needed");
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->image = NULL;
    luaL_setmetatable(L, FLASH);
    rc = read_only ? up_flash_open_read(&h->image, up_storage_system(), &place, &err)
                   : up_flash_open(&h->image, up_storage_system(), &place, &err);
    if (rc < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* flash:geometry() -> { node = what the path leads to, identity, kind = "file"|"block"|"nor"|"nand"|"ubi", title,
 * capacity, image = size of the image, erase_size, write_size, blocks, bad (bytes and counts), in_order, atomic }
 * as it was when it was opened */
static int m_geometry(lua_State *L)
{
    const struct up_flash_image *f = check_open(L);
    const struct up_slot_view *v = up_flash_view(f);

    lua_createtable(L, 0, 12);
    up_set_string(L, "node", v->node);
    up_set_string(L, "identity", v->identity);
    up_set_string(L, "kind", v->traits->name);
    up_set_string(L, "title", v->traits->title);
    up_set_integer(L, "capacity", v->capacity);
    up_set_integer(L, "image", up_flash_size(f));
    up_set_integer(L, "erase_size", v->flash.erase_size);
    up_set_integer(L, "write_size", v->flash.write_size);
    up_set_integer(L, "blocks", v->blocks);
    up_set_integer(L, "bad", v->bad);
    up_set_boolean(L, "in_order", v->traits->in_order);
    up_set_boolean(L, "atomic", v->traits->atomic);
    return 1;
}

/* flash:erase() -> true | nil, message, code. "again": one erase block is done, call it once more. Only before
 * something is written, and not needed: writing erases what it must. What has no erase blocks becomes zeros, a
 * volume empty. */
static int m_erase(lua_State *L)
{
    struct up_error err;
    int rc = up_flash_erase(check_open(L), &err);

    return rc > 0 ? up_push_again(L) : up_push_done(L, rc, &err);
}

/* flash:write(offset, bytes) -> true | nil, message, code ("usage", "write", "nospace"). The offset is that in the
 * image; on raw flash and UBI each piece follows the one before, from 0 on. */
static int m_write(lua_State *L)
{
    struct up_flash_image *f = check_open(L);
    uint64_t offset = up_check_bytes(L, 2);
    size_t len;
    const char *data = luaL_checklstring(L, 3, &len);
    struct up_error err;

    return up_push_done(L, up_flash_write(f, data, len, offset, &err), &err);
}

/* flash:sync() -> true: all that was written is on the medium | nil, message, code */
static int m_sync(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_flash_sync(check_open(L), &err), &err);
}

/* flash:read(offset, count) -> bytes as the medium has them, at most 1 MiB, fewer at the end, "" past it |
 * nil, message, code ("usage": what was written is not synced; "write") */
static int m_read(lua_State *L)
{
    struct up_flash_image *f = check_open(L);
    uint64_t offset = up_check_bytes(L, 2), count = up_check_bytes(L, 3);
    struct up_error err;
    luaL_Buffer b;
    long long n;

    luaL_argcheck(L, count <= READ_MAX, 3, "at most 1 MiB");
    n = up_flash_read(f, luaL_buffinitsize(L, &b, (size_t)count), (size_t)count, offset, &err);
    if (n < 0)
        return up_push_fail(L, &err);
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* flash:digest([kind]) -> hex of the image as the medium has it | nil, message, code. kind: "sha256" (default),
 * "blake2b512", "md5". "again": a MiB is done, call it once more. */
static int m_digest(lua_State *L)
{
    static const char *const kinds[] = {"sha256", "blake2b512", "md5", NULL};
    static const enum up_digest_kind kind_of[] = {UP_SHA256, UP_BLAKE2B512, UP_MD5};
    struct up_flash_image *f = check_open(L);
    enum up_digest_kind kind = kind_of[luaL_checkoption(L, 2, "sha256", kinds)];
    uint8_t raw[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    struct up_error err;
    size_t len;
    int rc = up_flash_digest(f, kind, raw, &len, &err);

    if (rc != 0)
        return rc > 0 ? up_push_again(L) : up_push_fail(L, &err);
    up_hex(raw, len, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* flash:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FLASH);

    up_flash_close(h->image);
    h->image = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"geometry", m_geometry}, {"erase", m_erase},   {"write", m_write}, {"sync", m_sync},
    {"read", m_read},         {"digest", m_digest}, {"close", m_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_flash(lua_State *L)
{
    up_new_type(L, FLASH, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
