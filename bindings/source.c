/*
 * update.native.source -- where the bytes of a package come from.
 *
 *     local s = assert(source.file "METER.upd")
 *     local s = assert(source.http(loop, url, { max_redirects = 5 }))
 *     local data, why, code = s:read(offset)   -- string | false at the end
 *     s:close()
 *
 * Nothing waits: with code "again" poll the loop and read again.
 *
 *     local c = assert(source.copying(s, package, "state/tx", 0)) -- read by a transfer
 *     local bytes = c:take(0)                                     -- and by a program that wants a copy
 *
 *     local p = assert(source.pushed(size))   -- fed in order: a piece when the last one is used up
 *     if p:starves() then assert(p:push(bytes)) end
 */
#include "source.h"

#include "error.h"
#include "fetch.h"
#include "helpers.h"
#include "package.h"
#include "package_copy.h"
#include "preload.h"
#include "source_pushed.h"
#include "storage.h"

#define READ_DEFAULT 65536
#define READ_MAX (1024 * 1024)

struct handle {
    struct up_source *source; /* first: see helpers.h. NULL once closed, and while opening */
    int is_http, is_pushed;
    struct up_copy *copy; /* NULL: it is none */
};

enum { ANCHOR_PACKAGE = 1 };

static struct handle *new_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, ANCHOR_PACKAGE);

    *h = (struct handle){.source = NULL};
    luaL_setmetatable(L, UP_SOURCE_TYPE);
    return h;
}

/* file(path) -> source | nil, message, code ("missing", "write") */
static int f_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct handle *h = new_handle(L);
    struct up_error err;

    if (up_source_file(&h->source, up_storage_system(), path, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* http(loop, url [, options]) -> source | nil, message, "usage"
 * options as of update.native.fetch, but for range and if_range; and question: no answer
 * is an object, whatever its status; answer() has it. */
static int f_http(lua_State *L)
{
    struct up_loop *loop = up_check_loop(L, 1);
    const char *url = luaL_checkstring(L, 2);
    struct up_fetch_options options = {0};
    struct handle *h;
    struct up_error err;

    if (!lua_isnoneornil(L, 3))
        up_check_fetch_options(L, 3, &options);
    h = new_handle(L);
    h->is_http = 1;
    if (up_source_http(&h->source, loop, url, &options, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* copying(source, package, spool, from) -> source | nil, message, code
 * From which somebody else takes the package, too, from byte `from` on. The head of the package is
 * verified, and lies in `spool`. The source becomes part of it, and its handle is closed. */
static int f_copying(lua_State *L)
{
    struct handle *below = luaL_checkudata(L, 1, UP_SOURCE_TYPE), *h;
    struct up_source *source = up_check_source(L, 1);
    struct up_package *package = up_check_package(L, 2);
    const char *spool = luaL_checkstring(L, 3);
    uint64_t from = up_check_bytes(L, 4);
    struct up_error err;

    luaL_argcheck(L, !below->copy, 1, "is being copied");
    luaL_argcheck(L, up_package_has_manifest(package), 2, "is not verified");
    h = new_handle(L);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, ANCHOR_PACKAGE);
    if (up_package_copy_open(&h->copy, source, package, up_storage_system(), spool, from, &err) < 0)
        return up_push_fail(L, &err);
    h->source = up_package_copy_source(h->copy);
    h->is_http = below->is_http;
    below->source = NULL;
    return 1;
}

/* pushed(size) -> source that is fed by push() | nil, message, code */
static int f_pushed(lua_State *L)
{
    uint64_t size = up_check_bytes(L, 1);
    struct handle *h = new_handle(L);
    struct up_error err;

    h->is_pushed = 1;
    if (up_source_pushed(&h->source, size, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

static struct up_source *check_pushed(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);
    struct up_source *s = up_check_source(L, 1);

    luaL_argcheck(L, h->is_pushed, 1, "is not fed");
    return s;
}

/* source:push(bytes) -> true | nil, message, code ("busy": the last ones are not used up; "corrupt": too many) */
static int m_push(lua_State *L)
{
    struct up_source *s = check_pushed(L);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    struct up_error err;

    return up_push_done(L, up_source_pushed_put(s, bytes, len, &err), &err);
}

/* source:starves() -> whether what was pushed is used up, and more is wanted */
static int m_starves(lua_State *L)
{
    lua_pushboolean(L, up_source_pushed_starves(check_pushed(L)));
    return 1;
}

/* source:fail(message, code): no more will come; reading it fails like this then */
static int m_fail(lua_State *L)
{
    struct up_source *s = check_pushed(L);
    const char *message = luaL_checkstring(L, 2);
    const struct up_code_info *info = up_code_find(luaL_checkstring(L, 3));

    luaL_argcheck(L, info && info->code < 0, 3, "no code word");
    up_source_pushed_end(s, info->code, message);
    return 0;
}

/* One that is copied; its package is still open. */
static struct up_copy *check_copy(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);

    up_check_source(L, 1);
    luaL_argcheck(L, h->copy, 1, "is not copied");
    return h->copy;
}

/* source:take(offset [, max]) -> bytes, "" when there are none yet | nil, message, code ("usage": not where
 * it stopped; "nothing": the copy has ended)
 * Whoever takes has every byte before offset. */
static int m_take(lua_State *L)
{
    struct up_copy *c = check_copy(L);
    uint64_t offset = up_check_bytes(L, 2);
    lua_Integer max = luaL_optinteger(L, 3, READ_DEFAULT);
    const uint8_t *data = NULL;
    struct up_error err;
    long n;

    luaL_argcheck(L, max > 0 && max <= READ_MAX, 3, "between 1 byte and 1 MiB");
    n = up_package_copy_take(c, offset, &data, &err);
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushlstring(L, (const char *)data, n < max ? (size_t)n : (size_t)max);
    return 1;
}

/* source:leave(): the source below is closed */
static int m_leave(lua_State *L)
{
    up_package_copy_leave(check_copy(L));
    return 0;
}

/* source:join(source): another takes its place; its handle is closed */
static int m_join(lua_State *L)
{
    struct up_copy *c = check_copy(L);
    struct handle *below = luaL_checkudata(L, 2, UP_SOURCE_TYPE);
    struct up_source *source = up_check_source(L, 2);

    luaL_argcheck(L, !below->copy, 2, "is being copied");
    up_package_copy_join(c, source);
    below->source = NULL;
    return 0;
}

/* source:waits() -> whether there are bytes that were not taken */
static int m_waits(lua_State *L)
{
    lua_pushboolean(L, up_package_copy_waits(check_copy(L)));
    return 1;
}

/* source:release(): nobody takes any more */
static int m_release(lua_State *L)
{
    up_package_copy_release(check_copy(L));
    return 0;
}

/* A source to read from: with a copy, its package is still open. */
static struct up_source *check_readable(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);
    struct up_source *s = up_check_source(L, 1);

    if (h->copy) {
        lua_getiuservalue(L, 1, ANCHOR_PACKAGE);
        up_check_package(L, -1);
        lua_pop(L, 1);
    }
    return s;
}

/* source:read(offset [, max]) -> data, not empty, at most max (default 64 KiB)
 * bytes | false at the end | nil, message, code ("again": poll the loop first) */
static int m_read(lua_State *L)
{
    struct up_source *s = check_readable(L);
    uint64_t offset = up_check_bytes(L, 2);
    lua_Integer max = luaL_optinteger(L, 3, READ_DEFAULT);
    struct up_error err;
    luaL_Buffer b;
    char *data;
    long n;

    luaL_argcheck(L, max > 0 && max <= READ_MAX, 3, "between 1 byte and 1 MiB");
    data = luaL_buffinitsize(L, &b, (size_t)max);
    n = s->ops->read(s, offset, data, (size_t)max, &err);
    luaL_pushresultsize(&b, n > 0 ? (size_t)n : 0);
    if (n > 0)
        return 1;
    if (n == UP_AGAIN)
        return up_push_again(L);
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 0);
    return 1;
}

/* source:want(offset, len): what will be read next, so that no more is asked for */
static int m_want(lua_State *L)
{
    struct up_source *s = up_check_source(L, 1);
    uint64_t offset = up_check_bytes(L, 2), len = up_check_bytes(L, 3);

    if (s->ops->want)
        s->ops->want(s, offset, len);
    return 0;
}

/* source:size() -> bytes | nil while unknown */
static int m_size(lua_State *L)
{
    struct up_source *s = up_check_source(L, 1);

    if (s->size == UINT64_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)s->size);
    return 1;
}

/* source:received() -> bytes that came over the wire, or from the file */
static int m_received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_check_source(L, 1)->received);
    return 1;
}

