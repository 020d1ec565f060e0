/*
 * update.native.archive -- tar, tar.gz and zip: list, read, extract.
 *
 *     local archive = require "update.native.archive"
 *     local a = assert(archive.open("/tmp/fix.zip", { bytes = 1 << 20 }))
 *     local files = assert(a:extract "/data/fix")   -- a new directory, whole or not at all
 *
 *     for entry in a:entries() do print(entry.name, entry.size, a:read()) end
 *
 * Only regular files and directories are accepted. Links, devices, sparse,
 * encrypted or setuid files, names that lead out of the directory or occur
 * twice ("untrusted"), more than the limits ("nospace"), and damage ("corrupt")
 * end it with an error that names the entry. Limits and their defaults: bytes
 * (256 MiB, of all files, uncompressed), entries (10000), depth (32), ratio
 * (200 output bytes for each byte of the archive), any_charset (false: names
 * are UTF-8).
 */
#include "archive_reader.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

#define ARCHIVE "update.native.archive"
#define CHUNKS "update.native.archive.chunks"
#define READ_MAX (16 * 1024 * 1024)

struct handle {
    struct up_archive_reader *reader; /* NULL once closed, and while opening */
    struct up_archive_entry entry;
    char *data; /* the archive, if it is in memory */
};

struct chunks {
    struct up_archive_limits limits;
    char *data;
    size_t len, room, most;
};

static struct handle *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, ARCHIVE);

    if (!h->reader)
        luaL_error(L, "attempt to use a closed archive");
    return h;
}

static struct handle *new_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);

    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, ARCHIVE);
    return h;
}

static void check_limits(lua_State *L, int arg, struct up_archive_limits *out)
{
    uint64_t depth, ratio;

    up_archive_reader_limits(out);
    if (lua_isnoneornil(L, arg))
        return;
    luaL_checktype(L, arg, LUA_TTABLE);
    out->bytes = up_field_integer(L, arg, "bytes", out->bytes);
    out->entries = up_field_integer(L, arg, "entries", out->entries);
    depth = up_field_integer(L, arg, "depth", out->depth);
    ratio = up_field_integer(L, arg, "ratio", out->ratio);
    luaL_argcheck(L, depth <= 512, arg, "a depth of at most 512");
    luaL_argcheck(L, ratio >= 1 && ratio <= 100000, arg, "a ratio between 1 and 100000");
    out->depth = (unsigned)depth;
    out->ratio = (unsigned)ratio;
    out->any_charset = up_field_boolean(L, arg, "any_charset", out->any_charset);
}

