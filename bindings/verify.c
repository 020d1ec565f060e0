/*
 * update.native.verify -- check a package to the end of the file.
 *
 *     local v = assert(verify.open(source.file "METER.upd", "release.pub"))
 *     repeat
 *       local word = assert(v:step())            -- "block" | "done"
 *     until word == "done"
 */
#include "verify.h"

#include "error.h"
#include "files_archive.h"
#include "files_part.h"
#include "helpers.h"
#include "minisign.h"
#include "preload.h"
#include "storage.h"

#define VERIFY "update.native.verify"

struct handle {
    struct up_verify *verify; /* NULL once closed, and while opening */
    struct up_keyring *ring;
};

enum { ANCHOR_SOURCE = 1 };

static struct up_verify *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, VERIFY);

    if (!h->verify)
        luaL_error(L, "attempt to use a closed verification");
    return h->verify;
}

/* open(source, keys) -> verification | nil, message, code. The source is a file. */
static int f_open(lua_State *L)
{
    struct up_source *source = up_check_source(L, 1);
    const char *keys = luaL_checkstring(L, 2);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, ANCHOR_SOURCE);
    struct up_error err;

    h->verify = NULL;
    h->ring = NULL;
    luaL_setmetatable(L, VERIFY);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, ANCHOR_SOURCE);
    if (up_keyring_open(&h->ring, up_storage_system(), keys, &err) < 0 ||
        up_verify_open(&h->verify, source, up_storage_system(), h->ring, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* verification:step() -> "block" while there is more | "done" | nil, message, code */
static int m_step(lua_State *L)
{
    struct up_verify *v = check_open(L);
    struct up_error err;
    int rc;

    lua_getiuservalue(L, 1, ANCHOR_SOURCE);
    up_check_source(L, -1);
    rc = up_verify_step(v, &err);
    if (rc < 0 && rc != UP_AGAIN)
        return up_push_fail(L, &err);
    lua_pushstring(L, rc == 0 ? "done" : "block");
    return 1;
}

/* verification:progress() -> content bytes checked, of how many */
static int m_progress(lua_State *L)
{
    struct up_verify_counts counts;

    up_verify_counts(check_open(L), &counts);
    lua_pushinteger(L, (lua_Integer)counts.done);
    lua_pushinteger(L, (lua_Integer)counts.total);
    return 2;
}

/* verification:blocks() -> {zeros = n, raw = n, zstd = n, lzma = n}: seen so far */
static int m_blocks(lua_State *L)
{
    struct up_verify_counts counts;

    up_verify_counts(check_open(L), &counts);
    lua_createtable(L, 0, UP_ENCODINGS);
    for (int i = 0; i < UP_ENCODINGS; i++)
        if (counts.blocks[i])
            up_set_integer(L, up_index_encoding_name((enum up_encoding)i), counts.blocks[i]);
    return 1;
}

/* verification:manifest() -> as of update.native.package | nil */
static int m_manifest(lua_State *L)
{
    const struct up_manifest *m = up_verify_manifest(check_open(L));

    if (m)
        up_push_manifest(L, m);
    else
        lua_pushnil(L);
    return 1;
}

static void push_entry(lua_State *L, const struct up_files_archive *files,
                       const struct up_update_ini_entry *entry)
{
    lua_createtable(L, 0, 7);
    if (entry->operation != UP_FILE_KEEP)
        up_set_string(L, "operation", up_update_ini_operation_name(entry->operation));
    up_set_string(L, "type", up_update_ini_type_name(entry->type));
    up_set_string(L, "path", entry->path);
    up_set_string(L, "name", entry->name);
    up_set_boolean(L, "stop", entry->stop);
    up_set_boolean(L, "start", entry->start);
    if (entry->operation == UP_FILE_PUT)
        up_set_integer(L, "size", up_files_archive_find(files, entry->name)->size);
}

static void push_files(lua_State *L, const struct up_files_archive *files)
{
    lua_createtable(L, (int)files->ini.count, 0);
    for (size_t i = 0; i < files->ini.count; i++) {
        push_entry(L, files, &files->ini.entry[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* files(path) -> array as of verification:files() | nil, message, code: of a file that holds the content of a part
 * files, as update.native.package.bare() leaves it in its spool */
static int f_files(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct up_files_part part;
    struct up_error err;

    if (up_files_part_open(&part, up_storage_system(), path, &err) < 0)
        return up_push_fail(L, &err);
    push_files(L, &part.archive);
    up_files_part_close(&part);
    return 1;
}

/* verification:files() -> array of what the part files does, in the order of its
 * update.ini: {operation = "put" | "delete" | "mkdir" | nil, type = "directory" |
 * "executable" | "configuration" | "driver", path and name (bytes of any
 * encoding), stop, start, size (bytes; of what is put)} | nil before that part was
 * checked whole, and without one */
static int m_files(lua_State *L)
{
    const struct up_files_archive *files = up_verify_files(check_open(L));

    if (files)
        push_files(L, files);
    else
        lua_pushnil(L);
    return 1;
}

/* verification:size() -> bytes of the whole package | nil before its head is verified */
static int m_size(lua_State *L)
{
    struct up_verify *v = check_open(L);

    if (up_verify_manifest(v))
        lua_pushinteger(L, (lua_Integer)up_verify_layout(v)->size);
    else
        lua_pushnil(L);
    return 1;
}

/* verification:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, VERIFY);

    up_verify_close(h->verify);
    up_keyring_free(h->ring);
    h->verify = NULL;
    h->ring = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step}, {"progress", m_progress}, {"blocks", m_blocks}, {"manifest", m_manifest},
    {"size", m_size}, {"files", m_files},       {"close", m_close},   {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"files", f_files},
    {NULL, NULL},
};

int luaopen_update_native_verify(lua_State *L)
{
    up_new_type(L, VERIFY, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