/* The source that gets the bytes. */
static struct up_source *proper(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);
    struct up_source *s = up_check_source(L, 1);

    if (h->copy)
        s = up_package_copy_below(h->copy);
    luaL_argcheck(L, s, 1, "has no source below");
    return s;
}

/* source:answer() -> {status =, body =, location =, retry_after = seconds} of the last
 * answer, all but the status only of one that was no object | nil: a file, or no answer yet */
static int m_answer(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);
    struct up_source *s = proper(L);
    const char *body = NULL, *location = NULL;
    size_t len = 0;
    int status = h->is_http ? up_source_http_answer(s, &body, &len, &location) : 0;

    if (!status) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    up_set_integer(L, "status", (uint64_t)status);
    if (body) {
        lua_pushlstring(L, body, len);
        lua_setfield(L, -2, "body");
    }
    if (location)
        up_set_string(L, "location", location);
    if (up_source_http_retry_after(s))
        up_set_integer(L, "retry_after", up_source_http_retry_after(s));
    return 1;
}

/* source:date() -> the server's time in its last answer, seconds since 1970 |
 * nil: a file, or its certificate was not verified, or it did not say */
static int m_date(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);
    struct up_source *s = proper(L);
    uint64_t date = h->is_http ? up_source_http_date(s) : 0;

    if (date)
        lua_pushinteger(L, (lua_Integer)date);
    else
        lua_pushnil(L);
    return 1;
}

/* source:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_SOURCE_TYPE);

    if (h->source)
        h->source->ops->close(h->source);
    h->source = NULL;
    h->copy = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"read", m_read},       {"want", m_want},   {"size", m_size},   {"received", m_received},
    {"answer", m_answer},   {"date", m_date},   {"take", m_take},   {"waits", m_waits},
    {"release", m_release}, {"leave", m_leave}, {"join", m_join},   {"push", m_push},
    {"starves", m_starves}, {"fail", m_fail},   {"close", m_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"file", f_file}, {"http", f_http}, {"copying", f_copying}, {"pushed", f_pushed}, {NULL, NULL},
};

int luaopen_update_native_source(lua_State *L)
{
    up_new_type(L, UP_SOURCE_TYPE, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