/* open(path [, limits]) -> archive | nil, message, code ("missing", "corrupt", "write") */
static int f_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct up_archive_limits limits;
    struct handle *h;
    struct up_error err;

    check_limits(L, 2, &limits);
    h = new_handle(L);
    if (up_archive_reader_open(&h->reader, up_storage_system(), path, &limits, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* chunks([limits]) -> chunks: an archive that arrives in pieces and is kept in
 * memory; limits.kept: maximum of bytes kept (default 16 MiB) */
static int f_chunks(lua_State *L)
{
    struct up_archive_limits limits;
    uint64_t most = 16 << 20;
    struct chunks *c;

    check_limits(L, 1, &limits);
    if (lua_istable(L, 1))
        most = up_field_integer(L, 1, "kept", most);
    c = lua_newuserdatauv(L, sizeof *c, 0);
    *c = (struct chunks){.limits = limits, .most = (size_t)most};
    luaL_setmetatable(L, CHUNKS);
    return 1;
}

/* chunks:write(piece) -> true | nil, message, code ("nospace": more than is kept) */
static int c_write(lua_State *L)
{
    struct chunks *c = luaL_checkudata(L, 1, CHUNKS);
    size_t len;
    const char *piece = luaL_checklstring(L, 2, &len);
    struct up_error err;

    if (len > c->most - c->len) {
        up_fail(&err, UP_NOSPACE, "archive: more than %zu bytes; extract it from a file", c->most);
        return up_push_fail(L, &err);
    }
    if (len > c->room - c->len) {
        size_t room = c->len + len > 2 * c->room ? c->len + len : 2 * c->room;
        char *data = realloc(c->data, room);

        if (!data) {
            up_fail(&err, UP_INTERNAL, "archive: out of memory");
            return up_push_fail(L, &err);
        }
        c->data = data;
        c->room = room;
    }
    if (len > 0)
        memcpy(c->data + c->len, piece, len);
    c->len += len;
    lua_pushboolean(L, 1);
    return 1;
}

/* chunks:open() -> archive of what was written, which `chunks` holds no longer |
 * nil, message, code ("corrupt") */
static int c_open(lua_State *L)
{
    struct chunks *c = luaL_checkudata(L, 1, CHUNKS);
    struct handle *h = new_handle(L);
    size_t len = c->len;
    struct up_error err;

    h->data = c->data;
    c->data = NULL;
    c->len = c->room = 0;
    if (up_archive_reader_open_memory(&h->reader, h->data, len, &c->limits, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

static int c_close(lua_State *L)
{
    struct chunks *c = luaL_checkudata(L, 1, CHUNKS);

    free(c->data);
    c->data = NULL;
    c->len = c->room = 0;
    return 0;
}

/* archive:next() -> {name =, kind = "file" | "directory", size = bytes, mode = 420 | 493} |
 * false after the last | nil, message, code ("untrusted", "nospace", "corrupt", "write") */
static int m_next(lua_State *L)
{
    struct handle *h = check_open(L);
    struct up_error err;
    int more = up_archive_reader_next(h->reader, &h->entry, &err);

    if (more < 0)
        return up_push_fail(L, &err);
    if (more == 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_createtable(L, 0, 4);
    up_set_string(L, "name", h->entry.name);
    up_set_string(L, "kind", h->entry.kind == UP_ARCHIVE_DIR ? "directory" : "file");
    up_set_integer(L, "size", h->entry.size);
    up_set_integer(L, "mode", h->entry.mode);
    return 1;
}

static int next_or_raise(lua_State *L)
{
    int n;

    lua_settop(L, 1);
    n = m_next(L);
    if (n == 1 && !lua_isboolean(L, -1))
        return 1;
    if (n > 1)
        return luaL_error(L, "%s", lua_tostring(L, -2));
    lua_pushnil(L);
    return 1;
}

/* archive:entries() -> an iterator over next(); it raises what next() would return */
static int m_entries(lua_State *L)
{
    check_open(L);
    lua_pushcfunction(L, next_or_raise);
    lua_pushvalue(L, 1);
    return 2;
}

/* archive:read([max]) -> bytes of the entry, all the rest or at most max; "" at
 * its end | nil, message, code. The rest may have at most 16 MiB ("nospace"). */
static int m_read(lua_State *L)
{
    struct handle *h = check_open(L);
    lua_Integer max = luaL_optinteger(L, 2, READ_MAX);
    struct up_error err;
    luaL_Buffer b;
    size_t done = 0;
    long n;

    luaL_argcheck(L, max > 0 && max <= READ_MAX, 2, "between 1 byte and 16 MiB");
    luaL_buffinit(L, &b);
    do {
        size_t want = (size_t)max - done < LUAL_BUFFERSIZE ? (size_t)max - done : LUAL_BUFFERSIZE;

        n = up_archive_reader_read(h->reader, luaL_prepbuffsize(&b, want), want, &err);
        if (n > 0) {
            luaL_addsize(&b, (size_t)n);
            done += (size_t)n;
        }
    } while (n > 0 && done < (size_t)max);
    if (n < 0)
        return up_push_fail(L, &err);
    luaL_pushresult(&b);
    if (lua_isnoneornil(L, 2) && done == READ_MAX) {
        up_fail(&err, UP_NOSPACE, "archive: %s: more than 16 MiB; read it in pieces", h->entry.name);
        return up_push_fail(L, &err);
    }
    return 1;
}

/* archive:extract(dir) -> number of files | nil, message, code. `dir` must be
 * new; it is created complete and durable, or not at all. */
static int m_extract(lua_State *L)
{
    struct handle *h = check_open(L);
    const char *dir = luaL_checkstring(L, 2);
    uint64_t files;
    struct up_error err;

    if (up_archive_reader_extract(h->reader, up_storage_system(), dir, &files, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, (lua_Integer)files);
    return 1;
}

/* archive:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, ARCHIVE);

    up_archive_reader_close(h->reader);
    h->reader = NULL;
    free(h->data);
    h->data = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg chunk_metamethods[] = {
    {"__gc", c_close},
    {"__close", c_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"next", m_next},       {"entries", m_entries}, {"read", m_read},
    {"extract", m_extract}, {"close", m_close},     {NULL, NULL},
};

static const luaL_Reg chunk_methods[] = {
    {"write", c_write},
    {"open", c_open},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"chunks", f_chunks},
    {NULL, NULL},
};

int luaopen_update_native_archive(lua_State *L)
{
    up_new_type(L, ARCHIVE, metamethods, methods);
    up_new_type(L, CHUNKS, chunk_metamethods, chunk_methods);
    luaL_newlib(L, functions);
    return 1;
}
